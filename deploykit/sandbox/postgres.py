"""PostgreSQL: an image built from this machine's own binaries, and the container of one sandbox.

The image reads the same variables as the official one (POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploykit.errors import OutOfReach
from deploykit.model.hint import Hint, command
from deploykit.sandbox import engine
from deploykit.sandbox.closure import Closure
from deploykit.sandbox.settings import INSTANCE_LABEL

PORT = 5432
USER = "app"
READY_SECONDS = 30.0
DATA = "/var/lib/postgresql/data"
NEEDED = ("postgres", "initdb", "psql")
TEMPLATES = (".bki", ".sql", ".sample", ".txt", ".stop", ".control", "")  # suffixes of what initdb reads

#: The image contains an initialized database cluster: a start takes half a second instead of two.
LINES = ["USER postgres", "RUN /deploykit/initdb", 'CMD ["/deploykit/start"]']

_INITDB = f"""#!/bin/sh
set -e
export PGDATA={DATA}
initdb --username=postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-locale --no-sync
echo "host all all all scram-sha-256" >> {DATA}/pg_hba.conf
"""

_START = f"""#!/bin/sh
set -e
printf '%s\\n' "CREATE ROLE \\"$POSTGRES_USER\\" LOGIN SUPERUSER PASSWORD '$POSTGRES_PASSWORD'" \\
  "CREATE DATABASE \\"$POSTGRES_DB\\" OWNER \\"$POSTGRES_USER\\"" \
  | postgres --single -c fsync=off -D {DATA} postgres >/dev/null 2>&1
exec postgres -D {DATA} -c "listen_addresses=*" -c fsync=off -c log_checkpoints=off
"""


def name(instance: str) -> str:
    return f"deploykit-{instance}-postgres"


def start(image: str, instance: str, database: str, password: str) -> None:
    """Start the sandbox's database and return at once. No command line shows the password."""
    with tempfile.NamedTemporaryFile("w", prefix="deploykit-", suffix=".env") as variables:
        variables.write(f"POSTGRES_USER={USER}\nPOSTGRES_PASSWORD={password}\nPOSTGRES_DB={database}\n")
        variables.flush()
        marked = ("--name", name(instance), "--label", f"{INSTANCE_LABEL}={instance}")
        inside = ("--env-file", variables.name, "--tmpfs", "/run/postgresql:mode=1777")
        engine.run("run", "--detach", *marked, *inside, image)


def await_ready(instance: str, database: str, password: str) -> str:
    """Wait until ``select 1`` over TCP succeeds; return the database's address on Docker's bridge.

    Raises OutOfReach, with the last line of its log, when the container ends or after 30 seconds.
    """
    end = time.monotonic() + READY_SECONDS
    psql = ("psql", "--host=127.0.0.1", f"--username={USER}", f"--dbname={database}", "--command=select 1", "--quiet")
    while time.monotonic() < end:
        environment = {**os.environ, "PGPASSWORD": password}
        query = ["docker", "exec", "--env", "PGPASSWORD", name(instance), *psql]
        done = subprocess.run(query, capture_output=True, check=False, env=environment)
        now = engine.inspect(name(instance))
        if done.returncode == 0:
            return str((now.get("NetworkSettings") or {}).get("IPAddress") or "")
        if not (now.get("State") or {}).get("Running"):
            break
        time.sleep(0.1)
    last = engine.run("logs", "--tail", "1", name(instance), check=False).strip()
    raise OutOfReach(f"PostgreSQL did not become ready: {last}", Hint("start again: ", command("sandbox up")))


def from_host(image: str, say: Callable[[str], None]) -> None:
    """Build the image from this machine's PostgreSQL, or from Debian's packages, unpacked but not installed.

    Raises OutOfReach when neither is available.
    """
    binaries = _installed()
    if binaries:
        _make(image, binaries, None)
        return
    if not shutil.which("apt-get"):
        raise OutOfReach(
            "the sandbox's database needs PostgreSQL: it is not installed, and no public registry can be reached",
            "install PostgreSQL's server, or connect to the network and run: `docker pull postgres:15-alpine`",
        )
    say("downloading PostgreSQL's packages")
    with tempfile.TemporaryDirectory(prefix="deploykit-") as folder:
        _make(image, _unpacked(Path(folder)), Path(folder) / "root")


def _installed() -> Path | None:
    places = sorted((*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")), reverse=True)
    if server := shutil.which("postgres"):
        places.append(Path(server).resolve().parent)
    return next((p for p in places if all((p / n).exists() for n in NEEDED)), None)


def _unpacked(folder: Path) -> Path:
    archives, root = folder / "archives", folder / "root"
    (archives / "partial").mkdir(parents=True)
    options = ("--quiet", "--yes", "--download-only", "--no-install-recommends")
    fetch = ["apt-get", "install", *options, "-o", f"Dir::Cache::archives={archives}", "postgresql"]
    done = subprocess.run(fetch, capture_output=True, text=True, check=False)
    if done.returncode:  # a fresh image has no package lists yet
        subprocess.run(["apt-get", "update", "--quiet"], capture_output=True, check=False)
        done = subprocess.run(fetch, capture_output=True, text=True, check=False)
    if done.returncode:
        problem = (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
        raise OutOfReach(f"cannot download PostgreSQL's packages: {problem}", "check apt: `apt-get update`")
    for package in archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], capture_output=True, check=True)
    return next((root / "usr/lib/postgresql").glob("*/bin"))


def _make(image: str, binaries: Path, root: Path | None) -> None:
    closure = Closure(root)
    for program in NEEDED:
        closure.program(binaries / program)
    library, share = binaries.parent / "lib", _share(binaries)
    closure.tree(library, lambda p: p.suffix == ".so" and "llvm" not in p.name and "bitcode" not in p.parts)
    closure.tree(share, lambda p: p.suffix in TEMPLATES and "man" not in p.relative_to(share).parts)
    closure.basics()
    closure.text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n")
    closure.text("/etc/group", "root:x:0:\npostgres:x:999:\n")
    closure.text("/deploykit/initdb", _INITDB, 0o755)
    closure.text("/deploykit/start", _START, 0o755)
    for tool in ("cat", "mkdir", "chown", "printf"):
        if found := shutil.which(tool):
            closure.program(Path(found).resolve())
            closure.link(f"/usr/bin/{tool}", str(Path(found).resolve()))
    closure.folders.update({"/run/postgresql": 0o1777, "/var/lib/postgresql": 0o1777})
    inside = closure.inside(binaries)
    closure.into_image(image, {"PATH": f"{inside}:/usr/bin:/bin", "PGDATA": DATA}, ["/deploykit/start"])


def _share(binaries: Path) -> Path:
    """Where initdb looks for its templates: relative to the binaries, and therefore the same in the image."""
    text = str(binaries)
    if "/lib/postgresql/" in text:
        return Path(text.replace("/lib/postgresql/", "/share/postgresql/")).parent
    return binaries.parent / "share"
