"""A file that is not TOML: where, what stands there, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploykit.config.load import load
from deploykit.errors import ConfigError, Problem
from tests.unit.config_files import TEN_LINES, refused

NAME, REGION, CLUSTER = 'name = "shop"', 'region = "eu-central-1"', 'cluster = "shop"'


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        (CLUSTER, f"{CLUSTER}\ncluster = 'b'", 7, "cluster already has a value: keep one of the two"),
        (CLUSTER, f"{CLUSTER}\n[project]", 7, "[project] is already in line 1: add these keys there"),
        (NAME, 'name = "shop', 2, "the string after name = is not closed: add its quotation mark"),
        (CLUSTER, 'cluster "shop"', 6, "there is no = after cluster"),
        (CLUSTER, 'cluster: "shop"', 6, 'write cluster = "shop", not cluster: "shop"'),
        ("[project]", "project:", 1, "project: is YAML; a TOML table begins with [project]"),
        (CLUSTER, "cluster = “shop”", 6, '“ is not a quotation mark of TOML: write "'),
        (REGION, "region = eu-central-1", 3, 'eu-central-1: a string needs quotation marks: write "eu-central-1"'),
        (CLUSTER, "cluster =", 6, "cluster has no value: write one after ="),
        (CLUSTER, "cluster = True", 6, "write true, in lower case"),
        (CLUSTER, "cluster = null", 6, "TOML has no null: leave cluster out"),
        (CLUSTER, f"{CLUSTER};", 6, "unexpected ;: a line ends after its value"),
        (CLUSTER, f"// its cluster\n{CLUSTER}", 6, "a comment begins with #"),
        (CLUSTER, f"= 3\n{CLUSTER}", 6, 'neither key = value, nor [table], nor "# comment"'),
        ('service = "web"', "depends_on = ['a'\nonly = 3", 11, "a list above is not closed: add its ]"),
    ],
)
def test_what_is_no_toml_is_told_with_its_remedy(tmp_path: Path, before: str, after: str, line: int, said: str) -> None:
    assert before in TEN_LINES
    error = refused(tmp_path, TEN_LINES.replace(before, after, 1))
    [problem] = error.problems
    assert (problem.line, problem.message.split(": ", 1)[1]) == (line, said)


def test_a_curly_quotation_mark_inside_a_text_is_not_the_mistake(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_LINES.replace(CLUSTER, 'cluster = "it’s" x'))
    assert error.problems[0].message.endswith("x: a line ends after its value")


def test_a_text_without_an_end_at_the_end_of_the_file_is_told_there(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_LINES + 'target = """a\nb')
    [problem] = error.problems
    assert problem.message == "not TOML at the end of the file: a string is not closed: add its quotation mark"


@given(st.integers(0, len(TEN_LINES)), st.text(alphabet="\"'[]{}=#.:;,\n “x1", min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_into_a_file_is_told_with_a_line_or_read(tmp_path: Path, at: int, typed: str) -> None:
    path = tmp_path / "deploykit.toml"
    path.write_text(TEN_LINES[:at] + typed + TEN_LINES[at:], encoding="utf-8")
    for problem in problems_of(path):
        assert problem.line
        assert problem.message.strip()


def problems_of(path: Path) -> Sequence[Problem]:
    try:
        load(path, None, {})
    except ConfigError as error:
        return error.problems
    return ()
