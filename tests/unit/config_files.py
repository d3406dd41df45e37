"""Small configuration files that the tests of the configuration write and read."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploykit.config.load import load
from deploykit.config.schema import Configuration
from deploykit.errors import ConfigError

TEN_LINES = """\
[project]
name = "shop"
region = "eu-central-1"
[environments.prod]
account = "123456789012"
cluster = "shop"
[services.web]
context = "."
repository = "shop/web"
service = "web"
"""


def read(
    folder: Path, text: str, environment: str | None = None, env: Mapping[str, str] | None = None
) -> Configuration:
    """The configuration that ``text`` (indented as the test is) makes."""
    path = folder / "deploykit.toml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return load(path, environment, env or {})


def refused(
    folder: Path, text: str, environment: str | None = None, env: Mapping[str, str] | None = None
) -> ConfigError:
    """The error that reading ``text`` ends with."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environment, env)
    return caught.value


def said(error: ConfigError) -> list[str]:
    """The problems of ``error`` as ``LINE: MESSAGE``."""
    return [f"{problem.line}: {problem.message}" for problem in error.problems]
