"""README and docs say what is true: configurations load, commands and files exist, quoted code is the code."""

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
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
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


@pytest.mark.parametrize("name", sorted(DOCS))
def test_every_link_between_the_docs_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", DOCS[name])
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []


def test_the_map_quotes_the_story_of_deploy_as_it_is() -> None:
    story = (ROOT / "deploykit/commands/deploy.py").read_text(encoding="utf-8")
    assert f"```python\n{story[story.index('def deploy(') :]}```" in DOCS["structure.md"]


def test_every_file_and_package_on_the_map_is_there() -> None:
    named = set(re.findall(r"`([a-z_][a-z_/]*(?:\.py|\.toml|/))`", DOCS["structure.md"]))
    tree = [path for folder in ("deploykit", "tests") for path in (ROOT / folder).rglob("*")]
    there = [f"/{path.relative_to(ROOT).as_posix()}{'/' if path.is_dir() else ''}" for path in tree]
    assert {"cli/deploy.py", "targets/", "__main__.py", "tests/architecture/rules.py"} <= named
    assert {name for name in named if not any(path.endswith(f"/{name}") for path in there)} == set()


def test_the_map_shows_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "deploykit").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\* \*\*`(\w+)/`\*\*", DOCS["structure.md"], re.MULTILINE))
