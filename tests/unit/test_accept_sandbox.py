"""Taking a sandbox away, whoever brought it up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploykit.sandbox import process


def test_a_server_that_another_installation_started_is_found_and_ended(tmp_path: Path) -> None:
    server = tmp_path / "deploykit" / "sandbox" / "server"
    server.mkdir(parents=True)
    (server / "__main__.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n", encoding="utf-8")
    instance = "0acc3b7ed000"
    with subprocess.Popen([sys.executable, str(server), instance], stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == b"up\n"
            assert process.running(instance) == [started.pid]
            assert process.running("0acc3b7ed001") == []
            assert process.stop(instance) == 1
            assert process.running(instance) == []
        finally:
            started.kill()
