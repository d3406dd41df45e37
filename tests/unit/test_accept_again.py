"""What to type next acts where the command acted that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploykit.cli.options import GlobalOptions
from deploykit.model.hint import Hint, command, shown
from deploykit.report import json as documents
from tests.unit.cli_kit import run
from tests.unit.config_files import TEN_LINES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (Hint(command("rollback"), " goes back"), "`deploykit rollback --env prod` goes back"),
        (
            Hint(command("rollback", "--to", "21eea58e0ad6", ticks=False), "  # healthy"),
            "deploykit rollback --env prod --to 21eea58e0ad6  # healthy",
        ),
        (
            Hint("name it:\n", command("rollback", "api", "--to", "1", ticks=False)),
            "name it:\ndeploykit rollback --env prod api --to 1",
        ),
        (Hint(command("sandbox up"), " first"), "`deploykit sandbox up --env prod` first"),
        ("  → deploykit rollback --env dev goes back", "  → deploykit rollback --env dev goes back"),
        ("nothing here was released by deploykit yet", "nothing here was released by deploykit yet"),
        (Hint("write one with: ", command("init")), "write one with: `deploykit init`"),
    ],
)
def test_a_command_to_type_names_the_environment_that_was_named(text: str, said: str) -> None:
    assert shown(text, ("--env", "prod")) == said


def test_nothing_is_added_where_nothing_was_named() -> None:
    assert shown(Hint(command("rollback"), " goes back"), ()) == "`deploykit rollback` goes back"


def test_the_file_that_was_named_is_named_again_ready_for_a_shell() -> None:
    named = GlobalOptions(env="prod", config="my file.toml").named
    assert shown(Hint(command("deploy"), " continues"), named) == (
        "`deploykit deploy --env prod --config 'my file.toml'` continues"
    )


def test_hints_in_a_document_are_completed_and_evidence_is_left_as_it_came() -> None:
    hint = Hint(command("deploy"), " again")
    document = {"error": {"hint": hint}, "findings": [{"evidence": ["`deploykit deploy`"]}]}
    assert json.loads(documents.write(document, ("--env", "prod"))) == {
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
