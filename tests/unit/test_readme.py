"""The README says what is true: its configurations load, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import deploykit
from deploykit.cli.app import name_in
from deploykit.config import load
from deploykit.config.example import example_text

ROOT = Path(deploykit.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```toml\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)


def test_the_readme_shows_the_annotated_example_as_it_is() -> None:
    assert example_text() in BLOCKS


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_configuration_in_the_readme_loads(number: int, tmp_path: Path) -> None:
    path = tmp_path / "deploykit.toml"
    path.write_text(BLOCKS[number], encoding="utf-8")
    assert load.load(path, None, {}).services


def test_every_command_in_the_readme_exists() -> None:
    code = re.findall(r"`[^`]*`|^ +deploykit .*$", README, re.MULTILINE)
    named = set(re.findall(r"deploykit (?:--\w+ )*([a-z]+)\b", " ".join(code)))
    assert {"deploy", "rollback", "sandbox", "init"} <= named
    assert {name for name in named if name_in([name]) != name} == set()


def test_every_file_and_make_target_in_the_readme_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)$", README, re.MULTILINE)
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert all((ROOT / link).is_file() for link in re.findall(r"\]\((?!http)([^)]+)\)", README))
