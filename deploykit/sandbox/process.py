"""The server's process: started on sockets that are bound already, found again by its command line, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploykit.errors import FailedBefore
from deploykit.model.hint import Command, Hint
from deploykit.sandbox.server.settings import INSTANCE_LABEL, LOOPBACK, Settings

SERVER = Path(__file__).with_name("server")
READY_SECONDS = 30.0
STOP_SECONDS = 4.0
LOG = "server.log"

#: Tried first, so that addresses stay the same from day to day; any free ones when somebody else has them.
PREFERRED = (4566, 4567, 4568)


def listeners(preferred: tuple[int, ...] = PREFERRED) -> list[socket.socket]:
    """Three listening sockets on loopback, for the gateway, the edge and the load balancer, in this order."""
    for ports in (preferred, (0, 0, 0)):
        opened: list[socket.socket] = []
        try:
            for port in ports:
                opened.append(_listen(port))
        except OSError:
            for one in opened:
                one.close()
            continue
        return opened
    raise FailedBefore("No free port on 127.0.0.1.", "See who holds them: ss -ltn")


def _listen(port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((LOOPBACK, port))
        one.listen(1024)
    except OSError:
        one.close()
        raise
    return one


def start(python: Path, settings: Settings, folder: Path, sockets: list[socket.socket], docker_host: str) -> int:
    """Start the server in a session of its own and return its process id; ``await_ready`` says when it serves."""
    path = folder / "settings.json"
    settings.save(path)
    descriptors = [s.fileno() for s in sockets]
    foreign = ("AWS_", "PYTHON", "MINISTACK", "DEPLOYKIT")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    environment |= {"DOCKER_HOST": docker_host, "STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3"),
                    "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    command = [str(python), str(SERVER), settings.instance, str(path), *map(str, descriptors)]
    with (folder / LOG).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        files = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0), (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                 (os.POSIX_SPAWN_DUP2, log.fileno(), 2)]  # fmt: skip
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        # Not Popen: the server outlives this process, and nothing here waits for it.
        return os.posix_spawn(command[0], command, environment, file_actions=files)


def await_ready(pid: int, settings: Settings, folder: Path) -> None:
    """Return when the server answers. Raises FailedBefore with its last words when it ends, or after 30 seconds."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if healthy(settings):
            return
        if not _alive(pid):
            break
        time.sleep(0.03)
    log = folder / LOG
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    down, up = Command("sandbox down", ticks=False), Command("sandbox up", ticks=False)
    raise FailedBefore(
        f"The sandbox's server did not start: {words[-1] if words else 'it said nothing'}",
        Hint("Run '", down, "', then '", up, "' again."),
    )


def healthy(settings: Settings) -> bool:
    """Whether the server of this very sandbox answers on its port."""
    address = f"http://{settings.registry}/_deploykit/health"
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return settings.instance in answer.read().decode()
    except (OSError, urllib.error.URLError, ValueError):
        return False


def running(instance: str) -> list[int]:
    """Process ids of this sandbox's servers, found by their command line: also of one nobody wrote down.

    Wherever the deploykit that started it was installed: it may have been upgraded or moved since.
    """
    program = SERVER.parts[-3:]  # deploykit/sandbox/server
    return [pid for pid, line in _command_lines() if line[2:3] == [instance] and Path(line[1]).parts[-3:] == program]


def stop(instance: str) -> int:
    """End this sandbox's servers, by SIGKILL where SIGTERM does not do; returns how many there were.

    First the docker clients of a killed run that are still making one of its containers.
    """
    kill_naming(f"{INSTANCE_LABEL}={instance}")
    found = running(instance)
    for pid in found:
        _signal(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while any(_alive(pid) for pid in found) and time.monotonic() < end:
        time.sleep(0.02)
    for pid in running(instance):
        _signal(pid, signal.SIGKILL)
    return len(found)


def kill_naming(word: str) -> None:
    """Kill every process that has ``word`` as an argument, except this one."""
    for pid, line in _command_lines():
        if word in line and pid != os.getpid():
            _signal(pid, signal.SIGKILL)


def _signal(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def _alive(pid: int) -> bool:
    """Whether the process runs; a child of ours that ended is reaped on the way."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _command_lines() -> list[tuple[int, list[str]]]:
    proc = Path("/proc")
    if (proc / "self" / "cmdline").exists():
        found = []
        for entry in proc.iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    found.append((int(entry.name), (entry / "cmdline").read_text(errors="replace").split("\0")))
        return found
    listed = subprocess.run(["ps", "-axo", "pid=,args="], capture_output=True, text=True, check=False).stdout
    return [(int(line.split()[0]), line.split()[1:]) for line in listed.splitlines() if line.split()]
