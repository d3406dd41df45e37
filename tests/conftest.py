"""For all tests: the same examples at every run in CI, new ones on a desk; Ctrl-C heard; and the slow ones first."""

from __future__ import annotations

import functools
import os
import signal

import botocore.loaders
import pytest
from hypothesis import settings

# A landing must not hang on luck; new examples are for people, who can look into what they find.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

# A shell's background ignores SIGINT, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Every command makes its clients anew, as in a process of its own; the megabytes that describe AWS's interfaces, which
# botocore would read again each time, are read once.
_read = functools.cache(functools.partial(botocore.loaders.JSONFileLoader.load_file, botocore.loaders.JSONFileLoader()))
botocore.loaders.JSONFileLoader.load_file = lambda _, file_path: _read(file_path)  # type: ignore[assignment,method-assign]  # no cache is offered


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with real containers first: they mostly wait, and a worker left with one of them at the end waits alone."""
    items.sort(key=lambda item: item.get_closest_marker("sandbox") is None)
