"""The export of a commit: what a fresh clone would have."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from deploykit.edges.git import Repository
from deploykit.edges.git_export import export_commit
from deploykit.errors import FailedBefore
from tests.unit.git_kit import commit, git, write


def _export(repository: Path, paths: list[str], revision: str = "HEAD") -> Path:
    found = Repository.find(repository)
    destination = repository.parent / "exported"
    destination.mkdir()
    export_commit(found, found.resolve(revision).sha, paths, destination)
    return destination


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_what_is_committed_is_exported_and_nothing_else(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    commit(repo, {".gitignore": ".env\n", "app/a": "committed", "app/run.sh": "#!/bin/sh\n", "other/b": "1"})
    write(repo, {"app/a": "half-finished", "app/.env": "secret", "app/new": "1"})
    git(repo, "add", "app/new")
    exported = _export(repo, ["app"])
    assert _files(exported) == {"app/a": b"committed", "app/run.sh": b"#!/bin/sh\n"}
    assert (repo / "app/a").read_text() == "half-finished"
    assert git(repo, "status", "--porcelain") == "M app/a\nA  app/new"


def test_the_export_is_byte_for_byte_a_fresh_clone(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    attributes = "*.bat eol=crlf\n*.txt text\napp/skip export-ignore\napp/stamp export-subst\n"
    files = {"app/a.bat": "one\ntwo\n", "app/a.txt": "one\r\ntwo\r\n", "app/skip": "1", "app/stamp": "$Format:%H$\n"}
    commit(repo, {".gitattributes": attributes, **files, "app/-first é": "1", "app/deep/.gitattributes": "* text\n"})
    write(repo, {".gitattributes": "* -text\n"})  # not committed, so without a say
    git(repo, "config", "core.autocrlf", "true")
    exported = _export(repo, [""])
    git(tmp_path, "clone", "--quiet", str(repo), "clone")
    cloned = {name: text for name, text in _files(tmp_path / "clone").items() if not name.startswith(".git/")}
    assert _files(exported) == cloned
    assert cloned["app/a.bat"] == b"one\r\ntwo\r\n"


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    commit(repo, {"app/a": "1", "app/run.sh": "#!/bin/sh\n"})
    old = os.umask(0o077)
    try:
        exported = _export(repo, ["app"])
    finally:
        os.umask(old)
    modes = {name: (exported / name).stat().st_mode & 0o777 for name in ("app", "app/a", "app/run.sh")}
    assert modes == {"app": 0o755, "app/a": 0o644, "app/run.sh": 0o755}


def test_links_stay_links(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    commit(repo, {"app/a": "1"})
    (repo / "app/link").symlink_to("../elsewhere")
    commit(repo, {})
    assert (_export(repo, ["app"]) / "app/link").readlink() == Path("../elsewhere")


def test_an_older_commit_is_exported_as_it_was(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    first = commit(repo, {"app/a": "1"})
    commit(repo, {"app/a": "2"})
    assert _files(_export(repo, ["app"], first)) == {"app/a": b"1"}


def _with_submodules(tmp_path: Path) -> Path:
    commit(tmp_path / "inner", {"deep.txt": "inner"})
    commit(tmp_path / "library", {"lib.txt": "library"})
    local = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(tmp_path / "library", *local, str(tmp_path / "inner"), "inner")
    commit(tmp_path / "library", {})
    commit(tmp_path / "repo", {"app/a": "1"})
    git(tmp_path / "repo", *local, "--name", "lib", str(tmp_path / "library"), "app/vendor")
    git(tmp_path / "repo", "-c", "protocol.file.allow=always", "submodule", "update", "--init", "--recursive")
    commit(tmp_path / "repo", {})
    return tmp_path / "repo"


def test_submodules_are_included_with_their_own(tmp_path: Path) -> None:
    repo = _with_submodules(tmp_path)
    write(repo, {"app/vendor/lib.txt": "changed and not committed"})
    files = _files(_export(repo, ["app"]))
    assert files["app/vendor/lib.txt"] == b"library"
    assert files["app/vendor/inner/deep.txt"] == b"inner"


def test_a_folder_inside_a_submodule_is_exported_alone(tmp_path: Path) -> None:
    files = _files(_export(_with_submodules(tmp_path), ["app/vendor/inner"]))
    assert files == {"app/vendor/inner/deep.txt": b"inner"}


def test_a_submodule_that_is_not_here_is_refused_by_name(tmp_path: Path) -> None:
    _with_submodules(tmp_path)
    git(tmp_path, "clone", "--quiet", "repo", "clone")
    with pytest.raises(FailedBefore) as caught:
        _export(tmp_path / "clone", ["app"])
    assert "submodule app/vendor" in caught.value.message
    assert caught.value.hint == "run `git submodule update --init --recursive`"


def test_a_submodule_beside_the_context_does_not_matter(tmp_path: Path) -> None:
    _with_submodules(tmp_path)
    commit(tmp_path / "repo", {"other/b": "1"})
    git(tmp_path, "clone", "--quiet", "repo", "clone")
    assert _files(_export(tmp_path / "clone", ["other"])) == {"other/b": b"1"}


CONTENT = b"\x89PNG, a large picture"
OID = hashlib.sha256(CONTENT).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {len(CONTENT)}\n"


def _with_lfs(tmp_path: Path) -> Path:
    repo = tmp_path / "repo"
    files = {"app/logo.png": POINTER, "app/a.txt": POINTER}
    commit(repo, {".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n", **files})
    return repo


def test_git_lfs_files_come_with_their_content(tmp_path: Path) -> None:
    repo = _with_lfs(tmp_path)
    write(repo, {f".git/lfs/objects/{OID[:2]}/{OID[2:4]}/{OID}": CONTENT})
    files = _files(_export(repo, ["app"]))
    assert files["app/logo.png"] == CONTENT
    assert files["app/a.txt"] == POINTER.encode()  # not managed by LFS: a clone has the text


@pytest.mark.parametrize("stored", [None, b"damaged"])
def test_git_lfs_files_whose_content_is_not_here_are_refused_by_name(tmp_path: Path, stored: bytes | None) -> None:
    repo = _with_lfs(tmp_path)
    if stored is not None:
        write(repo, {f".git/lfs/objects/{OID[:2]}/{OID[2:4]}/{OID}": stored})
    with pytest.raises(FailedBefore) as caught:
        _export(repo, ["app"])
    assert "app/logo.png" in caught.value.message
    assert "app/a.txt" not in caught.value.message
    assert "git lfs pull" in caught.value.hint
