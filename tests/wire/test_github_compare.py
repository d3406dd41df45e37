"""GitHub's compare API over real HTTP: every answer, and everything that is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.edges.git import Relation
from deploykit.edges.github import compare, repository_name
from tests.flow.history_kit import TOKEN, GitHub, serving

BASE, HEAD = "a" * 40, "b" * 40


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("status", ["ahead", "behind", "identical", "diverged"])
def test_each_status_is_a_relation(github: GitHub, status: str) -> None:
    github.says(200, {"status": status, "ahead_by": 1, "files": []})
    assert compare(github.environ, None, BASE, HEAD) is Relation(status)


def test_it_is_asked_as_the_documentation_says(github: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    github.says(200, {"status": "ahead"})
    compare(github.environ, None, BASE, HEAD)
    ((path, headers),) = github.asked
    assert path == f"/repos/ann/shop/compare/{BASE}...{HEAD}"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Accept"] == "application/vnd.github+json"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"message": "Not Found", "status": "404"}),
        (401, {"message": "Bad credentials"}),
        (403, {"status": "ahead"}),
        (500, b"oops"),
        (200, b"<html>Sign in</html>"),
        (200, b""),
        (200, b"\xff\xfe{"),
        (200, ["ahead"]),
        (200, {"status": "sideways"}),
        (200, {"status": None}),
        (200, {"status": {}}),
        (200, {"message": "no status"}),
    ],
)
def test_what_is_no_answer_is_none(github: GitHub, status: int, body: object) -> None:
    github.says(status, body)
    assert compare(github.environ, None, BASE, HEAD) is None
    assert len(github.asked) == 1


def test_a_body_that_is_not_what_its_headers_say_is_none(github: GitHub) -> None:
    github.says(200, {"status": "ahead"})
    github.headers = {"Content-Encoding": "gzip"}
    assert compare(github.environ, None, BASE, HEAD) is None


def test_no_network_is_none(github: GitHub) -> None:
    assert compare(github.environ | {"GITHUB_API_URL": "http://127.0.0.1:9"}, None, BASE, HEAD) is None


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[::1", "http://a..b"])
def test_an_address_that_is_none_is_no_error(github: GitHub, url: str) -> None:
    assert compare(github.environ | {"GITHUB_API_URL": url}, None, BASE, HEAD) is None


@pytest.mark.parametrize("token", ["two\nlines", "kľúč"])
def test_a_token_that_no_header_can_carry_is_no_error_and_is_not_told(
    github: GitHub, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(github.environ | {"GITHUB_TOKEN": token}, None, BASE, HEAD) is None
    out = capsys.readouterr()
    assert token not in out.out + out.err


@pytest.mark.parametrize("missing", [{"GITHUB_TOKEN": ""}, {"GITHUB_REPOSITORY": ""}, {"GITHUB_REPOSITORY": "../user"}])
def test_without_a_token_or_a_repository_nobody_is_asked(github: GitHub, missing: dict[str, str]) -> None:
    assert compare(github.environ | missing, "https://gitlab.com/ann/shop", BASE, HEAD) is None
    assert github.asked == []


def test_the_other_names_of_the_token_and_the_repository_will_do(github: GitHub) -> None:
    github.says(200, {"status": "ahead"})
    environ = {"GITHUB_API_URL": f"{github.environ['GITHUB_API_URL']}/api/v3/", "GH_TOKEN": TOKEN}
    assert compare(environ, "git@github.com:ann/shop.git", BASE, HEAD) is Relation.AHEAD
    assert github.asked[0][0].startswith("/api/v3/repos/ann/shop/compare/")
    assert github.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://github.com/ann/shop.git", "ann/shop"),
        ("https://github.com/ann/shop/", "ann/shop"),
        ("https://github.com/ann/shop.site", "ann/shop.site"),
        ("git@github.com:ann/shop.git", "ann/shop"),
        ("github.com:ann/shop", "ann/shop"),
        ("ssh://github.com:22/ann/shop.git", "ann/shop"),
        ("ssh://git@github.com/ann/shop", "ann/shop"),
        ("https://gitlab.com/ann/shop", None),
        ("https://github.com.evil.example/ann/shop", None),
        ("https://evil.example/github.com/ann/shop", None),
        ("/srv/github.com/ann/shop", None),
        (None, None),
    ],
)
def test_the_repository_is_told_by_the_origin(origin: str | None, name: str | None) -> None:
    assert repository_name({}, origin) == name
    assert repository_name({"GITHUB_REPOSITORY": "bob/fork"}, origin) == "bob/fork"
