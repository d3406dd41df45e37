"""What to type next, as a value: words and commands, which become text only where they are shown.

A hint says ``deploykit rollback``; after ``deploykit deploy --env prod`` that would act on another environment. So a
command stays a value until the line is rendered, and then gets the options that this command line named.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PROGRAM = "deploykit"
_OF_NO_ENVIRONMENT = {"", "init", "demo", "schema"}  # empty: the program by itself


@dataclass(frozen=True)
class Command:
    """A command of deploykit: its verb (``rollback``, ``sandbox up``) and the words that follow."""

    verb: str
    words: tuple[str, ...] = ()
    ticks: bool = True  # backticks around it: in a sentence, not on a line of its own

    def typed(self, options: Sequence[str] = ()) -> str:
        """The command as one types it; ``options`` (``--env``, ``--config`` and their values) follow the verb."""
        named = () if self.verb in _OF_NO_ENVIRONMENT else options
        return " ".join((PROGRAM, *self.verb.split(), *map(shlex.quote, (*named, *self.words))))

    def text(self, options: Sequence[str] = ()) -> str:
        """The command as it stands in a `Hint`."""
        return f"`{self.typed(options)}`" if self.ticks else self.typed(options)


def command(verb: str, *words: str, ticks: bool = True) -> Command:
    """``command("rollback", "--to", "1a2b3c4")``."""
    return Command(verb, words, ticks)


class Hint(str):
    """A text that knows which of its parts are commands. As a ``str`` it is the text without any options.

    What is made of it by ``str``'s own means (an f-string, ``+``, ``join``) is a ``str``: the commands in it get no
    options. ``Hint(…)`` and `joined` keep them.
    """

    parts: tuple[str | Command, ...]

    __slots__ = ("parts",)

    def __new__(cls, *parts: str | Command) -> Hint:
        flat: list[str | Command] = []
        for part in parts:
            flat += part.parts if isinstance(part, Hint) else [part]
        made = super().__new__(cls, "".join(part.text() if isinstance(part, Command) else part for part in flat))
        made.parts = tuple(flat)
        return made

    def text(self, options: Sequence[str]) -> str:
        """The whole text with ``options`` in every command."""
        return "".join(part.text(options) if isinstance(part, Command) else part for part in self.parts)


def joined(separator: str, texts: Iterable[str]) -> Hint:
    """``separator.join(texts)`` that keeps the commands of every `Hint` among ``texts``."""
    parts = [part for text in texts for part in (separator, text)]
    return Hint(*parts[1:])


def shown(text: str, options: Sequence[str]) -> str:
    """``text`` as people read it: the commands of a `Hint` with ``options``, any other text as it is."""
    return text.text(options) if isinstance(text, Hint) else text
