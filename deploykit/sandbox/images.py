"""Images the sandbox needs: a base for applications, a placeholder, PostgreSQL.

They come from a public registry if it can be reached, else from this machine's own files: an application needs only
an interpreter and the libraries that it is linked to.
"""

from __future__ import annotations

import hashlib
import http.client
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploykit.errors import OutOfReach
from deploykit.sandbox import engine, postgres
from deploykit.sandbox.closure import Closure

PYTHON_BASE = "deploykit-sandbox/python:3"
PLACEHOLDER = "deploykit-sandbox/placeholder:1"
POSTGRES = "deploykit-sandbox/postgres:15"
REGISTRY = "registry-1.docker.io"
REACH_SECONDS = 3.0

#: Parts of Python's standard library that no service needs.
LEFT_OUT = frozenset({"test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "pydoc_data"})
Say = Callable[[str], None]


def python_base(say: Say) -> str:
    """The name of an image with ``python3`` on its PATH; pulls or builds it if the engine lacks it.

    For Dockerfiles that take their base as ``ARG BASE``. Raises OutOfReach when it can be neither pulled nor built.
    """
    return _provide(PYTHON_BASE, "python:3-slim", _python_from_host, say)


def postgresql(say: Say) -> str:
    """The name of an image that runs PostgreSQL with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB."""
    return _provide(POSTGRES, "postgres:15-alpine", postgres.from_host, say)


def placeholder(say: Say) -> str:
    """The name of the image that services run until their first release."""
    if engine.has_image(PLACEHOLDER, recipe()):
        return PLACEHOLDER
    base = python_base(say)
    with tempfile.TemporaryDirectory(prefix="deploykit-") as folder:
        shutil.copy(Path(__file__).with_name("placeholder.py"), folder)
        lines = ["COPY placeholder.py /", 'CMD ["python3", "-S", "-E", "/placeholder.py"]']
        _build(PLACEHOLDER, base, lines, Path(folder))
    return PLACEHOLDER


def recipe() -> str:
    """A hash of the sources that build the images: twelve hexadecimal digits."""
    folder = Path(__file__).parent
    sources = ("images.py", "closure.py", "postgres.py", "placeholder.py")
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in sources)).hexdigest()[:12]


def _provide(name: str, public: str, from_host: Callable[[str, Say], None], say: Say) -> str:
    if engine.has_image(name, recipe()):
        return name
    with tempfile.TemporaryDirectory(prefix="deploykit-") as folder:
        if _registry_in_reach():
            say(f"pulling {public}")
            engine.run("pull", "--quiet", public, check=False, seconds=600)
            if engine.has_image(public):
                _build(name, public, [], Path(folder))
                return name
        if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
            raise OutOfReach(
                f"image {public} is needed, and no public registry can be reached",
                f"connect to the network, then run: `docker pull {public}`",
            )
        say(f"building {name} from this machine's own files")
        files = f"{name}-files"
        from_host(files, say)
        _build(name, files, postgres.LINES if name == POSTGRES else [], Path(folder))
        engine.run("image", "rm", files, check=False)
    return name


def _build(name: str, base: str, lines: list[str], folder: Path) -> None:
    """Build an image from ``base`` and a few Dockerfile lines, labelled with the recipe."""
    text = "\n".join([f"FROM {base}", f"LABEL {engine.RECIPE_LABEL}={recipe()}", *lines])
    (folder / "Dockerfile").write_text(text + "\n")
    before = engine.run("image", "ls", "--quiet", "--filter", f"reference={name}").split()
    engine.run("build", "--quiet", "--force-rm", "--tag", name, str(folder))
    if before:  # untagged now, from an older recipe; docker keeps it while a container or image uses it
        engine.run("image", "rm", *before, check=False)


def _registry_in_reach() -> bool:
    try:
        connection = http.client.HTTPSConnection(REGISTRY, timeout=REACH_SECONDS)
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except (OSError, http.client.HTTPException):
        return False


def _python_from_host(name: str, _say: Say) -> None:
    real = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    library = Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix}))
    closure = Closure()
    closure.program(real)
    unwanted = LEFT_OUT | {"site-packages", "dist-packages"}
    closure.tree(library, lambda path: path.suffix != ".a" and not unwanted & set(path.relative_to(library).parts))
    for link in ("python3", "python"):
        closure.link(f"/usr/local/bin/{link}", str(real))
    closure.link("/usr/local/bin/" + real.name, str(real))
    closure.basics()
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
    closure.into_image(name, environment, ["python3"])
