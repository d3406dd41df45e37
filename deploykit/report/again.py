"""Commands to type next, with the environment and the file that this command line named.

A hint says ``deploykit rollback``; after ``deploykit deploy --env prod`` that would act on another environment.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

# A command of ours at the beginning of a line, in quotes or after a colon; prose that names the program is left alone.
_COMMAND = re.compile(
    r"(?m)(?P<before>^[ \t]*(?:→ )?|[`']|: )deploykit (?P<verb>(?:(?:sandbox|lock|iam) )?[a-z]+)\b"
    r"(?![^`\n]*--(?:env|config) )"
)
_OF_NO_ENVIRONMENT = {"init", "demo", "schema"}


def asked_again(text: str, env: str | None, config: str | None) -> str:
    """``text`` with ``--env`` and ``--config`` in each command, as far as they were given."""
    options = " ".join(
        f"--{name} {shlex.quote(value)}" for name, value in (("env", env), ("config", config)) if value is not None
    )

    def with_options(found: re.Match[str]) -> str:
        if found["verb"] in _OF_NO_ENVIRONMENT:
            return found[0]
        return f"{found['before']}deploykit {found['verb']} {options}"

    return _COMMAND.sub(with_options, text) if options else text


def hints_again(document: Any, env: str | None, config: str | None) -> Any:
    """``document`` with the options in every ``hint`` and ``message`` of it, however deep."""
    if isinstance(document, Mapping):
        return {
            key: asked_again(value, env, config)
            if key in ("hint", "message") and isinstance(value, str)
            else hints_again(value, env, config)
            for key, value in document.items()
        }
    if isinstance(document, Sequence) and not isinstance(document, str | bytes):
        return [hints_again(value, env, config) for value in document]
    return document
