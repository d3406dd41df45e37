"""Objects in a folder, of one machine or on a disk that several machines share."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from deploykit.edges.objects import AgedObject, AlreadyExists, Conflict, NotFound, StoredObject
from deploykit.errors import OutOfReach

_LOCK = ".lock"


class FolderObjects:
    """Files under ``folder``, which the first write creates. The version of a file is the hash of its content.

    A write compares and replaces under a lock of the operating system, which ends with its process. It replaces the
    file by renaming, so nobody reads half of one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        return str(self.folder)

    def names(self, under: str) -> list[str]:
        with _explained(self.folder, "read"):
            # the last part of ``under`` may be the beginning of a file's name
            start = self.folder / under.rpartition("/")[0]
            paths = [Path(folder, name) for folder, _, names in os.walk(start, onerror=_not_there) for name in names]
        found = [path.relative_to(self.folder).as_posix() for path in paths if not path.name.startswith(".")]
        return sorted(name for name in found if name.startswith(under))

    def versions(self, under: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in self.names(under):
            with contextlib.suppress(NotFound):  # somebody has just deleted it
                found[name] = self.read(name).version
        return found

    def read(self, name: str) -> StoredObject:
        with _explained(self.folder, "read"):
            try:
                body = (self.folder / name).read_bytes()
            except FileNotFoundError:
                raise NotFound(f"{self.folder / name} does not exist") from None
        return StoredObject(body, _version(body))

    def read_aged(self, name: str) -> AgedObject:
        found = self.read(name)
        with _explained(self.folder, "read"):
            try:
                written = (self.folder / name).stat().st_mtime
            except FileNotFoundError:
                raise NotFound(f"{self.folder / name} does not exist") from None
        return AgedObject(found.body, found.version, datetime.fromtimestamp(written, UTC), self._now() - written)

    def create(self, name: str, body: bytes) -> str:
        with self._alone():
            if (self.folder / name).exists():
                raise AlreadyExists(f"{self.folder / name} already exists")
            self._put(name, body)
        return _version(body)

    def replace(self, name: str, body: bytes, version: str) -> str:
        with self._alone():
            self._require(name, version)
            self._put(name, body)
        return _version(body)

    def delete(self, name: str, version: str) -> None:
        with self._alone(), contextlib.suppress(NotFound):
            self._require(name, version)
            (self.folder / name).unlink()

    def _require(self, name: str, version: str) -> None:
        if self.read(name).version != version:
            raise Conflict(f"{self.folder / name} was changed by another run")

    def _now(self) -> float:
        """POSIX seconds by the clock of the disk, which may be another machine's: what a file written now is dated."""
        with _explained(self.folder, "write"), tempfile.NamedTemporaryFile(prefix=".", dir=self.folder) as probe:
            return Path(probe.name).stat().st_mtime

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock; wait while another process holds it."""
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
    """Raises OutOfReach, naming the folder, for an error of the file system."""
    try:
        yield
    except OSError as error:
        raise OutOfReach(
            f"cannot {verb} the state folder {folder}: {error.strerror or error}",
            "check `state` in deploykit.toml and the folder's owner and permissions",
        ) from error


def _not_there(error: OSError) -> None:
    """A folder that does not exist yet is empty; a folder that cannot be read is an error."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _version(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
