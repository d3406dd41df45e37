"""What is typed with nothing in it, files that are none, and what is said then."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploykit.images.push import _as_asked
from deploykit.model.finding import Finding
from deploykit.report.findings import lines_of
from deploykit.report.style import Style
from tests.unit.cli_kit import run
from tests.unit.config_files import TEN_LINES


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["rollback", "--to", ""], "--to names no release"),
        (["deploy", "--sha", ""], "--sha names no commit"),
        (["build", "--sha", " "], "--sha names no commit"),
    ],
)
def test_an_empty_variable_of_a_script_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploykit.toml").write_text(TEN_LINES, encoding="utf-8")
    ran = run(*argv)
    assert ran.code == 2
    assert said in ran.err


def test_a_folder_or_a_dead_link_in_place_of_the_configuration_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    assert "conf (from --config) is a folder" in run("status", "--config", "conf").err
    (tmp_path / "deploykit.toml").symlink_to("elsewhere.toml")
    ran = run("status")
    assert ran.code == 2
    assert "is a link to elsewhere.toml, which does not exist" in ran.err


def test_what_to_build_first_is_the_commit_that_was_to_be_pushed() -> None:
    sha = "972fb5b9db44f7d7568a82097171a2fff5b86bf8"
    assert _as_asked(f"127.0.0.1:4566/harbour/api:{sha}") == ("--sha", "972fb5b9db44")
    assert _as_asked(f"127.0.0.1:4566/harbour/api:{sha}-dirty-1503a6f7955f") == ("--allow-dirty",)


def test_a_finding_names_its_subject_once() -> None:
    crash = Finding("program-crash", "error", "high", "api", "api: the program itself ends")
    assert lines_of([crash], Style(False))[1] == "error api: the program itself ends"
    other = Finding("elsewhere", "error", "high", "api", "no image")
    assert lines_of([other], Style(False))[1] == "error api: no image"
