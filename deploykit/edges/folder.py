"""Objects in a folder: for one machine, or a disk that several share."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploykit.edges.objects import Changed, Kept, Missing, Taken
from deploykit.errors import OutOfReach

_LOCK = ".lock"


class FolderObjects:
    """Files under ``folder``, which is made at the first write.

    Comparing and writing happen under a lock of the operating system's, which a killed process does not leave behind;
    a file is replaced by renaming, so that nobody ever reads half of one. The version is the content's hash.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        return str(self.folder)

    def names(self, under: str) -> list[str]:
        with _explained(self.folder, "read"):
            # the last part of ``under`` may be the beginning of a file's name only
            start = self.folder / under.rpartition("/")[0]
            paths = [Path(folder, name) for folder, _, names in os.walk(start, onerror=_not_there) for name in names]
        found = [path.relative_to(self.folder).as_posix() for path in paths if not path.name.startswith(".")]
        return sorted(name for name in found if name.startswith(under))

    def read(self, name: str) -> Kept:
        with _explained(self.folder, "read"):
            try:
                body = (self.folder / name).read_bytes()
            except FileNotFoundError:
                raise Missing(f"{self.folder / name} does not exist") from None
        return Kept(body, _version(body))

    def create(self, name: str, body: bytes) -> str:
        with self._alone():
            if (self.folder / name).exists():
                raise Taken(f"{self.folder / name} exists already")
            self._put(name, body)
        return _version(body)

    def replace(self, name: str, body: bytes, version: str) -> str:
        with self._alone():
            if self.read(name).version != version:
                raise Changed(f"{self.folder / name} was changed by another run")
            self._put(name, body)
        return _version(body)

    def delete(self, name: str, version: str) -> None:
        with self._alone():
            path = self.folder / name
            if not path.exists():
                return
            if self.read(name).version != version:
                raise Changed(f"{path} was changed by another run")
            path.unlink()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with _explained(self.folder, "write"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def _put(self, name: str, body: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _explained(folder: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutOfReach(
            f"cannot {verb} the state folder {folder}: {error.strerror or error}",
            "check `state` in deploykit.toml and the folder's owner and permissions",
        ) from error


def _not_there(error: OSError) -> None:
    """A folder that nobody has made yet is empty; one that cannot be read is not."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _version(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
