"""A whole file validated at once: the merged tables of every environment, and what they require of each other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from pydantic import ValidationError

from deploykit.config.check_rules import CHECK_RULES
from deploykit.config.locate import KeyPath
from deploykit.config.nearest import nearest
from deploykit.config.overlay import Layered, endpoints_of, layer
from deploykit.config.rule_view import RuleView
from deploykit.config.scalars import FromFile
from deploykit.config.schema import Tables
from deploykit.config.service_rules import SERVICE_RULES, limited
from deploykit.config.wording import clean_path, description, expectation, key_text, shown, suggestion, unknown_key
from deploykit.errors import Problem

TOP = ("project", "environments", "services", "cdn", "build", "rollout", "notify", "checks", "local")


@dataclass
class FileReport:
    """The file's tables by environment, where they are valid; and everything that is wrong, each thing once."""

    shown_path: str
    file: dict[str, Any]
    lines: dict[KeyPath, int]
    tables: dict[str, Tables] = field(default_factory=dict)
    _found: dict[Problem, None] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """All problems, in the order of the file's lines."""
        return sorted(self._found, key=lambda problem: (problem.line or 0, problem.key or ""))

    def add(self, path: KeyPath, missing: KeyPath, rest: str) -> None:
        """Note what is wrong at ``path`` of the file, or with ``missing`` below it: ``rest`` follows the key's name."""
        line = next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)
        key = key_text((*path, *missing), self.file)
        self._found[Problem(f"{key} {rest}" if key else rest, self.shown_path, line, key or None)] = None


def validate(file: dict[str, Any], lines: dict[KeyPath, int], shown_path: str, url_given: bool) -> FileReport:
    """Validate ``file`` (as tomllib read it; ``lines`` as `locate` found them) for all its environments.

    ``url_given``: an address from outside overrides the environment's url, which may be missing then.
    """
    report = FileReport(shown_path, file, lines)
    for key in file:
        if key not in TOP:
            report.add((key,), (), f"is not a key here; {suggestion(key, TOP)}")
    known = {key: value for key, value in file.items() if key in TOP}
    environments = _environments(report, known)
    services = set(_keys(known.get("services")))
    for name in environments:
        services |= {*_keys(known["environments"][name].get("services"))}
    if not services:
        report.add((), (), "there is no service: add [services.NAME] with context, repository and service")
    _table_errors(report, layer(known, None), incomplete=True)
    _duplicate_ids(report, (), known)
    for name in environments:
        layered = layer(known, name)
        admitted = layered.admitted()
        _duplicate_ids(report, ("environments", name), known["environments"][name])
        _table_errors(report, layered, incomplete=True)
        tables, meant = _table_errors(report, admitted, incomplete=False)
        if tables is not None:
            report.tables[name] = tables
        everything = RuleView(layered.tables, name, tuple(environments), tuple(sorted(services)), url_given)
        present = replace(everything, tables=admitted.tables)
        for path, rest in limited(everything):
            report.add(*layered.source(path), rest)
        for path, rest in chain.from_iterable(rule(present) for rule in SERVICE_RULES + CHECK_RULES):
            if path not in meant:
                also = _or_meant(admitted, path) if rest.startswith("is missing") else ""
                report.add(*admitted.source(path), rest + also)
    return report


def _environments(report: FileReport, file: dict[str, Any]) -> list[str]:
    """The names of the environments that are tables; reports where there is none, or the default is not among them."""
    found = file.get("environments", {})
    if not isinstance(found, dict):
        report.add(("environments",), (), f"= {shown(found)}: must be tables, [environments.NAME]")
        return []
    if not found:
        report.add((), (), "there is no environment: add [environments.NAME] with account and cluster")
    for name, table in found.items():
        if not isinstance(table, dict):
            report.add(("environments", name), (), f"= {shown(table)}: must be a table, [environments.{name}]")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            report.add(("environments", name), (), "must be letters, digits, and - _ between them")
    default = _keys(file.get("project")).get("default_environment")
    if isinstance(default, str) and found and default not in found:
        rest = f'= "{default}": no such environment; {suggestion(default, found)}'
        report.add(("project", "default_environment"), (), rest)
    return [name for name, table in found.items() if isinstance(table, dict)]


def _keys(table: Any) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _or_meant(layered: Layered, path: KeyPath) -> str:
    """A service that only the environment has, and that lacks a key, may be a misspelt service of the file."""
    services = _keys(layered.file.get("services"))
    if layered.name is None or path[0] != "services" or len(path) < 2 or path[1] in services:
        return ""
    near = nearest(str(path[1]), services)
    return f"; or did you mean environments.{layered.name}.services.{near}?" if near else ""


def _duplicate_ids(report: FileReport, head: KeyPath, tables: dict[str, Any]) -> None:
    first: dict[str, KeyPath] = {}
    for number, endpoint in enumerate(endpoints_of(tables)):
        identifier = endpoint.get("id") if isinstance(endpoint, dict) else None
        path = (*head, "checks", "endpoints", number, "id")
        if isinstance(identifier, str) and first.setdefault(identifier, path) != path:
            line = report.lines[first[identifier]]
            report.add(path, (), f'= "{identifier}": is already the id of the endpoint in line {line}')


def _table_errors(report: FileReport, layered: Layered, incomplete: bool) -> tuple[Tables | None, set[KeyPath]]:
    """The merged tables as types (None, with all errors reported, where they are wrong), and the keys meant by others.

    ``incomplete``: a missing key is not reported, since other tables may have it; those of the project still are.
    """
    name = _keys(layered.file.get("project")).get("name")
    context = FromFile(layered.name or "env", name if isinstance(name, str) else "project")
    try:
        return Tables.model_validate(layered.tables, context=context), set()
    except ValidationError as error:
        errors = error.errors(include_url=False)
    meant: set[KeyPath] = set()
    unknown = {
        clean_path(item["loc"]) for item in errors if item["loc"][-1] == "[key]" and item["type"] == "literal_error"
    }
    for item in errors:
        path = clean_path(item["loc"])
        if path in unknown and item["loc"][-1] != "[key]":
            continue  # the key itself is unknown and reported; skip errors inside it
        if item["type"].startswith("int") and item["loc"][-1] == "int":
            continue  # already reported as a number of any kind
        if item["type"] == "extra_forbidden":
            rest, near = unknown_key(Tables, path[:-1], str(path[-1]))
            meant |= {(*path[:-1], near)} if near else set()
            report.add(*layered.source(path), rest)
        elif item["type"] == "literal_error" and item["loc"][-1] == "[key]":
            report.add(*layered.source(path), expectation(item))
        elif item["type"] != "missing":
            report.add(*layered.source(path), f"= {shown(item['input'])}: {expectation(item)}")
    for item in errors:
        path = clean_path(item["loc"])
        if item["type"] == "missing" and path not in meant and (path[0] == "project" or not incomplete):
            report.add(*layered.source(path), f"is missing: {description(Tables, path)}")
    return None, meant
