"""The annotated example that `init` writes, the README shows and a test loads."""

from __future__ import annotations

from importlib.resources import files


def example_text() -> str:
    """The example configuration: every key, with the optional ones commented out."""
    return files(__package__).joinpath("example.toml").read_text(encoding="utf-8")
