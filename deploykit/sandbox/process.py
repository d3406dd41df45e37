"""The server's process: start it on sockets that are already bound, find it by its command line, stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from deploykit.errors import FailedBefore
from deploykit.model.hint import Hint, command
from deploykit.sandbox.settings import INSTANCE_LABEL, LOOPBACK, Settings

SERVER = Path(__file__).with_name("server")
READY_SECONDS = 30.0
STOP_SECONDS = 4.0
LOG = "server.log"

#: Ports to try first, so that addresses stay the same; any free ports when these are taken.
PREFERRED = (4566, 4567, 4568)


def listeners(preferred: tuple[int, ...] = PREFERRED) -> list[socket.socket]:
    """Three listening sockets on loopback, for the gateway, the edge and the load balancer, in this order."""
    for ports in (preferred, (0, 0, 0)):
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            found = [opened.enter_context(socket.create_server((LOOPBACK, port), backlog=1024)) for port in ports]
            opened.pop_all()
            return found
    raise FailedBefore("no free port on 127.0.0.1", "list the ports in use: `ss -ltn`")


def start(python: Path, settings: Settings, folder: Path, sockets: list[socket.socket], docker_host: str) -> int:
    """Start the server and return its process id at once; ``await_ready`` waits until it answers."""
    path = folder / "settings.json"
    settings.save(path)
    descriptors = [s.fileno() for s in sockets]
    foreign = ("AWS_", "PYTHON", "MINISTACK", "DEPLOYKIT")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    folders = {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3"), "TMPDIR": str(folder)}
    environment |= {"DOCKER_HOST": docker_host, "PYTHONDONTWRITEBYTECODE": "1", **folders}
    command = [str(python), str(SERVER), settings.instance, str(path), *map(str, descriptors)]
    with (folder / LOG).open("ab") as log, Path(os.devnull).open("rb") as nothing:
        streams = enumerate((nothing.fileno(), log.fileno(), log.fileno()))  # stdin, stdout, stderr
        files = [(os.POSIX_SPAWN_DUP2, opened, number) for number, opened in streams]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        # Not Popen: the server outlives this process, and nothing here waits for it.
        return os.posix_spawn(command[0], command, environment, file_actions=files)


def await_ready(pid: int, settings: Settings, folder: Path) -> None:
    """Return when the server answers. Raises FailedBefore, with its last log line, if it ends or after 30 seconds."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if healthy(settings):
            return
        if not _alive(pid):
            break
        time.sleep(0.03)
    log = folder / LOG
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    raise FailedBefore(
        f"the sandbox's server did not start: {words[-1] if words else 'its log is empty'}",
        Hint("start again: ", command("sandbox up")),
    )


def healthy(settings: Settings) -> bool:
    """Whether this sandbox's own server answers on its port."""
    try:
        with urllib.request.urlopen(f"http://{settings.registry}/_deploykit/health", timeout=2) as answer:
            return settings.instance in answer.read().decode()
    except (OSError, ValueError):
        return False


def running(instance: str) -> list[int]:
    """Process ids of this sandbox's servers, by their command line, which also finds unrecorded ones.

    It ignores where deploykit is installed, because deploykit may have been upgraded or moved since the server started.
    """
    program = SERVER.parts[-3:]  # deploykit/sandbox/server
    return [pid for pid, line in _command_lines() if line[2:3] == [instance] and Path(line[1]).parts[-3:] == program]


def stop(instance: str) -> int:
    """Stop this sandbox's servers, with SIGKILL if SIGTERM is not enough; return how many there were.

    First kills docker clients that a killed run left, and that still create one of its containers.
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
    """Whether the process runs. Reaps it if it is a child of this process that ended."""
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
