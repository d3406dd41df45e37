"""Child processes: their output as it comes, and their end with ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from deploykit.edges.process import Children, Stopped, run
from deploykit.errors import OutOfReach


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def _gone(pid: int) -> bool:
    end = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not _alive(pid)


def test_lines_of_both_outputs_come_in_order_while_the_child_runs() -> None:
    seen: list[str] = []
    done = Children().follow(("sh", "-c", "echo one; echo two >&2; printf three; exit 3"), seen.append)
    assert seen == ["one", "two", "three"]
    assert (done.code, done.output) == (3, "one\ntwo\nthree")


def test_a_short_command_keeps_its_outputs_apart_and_gets_its_input() -> None:
    done = run(("sh", "-c", "cat; echo no >&2; umask"), input="caf\udce9", umask=0o027)
    assert (done.code, done.output, done.errors) == (0, "caf\udce90027\n", "no\n")


def test_a_command_that_hangs_ends_at_its_timeout() -> None:
    assert run(("sleep", "30"), timeout=0.1).code == 124


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(OutOfReach) as caught:
        run(("docker", "version"), env={"PATH": "/nonexistent"})
    assert "docker is not installed" in caught.value.message
    assert "https://docs.docker.com" in caught.value.hint


def test_stopping_ends_the_child_and_what_it_started() -> None:
    children, pids = Children(), []
    script = "sleep 60 & echo $!; echo $$; wait"

    def follow() -> None:
        with pytest.raises(Stopped):
            children.follow(("sh", "-c", script), lambda line: pids.append(int(line)))

    thread = threading.Thread(target=follow)
    thread.start()
    while len(pids) < 2:
        time.sleep(0.01)
    children.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert all(_gone(pid) for pid in pids)


def test_after_a_stop_no_child_begins(tmp_path: Path) -> None:
    children = Children()
    children.stop()
    with pytest.raises(Stopped):
        children.follow(("touch", str(tmp_path / "begun")), print)
    assert not (tmp_path / "begun").exists()


def test_an_error_in_the_listener_leaves_no_child() -> None:
    pids: list[int] = []

    def listen(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Children().follow(("sh", "-c", "echo $$; exec sleep 60"), listen)
    assert _gone(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children of a killed parent on Linux only")
def test_a_killed_deploykit_leaves_no_child() -> None:
    code = """
        from deploykit.edges.process import Children
        Children().follow(("sh", "-c", "echo $$; exec sleep 60"), lambda line: print(line, flush=True))
    """
    with subprocess.Popen((sys.executable, "-c", textwrap.dedent(code)), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
    assert _gone(pid)
