"""Several children at once: all their results, or none of them left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from deploykit.edges.parallel import together
from deploykit.edges.process import Children


def _sleeper(children: Children, pids: list[int], begun: threading.Event) -> int:
    def note(line: str) -> None:
        pids.append(int(line))
        begun.set()

    return children.follow(("sh", "-c", "echo $$; exec sleep 60"), note).code


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() != b""


def test_results_come_by_name_in_the_order_asked_for() -> None:
    work = {name: partial(str.upper, name) for name in ("web", "api")}
    assert together(work, Children()) == {"web": "WEB", "api": "API"}
    assert list(together(work, Children())) == ["web", "api"]
    assert together({}, Children()) == {}


def test_the_first_failure_ends_the_others_and_is_the_one_told() -> None:
    children, begun = Children(), threading.Event()
    pids: list[int] = []

    def fail() -> int:
        begun.wait(10)
        raise ValueError("web failed")

    work: dict[str, Callable[[], int]] = {"api": partial(_sleeper, children, pids, begun), "web": fail}
    began = time.monotonic()
    with pytest.raises(ValueError, match="web failed"):
        together(work, children)
    assert time.monotonic() - began < 10
    assert not _alive(pids[0])


def test_ctrl_c_leaves_no_child() -> None:
    children, begun = Children(), threading.Event()
    pids: list[int] = []

    def press() -> None:
        begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        together({"web": partial(_sleeper, children, pids, begun)}, children)
    presser.join()
    assert not _alive(pids[0])
