"""What commands share on the command line: the options of all of them, durations, names with the nearest known one."""

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

EnvOption = Annotated[str | None, typer.Option("--env", "-e", metavar="NAME", help="The environment to act on.")]
ConfigOption = Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Answer every question with yes.")]
Services = Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="By default all.", show_default=False)]

# What the commands that take a commit share.
Sha = Annotated[str | None, typer.Option("--sha", metavar="COMMIT", help="Instead of HEAD.")]
AllowDirty = Annotated[
    bool, typer.Option("--allow-dirty", help="Take the work tree as it is, uncommitted changes included.")
]
AllowOlder = Annotated[bool, typer.Option("--allow-older", help="Take a commit that does not contain the running one.")]
AllowWithdrawn = Annotated[bool, typer.Option("--allow-withdrawn", help="Take a commit that a rollback has left.")]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Build afresh, with newly pulled base images, what is there already.")
]
ReleaseDeadline = Annotated[
    str, typer.Option("--deadline", metavar="TIME", help="The longest everything after the push may take.")
]

_LONGEST = 100 * 365 * 86400.0  # seconds that anybody may look back

_SHARED: dict[str, tuple[Any, Any]] = {
    "env": (EnvOption, None),
    "config": (ConfigOption, None),
    "json": (JsonOption, False),
    "yes": (YesOption, False),
}


@dataclass(frozen=True)
class GlobalOptions:
    """The options that stand before or after any command."""

    env: str | None = None
    config: str | None = None
    json: bool = False
    yes: bool = False

    def under(self, outer: GlobalOptions) -> GlobalOptions:
        """These, with what only ``outer`` (the options before the command) says."""
        return GlobalOptions(
            self.env or outer.env, self.config or outer.config, self.json or outer.json, self.yes or outer.yes
        )

    @property
    def named(self) -> tuple[str, ...]:
        """``--env`` and ``--config`` as far as they were given: a command to type next must act in the same place."""
        given = (("--env", self.env), ("--config", self.config))
        return tuple(word for option, value in given if value is not None for word in (option, value))


@dataclass(frozen=True)
class Invocation:
    """A parsed command line: which command, the options of all commands, and the command bound to its own options."""

    command: str  # "deploy", "sandbox up"
    options: GlobalOptions
    act: Callable[..., Any]  # takes the Run
    own_format: bool  # stdout carries something other than text for people: that goes to stderr
    stream: bool  # --json prints one document a line (--follow, --watch)
    continues: Command | None  # what to type after an interruption; None: nothing can have been left half done


def command(
    app: typer.Typer, name: str, *, group: str = "", own_format: bool = False, continues: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function on the command line as ``name``, with the shared options.

    Its first parameter is the `Run`; the others are its own arguments and options. Parsing only makes an `Invocation`:
    running it is the caller's, so that errors, signals and the document are handled in one place. ``continues``: typed
    once more after an interruption, it continues what was left half done.
    """
    full_name = f"{group} {name}".strip()

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def parsed(ctx: typer.Context, **values: Any) -> Invocation:
            options = _taken_from(values).under(ctx.obj or GlobalOptions())
            stream = bool(values.get("follow") or values.get("watch"))
            again = _typed_again(full_name, ctx, values) if continues else None
            return Invocation(full_name, options, functools.partial(function, **values), own_format, stream, again)

        _share_options(parsed, function, skip=1)
        app.command(name)(parsed)
        return function

    return register


def callback(app: typer.Typer) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a group of commands take the shared options before its command."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def parsed(ctx: typer.Context, **values: Any) -> None:
            ctx.obj = _taken_from(values).under(ctx.obj or GlobalOptions())
            function(**values)

        _share_options(parsed, function, skip=0)
        app.callback()(parsed)
        return function

    return register


def _typed_again(verb: str, ctx: typer.Context, values: Mapping[str, Any]) -> Command:
    """The command with its own arguments and options as they were given: what continues with the same."""
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
    return GlobalOptions(**{name: values.pop(name) for name in _SHARED})


def _share_options(parsed: Callable[..., Any], function: Callable[..., Any], skip: int) -> None:
    """Give ``parsed`` the signature that Typer reads: the context, ``function``'s own parameters, the shared ones."""
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[skip:]
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("ctx", kind, annotation=typer.Context)]
    parameters += [p.replace(kind=kind, annotation=hints[p.name]) for p in own]
    parameters += [
        inspect.Parameter(name, kind, annotation=annotation, default=default)
        for name, (annotation, default) in _SHARED.items()
    ]
    parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # PEP 362
    parsed.__annotations__ = {p.name: p.annotation for p in parameters}
    parsed.__doc__ = function.__doc__
    parsed.__name__ = function.__name__
    parsed.__module__ = function.__module__


def duration(option: str, text: str) -> float:
    """Seconds that the value of ``option`` stands for. Raises UsageError, with what was expected."""
    from deploykit.config.durations import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} {error}", f"write for example {option} 10m") from None
    if seconds <= 0:
        raise UsageError(f"{option} {text!r} must be more than nothing", f"write for example {option} 10m")
    return seconds


def lookback(option: str, text: str) -> float:
    """Seconds back that the value of ``option`` stands for; days are understood too. Raises UsageError."""
    from deploykit.config.durations import parse_lookback

    example = f"write for example {option} 10m, or {option} 30d"
    try:
        seconds = parse_lookback(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} {error}", example) from None
    if not 0 < seconds <= _LONGEST:
        word = "must be more than nothing" if seconds <= 0 else "is further back than anything here"
        raise UsageError(f"{option} {text!r} {word}", example)
    return seconds


def known(kind: str, names: Sequence[str], among: Iterable[str]) -> tuple[str, ...]:
    """``names``, each once, all of them known. Raises UsageError naming every unknown one and the nearest known."""
    there = list(among)
    unknown = [name for name in dict.fromkeys(names) if name not in there]
    if unknown:
        near = {name: nearest(name, there) for name in unknown}
        said = "; ".join(
            f"no {kind} {name!r}" + (f" (did you mean {meant!r}?)" if meant else "") for name, meant in near.items()
        )
        listed = ", ".join(there) or "none"
        raise UsageError(said, f"this environment's {kind}s: {listed}")
    return tuple(dict.fromkeys(names))
