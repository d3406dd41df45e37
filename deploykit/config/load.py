"""Find deploykit.toml, read it, and resolve it for one environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deploykit.config.locate import locate
from deploykit.config.nearest import nearest
from deploykit.config.scalars import Address, HostPort, RegistryHost
from deploykit.config.schema import Cdn, Checks, Configuration, Service, Tables
from deploykit.config.syntax import syntax_error
from deploykit.config.validate import validate
from deploykit.config.wording import shown
from deploykit.errors import ConfigError, Problem
from deploykit.model.hint import Hint, command

FILE_NAME = "deploykit.toml"
_FROM_OUTSIDE: dict[str, tuple[str, Any]] = {
    "DEPLOYKIT_URL": ("url", Address),
    "DEPLOYKIT_REGISTRY": ("registry", RegistryHost),
    "DEPLOYKIT_CONNECT_TO": ("connect_to", HostPort),
}


def find(explicit: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The configuration file: ``explicit``, else $DEPLOYKIT_CONFIG, else deploykit.toml in ``cwd`` or above it.

    Raises ConfigError where there is none.
    """
    named = explicit or (Path(env["DEPLOYKIT_CONFIG"]) if env.get("DEPLOYKIT_CONFIG") else None)
    if named is not None:
        path = cwd / named.expanduser()
        source = "--config" if explicit else "DEPLOYKIT_CONFIG"
        fix = "name an existing file" if explicit else "set DEPLOYKIT_CONFIG to an existing file, or unset it"
        return _readable(path, f"{named} (from {source})", fix)
    for folder in (cwd, *cwd.parents):
        if os.path.lexists(folder / FILE_NAME):
            return _readable(folder / FILE_NAME, str(folder / FILE_NAME))
    raise ConfigError(
        f"there is no {FILE_NAME} in {cwd} or in a folder above it",
        Hint("write one with ", command("init"), ", or name it with --config FILE"),
    )


def _readable(path: Path, named: str, fix: str = "") -> Path:
    if path.is_dir():
        raise ConfigError(f"{named} is a folder, not a configuration file", f"name a file, such as {path / FILE_NAME}")
    if path.is_symlink() and not path.exists():
        raise ConfigError(f"{named} is a link to {path.readlink()}, which does not exist", "fix or remove the link")
    if not path.exists():
        raise ConfigError(f"there is no configuration file {named}", fix)
    return path


def load(path: Path, environment: str | None, env: Mapping[str, str]) -> Configuration:
    """The file at ``path``, resolved for ``environment`` (else $DEPLOYKIT_ENV, the file's default, its only one).

    Raises: ConfigError with every problem of the file, in any environment; or because the file cannot be read, or the
    environment is not in it or not named.
    """
    path = path.absolute()
    shown_path = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    text = _read(path, shown_path)
    try:
        file = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise syntax_error(error, text, shown_path) from None
    outside, wrong = _from_outside(env)
    report = validate(file, locate(text), shown_path, url_given="url" in outside)
    if report.problems or wrong:
        raise _refusal(report.problems, wrong, shown_path)
    name = _choose(report.tables, environment, env, shown_path)
    return _resolve(path, name, report.tables, outside)


def _refusal(in_file: Sequence[Problem], outside: Sequence[Problem], shown_path: str) -> ConfigError:
    """Everything that is wrong, and where to fix it: in the file, in the environment, or in both."""
    variables = ", ".join(str(problem.key) for problem in outside)
    if not in_file:
        message = f"{variables} in the environment {'is' if len(outside) == 1 else 'are'} wrong"
        return ConfigError(message, f"nothing was done; fix {variables}, or unset it", outside)
    count = "one problem" if len(in_file) == 1 else f"{len(in_file)} problems"
    also = f", and {variables} in the environment is wrong" if outside else ""
    what = f"the file and {variables}" if outside else "the file"
    hint = f"nothing was done; fix {what} and repeat the command"
    return ConfigError(f"{shown_path} has {count}{also}", hint, [*in_file, *outside])


def _read(path: Path, shown_path: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"{shown_path} cannot be read: {error.strerror}", "name another with --config FILE") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = Problem("not UTF-8 text", shown_path, line)
        raise ConfigError(f"{shown_path} has one problem", "save the file as UTF-8", [problem]) from None


def _from_outside(env: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The keys that environment variables override, and what is wrong with those variables."""
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for variable, (key, kind) in _FROM_OUTSIDE.items():
        if value := env.get(variable):
            try:
                values[key] = TypeAdapter(kind).validate_python(value, strict=True)
            except ValidationError as error:
                said = error.errors()[0]["msg"]
                problems.append(Problem(f"{variable} = {shown(value)}: {said}", key=variable))
    return values, problems


def _choose(tables: dict[str, Tables], flag: str | None, env: Mapping[str, str], shown_path: str) -> str:
    first, names = next(iter(tables)), ", ".join(tables)
    wanted = flag or env.get("DEPLOYKIT_ENV") or tables[first].project.default_environment
    pick = f"pick one: --env {first}"
    if wanted is None and len(tables) == 1:
        return first
    if wanted is None:
        raise ConfigError(f"{shown_path} has several environments ({names}) and no default_environment", pick)
    if wanted not in tables:
        source = "--env" if flag else "DEPLOYKIT_ENV"
        near = nearest(wanted, tables)
        pick = f"did you mean --env {near}?" if near else pick
        if not flag:
            pick = f"set DEPLOYKIT_ENV={near or first}, or unset it and add --env NAME"
        raise ConfigError(f'there is no environment "{wanted}" (from {source}) in {shown_path}; it has {names}', pick)
    return wanted


def _resolve(path: Path, name: str, tables: dict[str, Tables], outside: dict[str, str]) -> Configuration:
    own = tables[name]
    environment = own.environment.model_copy(update=outside)
    services = {key: _service(key, service, own.services) for key, service in own.services.items()}
    values = {
        "path": path,
        "environment": name,
        "region": environment.region or own.project.region,
        "services": services,
        "cdn": {key: _cdn(cdn, services) for key, cdn in own.cdn.items()},
        "checks": _checks(own.checks, services),
        "local": own.local.model_copy(
            update={"services": {key: one for key, one in own.local.services.items() if key in services}}
        ),
        "other_distributions": {
            cdn.distribution: other for other in tables if other != name for cdn in tables[other].cdn.values()
        },
    }
    return Configuration(**dict(own) | dict(environment) | values)


def _service(key: str, service: Service, services: dict[str, Service]) -> Service:
    """With its defaults filled in, and without dependencies on services that this environment does not have."""
    return service.model_copy(
        update={
            "container": service.container or key,
            "repository": services[service.image].repository if service.image else service.repository,
            "depends_on": tuple(other for other in service.depends_on if other in services),
        }
    )


def _cdn(cdn: Cdn, services: dict[str, Service]) -> Cdn:
    after = None if cdn.after is None else tuple(other for other in cdn.after if other in services)
    return cdn.model_copy(update={"after": after})


def _checks(checks: Checks, services: dict[str, Service]) -> Checks:
    """With the first service filled in where an endpoint has a version and names none (there is only one then)."""
    endpoints = tuple(
        endpoint.model_copy(update={"service": next(iter(services))})
        if endpoint.version and endpoint.service is None and services
        else endpoint
        for endpoint in checks.endpoints
    )
    return checks.model_copy(update={"endpoints": endpoints})
