"""Lines on a phone-wide terminal: broken between words, and nothing left out."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.report.stream import PeopleStream
from deploykit.report.style import Style
from deploykit.report.width import Verbatim, columns, fitted, width_of

lines = st.text(alphabet=st.sampled_from("ab c`é→ 日"), max_size=120)
plain = Style(False)


@given(lines, st.integers(20, 80))
def test_nothing_is_left_out_and_nothing_added_but_indentation(line: str, width: int) -> None:
    assert "".join("".join(fitted(line, width)).split()) == "".join(line.split())


@given(lines, st.integers(20, 80))
def test_only_a_word_that_is_too_long_itself_makes_a_line_too_long(line: str, width: int) -> None:
    longest = max((columns(word) for word in re.findall(r"(?:`[^`]*`|\S)+", line)), default=0)
    indent = len(line) - len(line.lstrip(" "))
    for part in fitted(line, width):
        assert columns(part) <= max(width, longest + max(indent, min(indent + 4, width // 2)))


@given(lines, st.integers(20, 80))
def test_words_stay_whole(line: str, width: int) -> None:
    assert " ".join(fitted(line, width)).split() == line.split()


@given(lines)
def test_a_line_that_fits_and_one_for_no_terminal_stay_as_they_are(line: str) -> None:
    assert fitted(line, None) == [line]
    assert fitted(line, columns(line) + 20) == [line]


@given(lines, st.integers(20, 60))
def test_colour_takes_no_room(line: str, width: int) -> None:
    painted = [re.sub(r"\x1b\[[\d;]*m", "", part) for part in fitted(Style(True).warn(line), width)]
    assert [part.rstrip() for part in painted] == [part.rstrip() for part in fitted(line, width)]


def test_fields_stay_together_before_words_do() -> None:
    assert fitted("  api  1a2b3c4  1/2 tasks  in progress  since 30 min ago  by ann", 45) == [
        "  api  1a2b3c4  1/2 tasks  in progress",
        "      since 30 min ago  by ann",
    ]


def test_a_command_in_quotes_is_never_broken_and_a_line_to_copy_neither() -> None:
    command = "`deploykit rollback --to 1a2b3c4d5e6f --env production`"
    assert fitted(f"  → if it fits: {command} goes back", 45) == [
        "  → if it fits:",
        f"      {command}",
        "      goes back",
    ]
    line = Verbatim("aws s3api create-bucket --bucket shop-deploykit --region us-east-1")
    assert fitted(line, 45) == [line]


def test_a_command_on_a_line_of_its_own_is_not_broken_either() -> None:
    command = "deploykit rollback --env production --to 1a2b3c4d5e6f"
    assert fitted(f"    {command}  # healthy, 2026-11-21T06:03:44Z", 45) == [
        f"    {command}",
        "        # healthy, 2026-11-21T06:03:44Z",
    ]
    assert fitted(f"  → {command}", 45) == [f"  → {command}"]
    assert fitted("deploykit is a word like others in a line that begins with it", 45) == [
        "deploykit is a word like others in a line",
        "    that begins with it",
    ]


def test_a_terminal_that_is_turned_meanwhile_has_its_new_width() -> None:
    widths = iter([80, 30])
    stream = PeopleStream(io.StringIO(), lambda: next(widths))
    for _ in range(2):
        stream.line("one two three four five six seven")
    assert stream.stream.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "one two three four five six seven",
        "one two three four five six",
        "    seven",
    ]


@pytest.mark.parametrize(
    ("environ", "width"),
    [
        ({"COLUMNS": "45"}, 45),
        ({"COLUMNS": "wide"}, None),
        ({"COLUMNS": "45", "CI": "true"}, None),
        ({"COLUMNS": "45", "TERM": "dumb"}, None),
    ],
)
def test_only_a_terminal_has_a_width(environ: dict[str, str], width: int | None) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert width_of(Terminal(), environ) == width
    assert width_of(io.StringIO(), environ) is None
