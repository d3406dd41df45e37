"""What to type next acts where the command acted that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploykit.report.again import asked_again, hints_again
from tests.unit.cli_kit import run
from tests.unit.config_files import TEN_LINES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`deploykit rollback` goes back", "`deploykit rollback --env prod` goes back"),
        (
            "deploykit rollback --to 21eea58e0ad6  # healthy",
            "deploykit rollback --env prod --to 21eea58e0ad6  # healthy",
        ),
        ("name it:\ndeploykit rollback api --to 1", "name it:\ndeploykit rollback --env prod api --to 1"),
        ("`deploykit sandbox up` first", "`deploykit sandbox up --env prod` first"),
        ("  → deploykit rollback --env dev goes back", "  → deploykit rollback --env dev goes back"),
        ("nothing here was released by deploykit yet", "nothing here was released by deploykit yet"),
        ("write one with: `deploykit init`", "write one with: `deploykit init`"),
    ],
)
def test_a_command_to_type_names_the_environment_that_was_named(text: str, said: str) -> None:
    assert asked_again(text, "prod", None) == said


def test_nothing_is_added_where_nothing_was_named() -> None:
    assert asked_again("`deploykit rollback` goes back", None, None) == "`deploykit rollback` goes back"


def test_the_file_that_was_named_is_named_again_ready_for_a_shell() -> None:
    assert asked_again("`deploykit deploy` continues", "prod", "my file.toml") == (
        "`deploykit deploy --env prod --config 'my file.toml'` continues"
    )


def test_hints_in_a_document_are_completed_and_evidence_is_left_as_it_came() -> None:
    document = {"error": {"hint": "`deploykit deploy` again"}, "findings": [{"evidence": ["`deploykit deploy`"]}]}
    assert hints_again(document, "prod", None) == {
        "error": {"hint": "`deploykit deploy --env prod` again"},
        "findings": [{"evidence": ["`deploykit deploy`"]}],
    }


def test_an_error_of_a_command_for_a_named_file_gives_hints_for_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.toml").write_text(TEN_LINES, encoding="utf-8")
    ran = run("sandbox", "env", "--config", "other.toml", environ={"XDG_STATE_HOME": str(tmp_path)})
    assert ran.code != 0
    assert "deploykit sandbox up --config other.toml" in ran.err
