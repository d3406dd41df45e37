"""A hint is words and commands; the commands get the options of this command line where people read them."""

from __future__ import annotations

import copy
import json
import shlex
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploykit.cli.options import GlobalOptions
from deploykit.errors import ExitCode
from deploykit.model.finding import Finding
from deploykit.model.hint import Command, Hint, command, joined, shown
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import RunReport, WayBack
from deploykit.report import json as documents
from deploykit.report import summary, views
from deploykit.report.findings import lines_of
from deploykit.report.style import Style
from tests.unit.cli_kit import run
from tests.unit.test_report_json import REPORT

VERBS = ("deploy", "rollback", "check", "sandbox up", "init", "demo", "schema")
ELSEWHERE = {"init", "demo", "schema"}  # act in no environment
PROD = ("--env", "prod")

words = st.text(max_size=8)
commands = st.builds(Command, st.sampled_from(VERBS), st.lists(words, max_size=3).map(tuple), st.booleans())
flat = st.lists(st.one_of(words, commands), max_size=6)
hints = flat.map(lambda parts: Hint(*parts))
options = st.builds(
    lambda env, config: GlobalOptions(env, config).named, st.none() | st.just("prod"), st.none() | words
)


@given(flat)
def test_without_options_a_hint_reads_as_the_str_that_it_is(parts: list[str | Command]) -> None:
    hint = Hint(*parts)
    said = "".join(part if isinstance(part, str) else part.text() for part in parts)
    assert hint == said == hint.text(()) == shown(hint, ())
    assert f"{hint}" == said
    assert json.dumps(hint) == json.dumps(said)


@given(commands, options)
def test_a_shell_reads_back_what_is_to_be_typed_with_the_options_right_behind_the_verb(
    one: Command, named: tuple[str, ...]
) -> None:
    named = () if one.verb in ELSEWHERE else named
    assert shlex.split(one.typed(named)) == ["deploykit", *one.verb.split(), *named, *one.words]


@given(st.lists(st.one_of(st.text("abc `", max_size=8), commands.map(lambda c: replace(c, words=())))))
def test_every_command_gets_the_options_exactly_once(parts: list[str | Command]) -> None:
    somewhere = [part for part in parts if isinstance(part, Command) and part.verb not in ELSEWHERE]
    said = Hint(*parts).text(("--env", "prod", "--config", "my file.toml"))
    assert said.count("--env prod --config 'my file.toml'") == said.count("--env") == len(somewhere)


@given(st.lists(st.one_of(words, hints)), options)
def test_a_hint_of_hints_is_as_good_as_one_of_their_parts(texts: list[str], named: tuple[str, ...]) -> None:
    assert Hint(*texts).text(named) == "".join(shown(text, named) for text in texts)
    assert joined("; ", texts).text(named) == "; ".join(shown(text, named) for text in texts)


@given(hints, options)
def test_a_copy_keeps_its_commands(hint: Hint, named: tuple[str, ...]) -> None:
    assert copy.deepcopy(hint).text(named) == hint.text(named)


def test_words_that_only_look_like_a_command_are_left_as_they_are() -> None:
    quoted = "the log says `deploykit deploy`"
    assert shown(quoted, PROD) == quoted
    assert Hint(quoted, "; ", command("check")).text(PROD) == f"{quoted}; `deploykit check --env prod`"


def test_the_program_by_itself_takes_no_options() -> None:
    assert Command("", ("--help",)).text(PROD) == "`deploykit --help`"


def test_a_document_shows_its_hints_with_the_options_wherever_they_stand() -> None:
    named = Hint("name it: ", command("rollback", "--to", "1a2b3c4"))
    reasons = [Finding("image-missing", "error", "high", "api", text) for text in ("no image", named)]
    back = WayBack(False, None, tuple(reasons))
    found = Finding("x", "error", "high", "api", "y", evidence=("`deploykit deploy`",), hint=Hint(command("logs")))
    report = replace(REPORT, findings=(found,), way_back=back, hint=Hint(command("check"), " looks again"))
    document = json.loads(documents.write(documents.run_part(report), PROD))
    assert document["error"]["hint"] == "`deploykit check --env prod` looks again"
    assert document["findings"][0]["hint"] == "`deploykit logs --env prod`"
    assert document["findings"][0]["evidence"] == ["`deploykit deploy`"]
    assert document["way_back"]["problems"][1] == "name it: `deploykit rollback --env prod --to 1a2b3c4`"


def test_people_read_them_in_the_closing_lines_the_findings_and_the_plan() -> None:
    plain, again = Style(False), Hint(command("deploy", "--sha", "1a2b3c4"), " continues")
    report = RunReport(
        Outcome.INTERRUPTED, ExitCode.INTERRUPTED, ReleaseSummary(None, None), message="left", hint=again
    )
    said = "`deploykit deploy --env prod --sha 1a2b3c4` continues"
    assert shown(summary.of_run(report, "deploy", plain, 0.0)[-1], PROD) == f"deploy: left; {said}"
    finding = Finding("x", "error", "high", "api", "y", hint=again)
    assert shown(lines_of([finding], plain)[-1], PROD) == f"  → {said}"
    for ready, lead in ((False, "not ready, because"), (True, "ready, though")):
        back = {"ready": ready, "release": None, "problems": [again]}
        plan: dict[str, Any] = {
            "sha": None,
            "services": {},
            "migrations": [],
            "invalidations": [],
            "outcome": "changes",
        }
        lines = views.of_plan({**plan, "warnings": [again], "refusals": [again], "way_back": back}, plain)
        assert [shown(line, PROD) for line in lines[1:]] == [
            f"  warning  {said}",
            f"way back: {lead} {said}",
            f"deploy would refuse: {said}",
        ]


def test_an_option_that_does_not_exist_is_answered_with_the_command_that_lists_them() -> None:
    assert "`deploykit sandbox up --help` lists what it takes" in run("sandbox", "up", "--size", "2").err
    assert "`deploykit --help` lists what it takes" in run("--size", "2").err
