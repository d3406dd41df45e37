"""An image of this machine's files by ``docker import``: programs, and the libraries they are linked to."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from deploykit.errors import FailedBefore, OutOfReach

_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")

#: Where the dynamic loader looks by default; libraries elsewhere need LD_LIBRARY_PATH.
STANDARD = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


class Closure:
    """The files that become an image.

    Each keeps its path on this machine; files below ``root``, if one is given, are placed as if it were /.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self.files: dict[str, Path] = {}
        self.texts: dict[str, tuple[str, int]] = {}
        self.links: dict[str, str] = {}
        self.folders: dict[str, int] = {"/tmp": 0o1777, "/run": 0o755, "/root": 0o755}  # noqa: S108 (in the image)
        self._linked: set[Path] = set()

    def program(self, path: Path) -> None:
        """Add a program or library and every library it is linked to."""
        self.files[self.inside(path)] = path
        self._libraries_of(path)

    def inside(self, path: Path) -> str:
        """The path in the image of a file of this machine."""
        if self.root and path.is_relative_to(self.root):
            return f"/{path.relative_to(self.root)}"
        return str(path)

    def tree(self, folder: Path, wanted: Callable[[Path], bool]) -> None:
        """Add the files below ``folder`` that ``wanted`` accepts, and what the libraries among them are linked to."""
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or not wanted(path):
                continue
            self.files[self.inside(path)] = path
            if ".so" in path.name:
                self._libraries_of(path)

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        self.texts[path] = (content, mode)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link, unless ``path`` turns out to be ``target`` itself."""
        self.links[path] = target

    def basics(self) -> None:
        """Add what programs expect on any Linux: a shell, DNS lookups, time zones, users."""
        self.program(Path("/bin/sh").resolve())
        self.link("/bin/sh", str(Path("/bin/sh").resolve()))
        for name in ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2", "libgcc_s.so.1"):
            standard = (p for s in STANDARD for p in (*Path(s).glob(name), *Path(s).glob(f"*/{name}")))
            if found := next(standard, None):
                self.program(found)
        zones = Path("/usr/share/zoneinfo")
        self.tree(zones, lambda path: not {"posix", "right"} & set(path.relative_to(zones).parts))
        self.link("/var/run", "/run")
        self.text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        self.text("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")

    def into_image(self, name: str, environment: dict[str, str], command: list[str]) -> None:
        """Create the image ``name``. Raises FailedBefore when ``docker import`` fails."""
        extra = sorted({str(Path(p).parent) for p in self._outside()})
        if extra:
            environment = {**environment, "LD_LIBRARY_PATH": ":".join(extra)}
        changes = [f"ENV {k}={v}" for k, v in environment.items()]
        changes.append("CMD [" + ", ".join(f'"{part}"' for part in command) + "]")
        arguments = ["docker", "import", *(a for c in changes for a in ("--change", c)), "-", name]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 (asked for with PIPE)
        try:
            with process.stdin, tarfile.open(fileobj=process.stdin, mode="w|") as archive:
                self._write(archive)
        except BrokenPipeError:
            pass
        with process.stderr:
            problem = process.stderr.read().decode("utf-8", "replace").strip()
        if process.wait():
            raise FailedBefore(f"cannot create image {name}: {problem}", "check the Docker Engine: `docker info`")

    def _outside(self) -> list[str]:
        libraries = [self.inside(p) for p in self._linked]
        return [p for p in libraries if not any(p.startswith(f"{s}/") and p.count("/") <= 4 for s in STANDARD)]

    def _libraries_of(self, path: Path) -> None:
        if not shutil.which("ldd"):
            problem = "ldd, which finds a program's libraries, is not installed"
            raise OutOfReach(problem, "install libc-bin or glibc-common")
        environment = dict(os.environ)
        if self.root:
            environment["LD_LIBRARY_PATH"] = ":".join(sorted({str(p.parent) for p in self.root.rglob("*.so*")}))
        command = ["ldd", str(path)]
        shown = subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
        for library in map(Path, _LIBRARY.findall(shown)):
            self._linked.add(library)
            self.files[self.inside(library)] = library

    def _write(self, archive: tarfile.TarFile) -> None:
        for link, target in _top_links():
            archive.addfile(_entry(link, tarfile.SYMTYPE, target))
        for folder, mode in self.folders.items():
            archive.addfile(_entry(folder, tarfile.DIRTYPE, mode=mode))
        for path, source in sorted(self.files.items()):
            entry = archive.gettarinfo(str(source.resolve()), arcname=_placed(path).lstrip("/"))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            with source.open("rb") as content:
                archive.addfile(entry, content)
        for path, (text, mode) in self.texts.items():
            entry = _entry(path, tarfile.REGTYPE, mode=mode)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        for path, target in self.links.items():
            if _placed(path) != _placed(target):
                archive.addfile(_entry(_placed(path), tarfile.SYMTYPE, target))


def _top_links() -> list[tuple[str, str]]:
    """The links of a merged /usr (``/bin`` and the like), as this machine has them."""
    return [(name, f"usr{name}") for name in ("/bin", "/sbin", "/lib", "/lib64") if Path(name).is_symlink()]


def _placed(path: str) -> str:
    """Where a file goes in the archive: /usr/bin for a linked /bin, because docker extracts no file through a link."""
    for link, target in _top_links():
        if path.startswith(f"{link}/"):
            return f"/{target}{path[len(link) :]}"
    return path


def _entry(path: str, kind: bytes, target: str = "", mode: int = 0o777) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.linkname, entry.mode = kind, target, mode
    return entry
