"""What commands share on the command line: their options, durations, and names checked against the known ones."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import typer

from deploykit.config.nearest import nearest
from deploykit.errors import UsageError
from deploykit.model.hint import Command


def _flag(name: str, text: str) -> tuple[Any, Any]:
    return Annotated[bool, typer.Option(name, help=text)], False


def _value(*names: str, metavar: str, text: str, default: str | None = None) -> tuple[Any, Any]:
    return Annotated[str | None, typer.Option(*names, metavar=metavar, help=text)], default


_SHARED: dict[str, tuple[Any, Any]] = {
    "env": _value("--env", "-e", metavar="NAME", text="The environment to act on."),
    "config": _value("--config", "-c", metavar="FILE", text="The configuration file."),
    "json": _flag("--json", "Print one JSON document on stdout."),
    "yes": _flag("--yes", "Answer every question with yes."),
    "auth": _value("--auth", metavar="auto|oidc|env", text="Where AWS credentials come from; auto by default."),
}
"""The options of every command, by the name of the parameter: its annotation and its default."""
_RELEASE: dict[str, tuple[Any, Any]] = {
    "services": (
        Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="By default all.", show_default=False)],
        None,
    ),
    "sha": _value("--sha", metavar="COMMIT", text="Instead of HEAD."),
    "rebuild": _flag("--rebuild", "Build afresh, with newly pulled base images, what is there already."),
    "allow_dirty": _flag("--allow-dirty", "Take the work tree as it is, uncommitted changes included."),
    "allow_older": _flag("--allow-older", "Take a commit that does not contain the running one."),
    "allow_withdrawn": _flag("--allow-withdrawn", "Take a commit that a rollback has left."),
    "no_rollback": _flag("--no-rollback", "Leave a failed release as it is (exit 11)."),
    "deadline": _value(
        "--deadline", metavar="TIME", text="The longest everything after the push may take.", default="30m"
    ),
    "wait": _value("--wait", metavar="TIME", text="Queue so long for another run's deploy lock."),
    "reason": _value("--reason", metavar="TEXT", text="Kept in the ledger."),
}
"""What the commands of a release choose from with ``takes``; they share its words and its defaults."""
RELEASE = tuple(_RELEASE)
STEP = ("services", "sha", "allow_dirty", "allow_older", "allow_withdrawn", "wait", "reason")
AUTHS = ("auto", "oidc", "env")
_LONGEST = 100 * 365 * 86400.0  # seconds: the longest that --since may look back


@dataclass(frozen=True)
class GlobalOptions:
    """The options that stand before or after any command."""

    env: str | None = None
    config: str | None = None
    json: bool = False
    yes: bool = False
    auth: str | None = None

    def under(self, outer: GlobalOptions) -> GlobalOptions:
        """These options; where one is not set, that of ``outer``, the options before the command."""
        return GlobalOptions(
            self.env or outer.env,
            self.config or outer.config,
            self.json or outer.json,
            self.yes or outer.yes,
            self.auth or outer.auth,
        )

    @property
    def named(self) -> tuple[str, ...]:
        """``--env``, ``--config`` and ``--auth`` where they were given, for the commands to type next."""
        given = (("--env", self.env), ("--config", self.config), ("--auth", self.auth))
        return tuple(word for option, value in given if value is not None for word in (option, value))


@dataclass(frozen=True)
class Invocation:
    """A parsed command line: the command's name, the options of every command, and the command with its own options."""

    command: str  # "deploy", "sandbox up"
    options: GlobalOptions
    act: Callable[..., Any]  # takes the Run
    own_format: bool  # stdout carries something other than text for people: that goes to stderr
    stream: bool  # --json prints one document a line (--follow, --watch)
    continues: Command | None  # what to type after an interruption; None: the command leaves nothing unfinished


