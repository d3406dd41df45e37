"""Every correction of the local AWS says what it restores, where AWS documents it, and what it builds on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import deploykit.sandbox

FOLDER = Path(deploykit.sandbox.__file__).parent / "server" / "corrections"
FILES = sorted(p for p in FOLDER.glob("*.py") if p.name not in ("__init__.py", "parts.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_correction_names_the_behaviour_and_awss_page(path: Path) -> None:
    tree = ast.parse(path.read_text())
    text = ast.get_docstring(tree) or ""
    assert "https://" in text
    assert len(text.splitlines()[0]) > 40
    assigned = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert "REQUIRES" in assigned
    assert "install" in defined


def test_every_inner_name_a_correction_uses_is_checked_at_start() -> None:
    """Names of MiniStack that begin with an underscore may move at any version."""
    checked = {name for path in [*FILES, FOLDER / "__init__.py"] for _, name, _ in _requirements(path)}
    used = set()
    for path in FOLDER.parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack")
            for alias in node.names
        }
        used |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
            and node.attr.startswith("_")
        }  # fmt: skip
    assert len(used) > 20
    assert used - checked == set()


def _requirements(path: Path) -> list[tuple[str, str, str]]:
    found = []
    for node in ast.parse(path.read_text()).body:
        value = getattr(node, "value", None)
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in ("REQUIRES", "OWN") and value is not None:
            found += ast.literal_eval(value)
    return found
