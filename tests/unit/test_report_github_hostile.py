"""Foreign text in a job summary: whatever goes in, Markdown makes nothing of it but text and code."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from deploykit.report import json as documents
from deploykit.report.github_commands import disarmed
from deploykit.report.github_summary import fitting, summary_of
from deploykit.report.github_text import code, fenced, inline, table
from tests.unit.github_kit import runner_finds_a_command

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PIECES = (
    "`", "``", "```", "|", "\\", "\\|", "\n", "\r\n", "\u2028", "\t", " ", "    ", "é", "界", "word",
    "<b>", "</details>", "<!--", "-->", "&", "&lt;", "@octocat", "a@b.co", "https://evil.example", "www.evil.example",
    "[x](y)", "![x](y)", "[^1]", "[x]: y", "#1", "# head", "===", "---", "- item", "1. item", "> quote", "*", "**",
    "_", "__", "~~", "$x$", ":tada:", "::set-output name=x::y", "##[error]", "\x1b[31m", "\x00", "\u202e", "|---|",
    ":-:", "~~~", "+ item", "&#124;",
)  # fmt: skip
HOSTILE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
OURS = {"text", "code_inline"}
_LINK = re.compile(r"(?i)@|://|www\.|#\d")


def children(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def shown(tokens: list[Token]) -> str:
    return "".join(token.content for token in tokens)


def squeezed(text: str) -> str:
    """What is compared: the signs that are no white space and no control character, without the ANSI codes."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return "".join(sign for sign in text if sign.isprintable() and not sign.isspace() and sign != "\ufffd")


@given(HOSTILE)
@example("`a``b`")
@example("a`b``c``d`e")
@example("1. item")
@example("#1 | @x")
def test_a_line_stays_one_paragraph_of_text_and_code(text: str) -> None:
    tokens = GITHUB.parse(inline(text))
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    assert {child.type for child in children(tokens)} <= OURS


@given(HOSTILE)
def test_a_line_in_a_list_adds_no_structure_to_it(text: str) -> None:
    types = [token.type for token in GITHUB.parse(f"- x {inline(text)}\n- {inline(text)}\n")]
    assert types.count("list_item_open") == 2
    assert not {"heading_open", "blockquote_open", "fence", "code_block", "html_block", "hr"} & set(types)


@given(HOSTILE)
def test_nothing_is_lost_but_backticks_round_code(text: str) -> None:
    said = squeezed(shown(children(GITHUB.parse(inline(text)))))
    assert said.replace("`", "") == squeezed(text).replace("`", "")


@given(HOSTILE)
def test_what_github_would_link_or_mention_is_code(text: str) -> None:
    plain = [child.content for child in children(GITHUB.parse(inline(text))) if child.type == "text"]
    assert not any(_LINK.search(each) for each in plain)


@given(HOSTILE)
@example("``")
@example(" ` ")
@example("\\|")
def test_code_is_one_piece_of_code_with_this_text(text: str) -> None:
    found = children(GITHUB.parse(f"x {code(text)} y"))
    assert {child.type for child in found} <= OURS
    inside = [child.content for child in found if child.type == "code_inline"]
    assert squeezed("".join(inside)) == squeezed(text) or not squeezed(text)
    assert len(inside) <= 1


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), min_size=1, max_size=4))
@example([("\\", "\\|", "`|`")])
def test_a_table_has_the_cells_that_went_in(rows: list[tuple[str, str, str]]) -> None:
    lines = table(("a", "b", "c"), [(inline(one), code(two), inline(three)) for one, two, three in rows])
    tokens = GITHUB.parse("\n".join(lines))
    types = [token.type for token in tokens]
    assert types.count("table_open") == 1
    assert (types.count("th_open"), types.count("td_open")) == (3, 3 * len(rows))
    assert types[0] == "table_open"
    assert types[-1] == "table_close"
    assert {child.type for child in children(tokens)} <= OURS
    cells = [shown(token.children or []) for token in tokens if token.type == "inline"][3:]
    for cell, text in zip(cells, [text for row in rows for text in row], strict=True):
        assert squeezed(cell).replace("`", "").removeprefix("–") == squeezed(text).replace("`", "").removeprefix("–")


@given(HOSTILE)
def test_a_block_of_code_holds_the_text_and_nothing_after_it(text: str) -> None:
    tokens = GITHUB.parse("\n".join([*fenced(text), "", "after"]))
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert squeezed(tokens[0].content) == squeezed(text)
    assert tokens[0].info == "text"


@given(HOSTILE)
@example("</details>\n\n# done\n\n| a |\n|---|\n@octocat")
def test_a_whole_summary_has_only_its_own_structure(text: str) -> None:
    finding: dict[str, Any] = {"id": "x", "severity": "error", "confidence": "low", "subject": text, "summary": text}
    finding |= {"evidence": [text, text], "hint": text, "runbook": text}
    samples = {"samples": 3, "failed": 1, "failures": [{"expectation": text, "kind": text, "message": text}]}
    document: dict[str, Any] = {
        **documents.envelope("deploy", text, 10, 1.0, {}),
        **documents.empty_part("deploy", 10),
        "release": {"id": text, "sha": text, "previous_sha": text, "verdict": "unhealthy"},
        "services": {
            text: {"sha": text, "image": text, "digest": text, "task_definition": text, "changed": True}
            | {"previous_task_definition": text}
        },
        "checks": {text: {"class": text, "before": samples, "after": samples, "stale": False, "version": text}},
        "findings": [finding],
        "way_back": {"ready": False, "release": text, "problems": [text]},
        "error": {"message": text, "hint": text, "problems": [{"message": text, "file": text, "line": 1, "key": None}]},
    }
    tokens = GITHUB.parse(fitting(summary_of(document, text), 2**20, 0))
    types = [token.type for token in tokens]
    assert types.count("heading_open") == 1
    assert types.count("table_open") == 2
    assert types.count("td_open") == 6 + 5
    assert types.count("list_item_open") == 1 + 5
    assert not {"html_block", "blockquote_open", "hr", "code_block"} & set(types)
    assert {child.type for child in children(tokens)} <= OURS | {"strong_open", "strong_close", "softbreak"}


@given(HOSTILE)
@example("::set-output name=x::y")
@example(" \t::error::x")
@example("fine\r::error::x")
@example("06:20:00 ##[error]x")
@example("###[x")
def test_no_line_of_ours_is_a_command_to_the_runner(text: str) -> None:
    assert not runner_finds_a_command(disarmed(text))


@given(st.text(alphabet="abc :#[", max_size=30))
def test_a_line_that_is_no_command_stays_as_it_is(text: str) -> None:
    assert disarmed(text) == text or runner_finds_a_command(text)
