"""Which process this is, so that another one on the same machine can tell for certain whether it still runs."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def own_identity() -> str:
    """This process: the machine's boot, the process namespace, process id and start time; empty outside Linux."""
    here = _here()
    return f"{here} {os.getpid()} {_started(os.getpid())}" if here else ""


def is_gone(identity: str) -> bool:
    """True only where that process ran on this machine since it was started, seen from here, and no longer does."""
    *where, pid, started = identity.split() if identity.count(" ") == 3 else ("", "", "")
    if not pid.isdigit() or " ".join(where) != _here():
        return False
    try:
        os.kill(int(pid), 0)  # signal 0 asks only whether it exists
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    now = _started(int(pid))
    return bool(now) and now != started  # another one has its number by now


def _here() -> str:
    """Two words; empty where they cannot be read. A container has a namespace of its own on the same boot."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """In ticks since the boot: field 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; empty unknown.

    The name of the program, in parentheses before it, may have spaces.
    """
    try:
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
