"""One run of one command: what was asked, the world it acts in, and how its result is shown.

Every command's file imports this one, and ``--help`` imports them all, so nothing heavy is imported at the top.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from deploykit.cli.options import GlobalOptions, Invocation, known_auth
from deploykit.errors import OutOfReach

if TYPE_CHECKING:
    from deploykit.config.schema import Configuration
    from deploykit.edges.aws.session import Aws, Provider
    from deploykit.edges.clock import Clock
    from deploykit.edges.world import World
    from deploykit.report.terminal import Screen

_DEPLOYING = frozenset(
    ("deploy", "build", "push", "migrate", "rollout", "invalidate", "rollback", "lock hold", "lock release")
)
"""The commands that need the role ``deploy``; ``check`` has its own, and all others only read, as ``plan``."""


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code, its own keys of the JSON document, and the last lines for people.

    ``document`` is None where the command has written its own format to stdout.
    """

    exit_code: int = 0
    document: Mapping[str, Any] | None = field(default_factory=dict)
    lines: Sequence[str] = ()


class Run:
    """What a command function gets. Nothing is loaded, drawn or called before it is needed."""

    def __init__(
        self, invocation: Invocation, clock: Clock, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO
    ) -> None:
        from deploykit.report.github_commands import people_stream
        from deploykit.report.style import Style, wants_colour
        from deploykit.report.width import width_of

        self.invocation = invocation
        self.command = invocation.command
        self.options: GlobalOptions = invocation.options
        self.clock = clock
        self.environ = environ
        self.stdout = stdout
        self.stderr = stderr
        self.began = clock.monotonic()
        self._people = stderr if self.options.json or invocation.own_format else stdout
        self.people = people_stream(self._people, environ, lambda: width_of(self._people, environ))
        self.style = Style(wants_colour(self._people, environ))
        self._screen: Screen | None = None
        self._aws: Aws | None = None
        self._configuration: Configuration | None = None

    @property
    def environment(self) -> str | None:
        """The environment's name, where it is known already."""
        if self._configuration is not None:
            return self._configuration.environment
        return self.options.env or self.environ.get("DEPLOYKIT_ENV") or None

    @property
    def site(self) -> str | None:
        """The URL of the environment's site, where it is known already."""
        return self._configuration.url if self._configuration is not None else None

    @property
    def seconds(self) -> float:
        return self.clock.monotonic() - self.began

    @property
    def screen(self) -> Screen:
        if self._screen is None:
            from deploykit.report.terminal import screen_for

            self._screen = screen_for(self._people, self.environ, self.clock.now)
        return self._screen

    @property
    def asks(self) -> bool:
        """True where there is somebody to ask: a terminal on both sides, and no --yes."""
        there = sys.stdin is not None and sys.stdin.isatty() and self._people.isatty()
        return there and not self.options.yes and not self.environ.get("CI")

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; only where `asks`."""

        def answer() -> str:
            try:
                return sys.stdin.readline()
            except KeyboardInterrupt:  # nothing has begun, so Ctrl-C means no
                self.people.line()
                return "no"

        return self.screen.ask(f"{question} [y/N]", answer)

    def configuration(self) -> Configuration:
        """The configuration of this command's environment. Reading it, once, says where the command acts."""
        if self._configuration is None:
            from deploykit.config import load

            named = Path(self.options.config) if self.options.config else None
            path = load.find(named, self.environ, Path.cwd())
            self._configuration = load.load(path, self.options.env, self.environ)
            name = f"{self._configuration.project.name} {self._configuration.environment}"
            self.say_where(name, self._configuration.account, self._configuration.region)
        return self._configuration

    def say_where(self, name: str, account: str, region: str) -> None:
        """The first line for people: where the command acts."""
        where = "sandbox" if self.environ.get("DEPLOYKIT_SANDBOX") else f"account {account} · {region}"
        self.people.line(self.style.bold(f"{name} · {where}"))

    def world(self, *, account: bool = True) -> World:
        """The world that the command acts in. ``account``: refuse the credentials of any account but the environment's.

        Raises: Refused (wrong account, half of a local platform), OutOfReach (no credentials, no network),
        UsageError (DEPLOYKIT_AUTH).
        """
        from deploykit.edges.aws.session import Aws
        from deploykit.edges.world import World
        from deploykit.preflight.account import refuse_local_ends, verify_account

        configuration = self.configuration()
        if self._aws is None:
            self._aws = Aws(configuration.region, credentials=self._credentials(configuration))
            if account:
                refuse_local_ends(configuration, self._aws)
                verify_account(configuration, self._aws)
        return World(self.clock, self._aws, self.screen, self.environ)

    def world_in(self, region: str) -> World:
        """The world for a command that comes before any configuration, and so has no role.

        Raises: OutOfReach (``--auth oidc``), UsageError (DEPLOYKIT_AUTH).
        """
        from deploykit.edges.aws.session import Aws
        from deploykit.edges.world import World

        if self.auth == "oidc":
            raise OutOfReach(
                f"--auth oidc needs a role, and {self.command} reads no configuration that has one",
                "use --auth env, with the credentials that boto3 finds",
            )
        self._aws = Aws(region)
        return World(self.clock, self._aws, self.screen, self.environ)

    @property
    def auth(self) -> str:
        """``--auth``, else DEPLOYKIT_AUTH, else ``auto``. Raises: UsageError for a word that is none of them."""
        named = self.options.auth or self.environ.get("DEPLOYKIT_AUTH") or "auto"
        return known_auth("DEPLOYKIT_AUTH", named)

    def _credentials(self, configuration: Configuration) -> Provider | None:
        """Where this command's credentials come from; None: where boto3 finds them."""
        from deploykit.edges.aws.web_identity import Wish, long_lived, provider_for

        other = "check" if self.command == "check" else "plan"
        kind = "deploy" if self.command in _DEPLOYING else other
        roles = {str(name): arn for name, arn in configuration.roles.items()}
        wish = Wish(self.auth, kind, configuration.environment, roles, configuration.region)
        if long_lived(wish, self.environ) and not self.environ.get("DEPLOYKIT_SANDBOX"):
            self.screen.warn(
                "AWS_ACCESS_KEY_ID is a long-lived key, although this environment has roles: without it, and with "
                "`permissions: id-token: write`, the job gets short-lived credentials through GitHub's OIDC token"
            )
        return provider_for(wish, self.environ, self.clock, self._mask)

    def _mask(self, secret: str) -> None:
        """Let GitHub's runner hide ``secret`` in the job's log from here on; nothing is written anywhere else.

        It reads these lines from both streams. stdout may be kept in a file or a variable, so they are for stderr.
        https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#masking-a-value-in-a-log
        """
        from deploykit.report.stream import PeopleStream

        if self.environ.get("GITHUB_ACTIONS") == "true":
            for line in filter(None, map(str.strip, secret.splitlines())):
                PeopleStream(self.stderr).line(f"::add-mask::{line.replace('%', '%25')}")

    def emit(self, part: Mapping[str, Any], exit_code: int = 0) -> None:
        """One document of a stream (``--watch``, ``--follow``), on a line of its own."""
        self.stdout.write(self.document(part, exit_code, line=True))
        self.stdout.flush()

    def document(self, part: Mapping[str, Any], exit_code: int, *, line: bool) -> str:
        """The text of a document with ``part``, the command's own keys."""
        from deploykit.report import json as documents
        from deploykit.report.github_commands import disarmed_json, on_github

        calls = self._aws.calls if self._aws is not None else {}
        document = documents.envelope(self.command, self.environment, exit_code, self.seconds, calls) | dict(part)
        text = documents.write(document, self.options.named, line=line)
        return disarmed_json(text) if on_github(self.environ) else text

    def close(self) -> None:
        """Take live lines off the terminal."""
        if self._screen is not None:
            self._screen.close()
