"""A tree of Python sources as the rules see it: which module imports what, and which names it uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Use:
    """A dotted name that a module imports or uses, with its line."""

    name: str
    line: int


@dataclass(frozen=True)
class Module:
    """One source file: ``name`` is dotted, ``path`` is relative to the tree's root."""

    name: str
    path: str
    text: str

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def package(self) -> str:
        """The part right under the root: ``deploykit.edges.aws.ecs`` → ``edges``; the root itself is ``""``."""
        return ([*self.name.split("."), ""])[1]

    def imports(self) -> Iterator[Use]:
        """Everything imported, wherever the import stands: at the top, in a function, under TYPE_CHECKING.

        ``from a import b`` is ``a.b``, since ``b`` may be a module.
        """
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Import):
                yield from (Use(alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                yield from (Use(f"{origin}.{alias.name}", node.lineno) for alias in node.names)
            elif isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] == "import_module":
                yield from (
                    Use(str(word.value), node.lineno) for word in node.args[:1] if isinstance(word, ast.Constant)
                )

    def uses(self) -> Iterator[Use]:
        """Every dotted name that leads back to an import or a builtin, with renamed imports spelled out."""
        known = self._local_names()
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Attribute | ast.Name) and (dotted := _dotted(node)):
                first, _, rest = dotted.partition(".")
                full = known.get(first, first)
                yield Use(f"{full}.{rest}" if rest else full, node.lineno)

    def classes(self) -> Iterator[Use]:
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.ClassDef):
                yield Use(node.name, node.lineno)

    def texts(self) -> Iterator[Use]:
        """Every string constant, the parts of f-strings too, but for docstrings and other strings that stand alone."""
        alone = {id(node.value) for node in ast.walk(self.syntax) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
                yield Use(node.value, node.lineno)

    def assigned_fields(self) -> Iterator[Use]:
        """Every field that is assigned outside a constructor: ``Class.field`` of ``self``, else ``?.name.field``."""
        for owner, function in self._functions():
            if function.name in ("__init__", "__post_init__", "__new__"):
                continue
            for node in ast.walk(function):
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                    continue
                flat = [each for target in targets if target is not None for each in ast.walk(target)]
                for each in flat:
                    if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
                        dotted = _dotted(each)
                        own = dotted.startswith("self.") and dotted.count(".") == 1
                        yield Use(f"{owner}.{each.attr}" if own else f"?.{dotted}", each.lineno)

    def finals(self) -> Iterator[int]:
        """The lines of every ``try`` with a ``finally``."""
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Try) and node.finalbody:
                yield node.lineno

    def _functions(self) -> Iterator[tuple[str, ast.FunctionDef]]:
        """Every function with the name of the class that it is a method of, "" where it is none."""
        for node in ast.walk(self.syntax):
            owner = node.name if isinstance(node, ast.ClassDef) else ""
            if isinstance(node, ast.ClassDef | ast.Module):
                yield from ((owner, each) for each in node.body if isinstance(each, ast.FunctionDef))

    def caught_lines(self) -> set[int]:
        """Lines of ``except X:``: naming an exception to catch it is not raising it."""
        handlers = (node for node in ast.walk(self.syntax) if isinstance(node, ast.ExceptHandler))
        return {handler.type.lineno for handler in handlers if handler.type is not None}

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        keep = len(parts) - node.level + (1 if self.path.endswith("__init__.py") else 0)
        return ".".join(parts[:keep] + ([node.module] if node.module else []))

    def _local_names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for node in ast.walk(self.syntax):
            if isinstance(node, ast.Import):
                names |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom):
                names |= {alias.asname or alias.name: f"{self._origin(node)}.{alias.name}" for alias in node.names}
        return names


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def read_tree(folder: Path) -> list[Module]:
    """Every source file of the package in ``folder``, named from that folder's own name on."""
    return [_module(path.relative_to(folder.parent), path.read_text("utf-8")) for path in sorted(folder.rglob("*.py"))]


def made_up(files: Mapping[str, str]) -> list[Module]:
    """A tree out of thin air: path to text."""
    return [_module(Path(path), text) for path, text in files.items()]


def _module(path: Path, text: str) -> Module:
    parts = list(path.with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return Module(".".join(parts), path.as_posix(), text)