def command(
    app: typer.Typer,
    name: str,
    *,
    group: str = "",
    takes: Sequence[str] = (),
    own_format: bool = False,
    continues: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function on the command line as ``name``, with the options of every command.

    Its first parameter is the `Run`; then come the release options that it ``takes``, by name, and its own arguments
    and options. Parsing only makes an `Invocation`: the caller runs it, so that errors, signals and the document are
    handled in one place. ``continues``: typed again after an interruption, the command finishes what was left undone.
    """
    full_name = f"{group} {name}".strip()

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def parsed(ctx: typer.Context, **values: Any) -> Invocation:
            options = _taken_from(values).under(ctx.obj or GlobalOptions())
            stream = bool(values.get("follow") or values.get("watch"))
            again = _typed_again(full_name, ctx, values) if continues else None
            return Invocation(full_name, options, functools.partial(function, **values), own_format, stream, again)

        _set_signature(parsed, function, takes, skip=1)
        app.command(name)(parsed)
        return function

    return register


def callback(app: typer.Typer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a group of commands take the shared options before its command."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def parsed(ctx: typer.Context, **values: Any) -> None:
            ctx.obj = _taken_from(values).under(ctx.obj or GlobalOptions())
            function(**values)

        _set_signature(parsed, function, (), skip=0)
        app.callback()(parsed)
        return function

    return register


def _typed_again(verb: str, ctx: typer.Context, values: Mapping[str, Any]) -> Command:
    """The command with its own arguments and options as they were given, to type again after an interruption."""
    words: list[str] = []
    for parameter in ctx.command.params:
        value = values.get(parameter.name or "")
        if value is None or value is False or value == parameter.default:
            continue
        if parameter.param_type_name != "argument":
            words.append(parameter.opts[0])
        words += [] if value is True else [str(each) for each in ([value], value)[isinstance(value, list)]]
    return Command(verb, tuple(words))


def _taken_from(values: dict[str, Any]) -> GlobalOptions:
    options = GlobalOptions(**{name: values.pop(name) for name in _SHARED})
    if options.auth is not None:
        known_auth("--auth", options.auth)
    return options


def known_auth(name: str, value: str) -> str:
    """``value``, which the option or variable ``name`` has. Raises: UsageError where it is none that exists."""
    if value not in AUTHS:
        raise UsageError(f"{name} {value!r} must be one of {', '.join(AUTHS)}", "leave it out for auto")
    return value


def _set_signature(parsed: Callable[..., Any], function: Callable[..., Any], takes: Sequence[str], skip: int) -> None:
    """Give ``parsed`` what Typer reads: the context, the release options, ``function``'s own, those of every command.

    ``skip``: how many parameters ``function`` has before its own; a ``**`` parameter is passed over.
    """
    hints = get_type_hints(function, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(function).parameters.values())[skip:]
    listed = {name: _RELEASE[name] for name in takes} | {
        p.name: (hints[p.name], p.default) for p in own if p.name not in takes and p.kind is not p.VAR_KEYWORD
    }
    listed |= _SHARED
    parameters = [inspect.Parameter("ctx", kind, annotation=typer.Context)]
    parameters += [inspect.Parameter(n, kind, annotation=a, default=default) for n, (a, default) in listed.items()]
    parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # PEP 362
    parsed.__annotations__ = {p.name: p.annotation for p in parameters}
    parsed.__doc__ = function.__doc__
    parsed.__name__ = function.__name__
    parsed.__module__ = function.__module__


def duration(option: str, text: str) -> float:
    """The value of ``option`` in seconds. Raises: UsageError, with an example of what to write."""
    from deploykit.config.durations import parse_duration

    return _seconds(option, text, parse_duration, f"write for example {option} 10m")


def lookback(option: str, text: str) -> float:
    """The value of ``option`` in seconds; it may be in days, too. Raises: UsageError, with an example."""
    from deploykit.config.durations import parse_lookback

    return _seconds(option, text, parse_lookback, f"write for example {option} 10m, or {option} 30d", most=_LONGEST)


def _seconds(option: str, text: str, parse: Callable[[str], float], example: str, most: float = float("inf")) -> float:
    try:
        seconds = parse(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} {error}", example) from None
    if not 0 < seconds <= most:
        said = "must be more than 0" if seconds <= 0 else "must be at most 100 years"
        raise UsageError(f"{option} {text!r} {said}", example)
    return seconds


def known(kind: str, names: Sequence[str], among: Iterable[str]) -> tuple[str, ...]:
    """``names``, each once. Raises: UsageError that lists the names not ``among`` those known, with the nearest one."""
    there = list(among)
    unknown = [name for name in dict.fromkeys(names) if name not in there]
    if unknown:
        meant = [f" (did you mean {near!r}?)" if (near := nearest(name, there)) else "" for name in unknown]
        said = [f"no {kind} {name!r}{question}" for name, question in zip(unknown, meant, strict=True)]
        raise UsageError("; ".join(said), f"this environment's {kind}s: {', '.join(there) or 'none'}")
    return tuple(dict.fromkeys(names))
