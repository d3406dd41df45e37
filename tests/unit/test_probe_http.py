"""Endpoints asked over real connections, of servers that behave as badly as servers do."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from deploykit.edges.clock import SystemClock
from deploykit.errors import ConfigError
from deploykit.model.probe import Reading
from deploykit.probes.http import Prober, Question, ask
from deploykit.probes.transport import ConnectTo
from deploykit.probes.trouble import failed
from deploykit.probes.wire import Resolver, Unresolved
from tests.unit.probe_kit import endpoint
from tests.unit.probe_server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def tls_server(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def ask_one(url: str, timeout: float = 5.0, tls: ssl.SSLContext | None = None, **keys: Any) -> Reading:
    (reading,) = ask([Question(endpoint(**keys), url)], timeout=timeout, tls=tls)
    return reading


def kinds(reading: Reading) -> list[tuple[str, str]]:
    return [(failure.expectation, failure.kind) for failure in reading.failures]


def test_a_good_answer_is_read_with_status_latency_version_and_cache(server: Server) -> None:
    reading = ask_one(f"{server.url}/plain", expect={"json": {"status": "ok"}}, version={"json": "version"})
    assert reading.ok
    assert (reading.status, reading.version, reading.cached, reading.prober) == (200, "abc", True, False)
    assert reading.latency is not None
    assert 0 < reading.latency < 1


def test_readings_come_in_the_order_of_the_questions_each_sample_on_a_connection_of_its_own(server: Server) -> None:
    names = ["a", "b", "c"]
    questions = [Question(endpoint(name), f"{server.url}/{name}") for name in names]
    readings = ask(questions, timeout=5, samples=4)
    assert [reading.endpoint for reading in readings] == [name for name in names for _ in range(4)]
    assert all(reading.ok for reading in readings)
    assert server.connections == 12
    assert {headers["Connection"] for _, _, headers, _ in server.seen} == {"close"}


def test_nothing_asked_is_nothing_read() -> None:
    assert ask([], timeout=5) == []


def test_endpoints_are_asked_at_once_so_that_a_round_costs_its_slowest(server: Server) -> None:
    questions = [Question(endpoint(f"e{number}"), f"{server.url}/slow") for number in range(40)]
    began = time.monotonic()
    readings = ask(questions, timeout=5)
    assert all(reading.ok for reading in readings)
    assert time.monotonic() - began < 40 * 0.1 / 2  # one after the other would take 4 s


def test_a_wrong_status_is_reported_whatever_the_body(server: Server) -> None:
    reading = ask_one(f"{server.url}/broken")
    assert (reading.status, kinds(reading)) == (500, [("status", "500")])


@pytest.mark.parametrize("path", ["/drip", "/dripping/headers", "/late"])
def test_a_server_that_drips_or_never_answers_costs_no_more_than_the_timeout(server: Server, path: str) -> None:
    began = time.monotonic()
    reading = ask_one(f"{server.url}{path}", timeout=0.4)
    assert time.monotonic() - began < 2
    assert kinds(reading) == [("response", "timeout")]
    assert not reading.prober
    assert reading.latency is not None
    assert reading.latency >= 0.35


def test_an_endless_body_is_read_to_its_bound_and_fails_only_what_needs_the_rest(server: Server) -> None:
    assert ask_one(f"{server.url}/huge", expect={"contains": "hello"}).ok
    assert kinds(ask_one(f"{server.url}/huge", expect={"contains": "bye"})) == [("contains", "too large")]


def test_a_chunked_body_is_put_together(server: Server) -> None:
    assert ask_one(f"{server.url}/chunked", expect={"contains": "hello world"}).ok


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/deflate/raw"])
def test_a_body_that_was_compressed_unasked_is_decoded(server: Server, path: str) -> None:
    reading = ask_one(f"{server.url}{path}", expect={"json": {"status": "ok"}})
    assert reading.ok, reading.failures
    assert server.seen[0][2]["Accept-Encoding"] == "identity"


def test_a_compressed_body_is_read_to_the_same_bound_as_it_unfolds(server: Server) -> None:
    assert ask_one(f"{server.url}/gzip/bomb", expect={"contains": "hello"}).ok
    assert kinds(ask_one(f"{server.url}/gzip/bomb", expect={"contains": "bye"})) == [("contains", "too large")]


@pytest.mark.parametrize("path", ["/latin", "/html", "/klingon"])
def test_a_body_is_read_in_the_charset_it_names_else_as_utf_8(server: Server, path: str) -> None:
    assert ask_one(f"{server.url}{path}", expect={"contains": "Grüße"}).ok


def test_json_is_read_in_the_charset_it_names(server: Server) -> None:
    assert ask_one(f"{server.url}/latin/json", expect={"json": {"word": "Grüße"}}).ok


def test_informational_answers_before_the_real_one_are_passed_over(server: Server) -> None:
    reading = ask_one(f"{server.url}/early", expect={"json": {"status": "ok"}})
    assert (reading.status, reading.failures) == (200, ())


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/gzip/broken", ("response", "not http")),
        ("/many/headers", ("response", "not http")),
        ("/odd", ("response", "not http")),
        ("/reset", ("response", "reset")),
        ("/short", ("response", "reset")),
        ("/short/chunk", ("response", "reset")),
        ("/babble", ("response", "not http")),
        ("/nowhere", ("redirects", "not http")),
        ("/loop", ("redirects", "loop")),
    ],
)
def test_trouble_after_the_connection_is_told_apart_and_speaks_of_the_endpoint(
    server: Server, path: str, failure: tuple[str, str]
) -> None:
    reading = ask_one(f"{server.url}{path}", follow_redirects=True)
    assert kinds(reading) == [failure]
    assert not reading.prober


def test_a_refused_connection_speaks_of_the_endpoint() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
        reading = ask_one(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert kinds(reading) == [("connect", "refused")]
    assert not reading.prober


def test_a_name_that_does_not_resolve_speaks_of_the_prober() -> None:
    reading = ask_one("http://no-such-host.invalid/", timeout=5)
    assert kinds(reading) == [("connect", "dns")]
    assert reading.prober
    assert reading.status is None


@pytest.mark.parametrize("url", ["http://" + "a" * 70 + ".example/", "http://127.0.0.1:99999/", "http://[::1/"])
def test_an_address_that_cannot_be_asked_is_a_failure_and_no_exception(url: str) -> None:
    assert len(ask_one(url).failures) == 1


def test_no_route_speaks_of_the_prober_and_a_timeout_does_not() -> None:
    failure, prober = failed(OSError(101, "Network is unreachable"), connected=False, timeout=5)
    assert ((failure.expectation, failure.kind), prober) == (("connect", "unreachable"), True)
    failure, prober = failed(TimeoutError("timed out"), connected=False, timeout=5)
    assert ((failure.expectation, failure.kind), prober) == (("connect", "timeout"), False)


def test_a_name_service_that_does_not_answer_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    from deploykit.edges.clock import Deadline

    def silent(*_args: object, **_keys: object) -> list[object]:
        time.sleep(2)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    began = time.monotonic()
    with pytest.raises(Unresolved, match=r"0\.1 s"):
        Resolver().addresses("example.com", 80, Deadline(SystemClock(), 0.1))
    assert time.monotonic() - began < 1


def behind_every_name(monkeypatch: pytest.MonkeyPatch, *addresses: object) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_keys: found)


def test_time_lost_to_a_dead_address_is_not_the_answers_latency(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, socket.socket() as waiting:
        waiting.connect(deaf.getsockname())  # fills the queue: nobody else is answered
        behind_every_name(monkeypatch, deaf.getsockname(), server.server_address)
        began = time.monotonic()
        reading = ask_one("http://shop.example/plain", timeout=2.0)
        took = time.monotonic() - began
    assert reading.ok, reading.failures
    assert reading.latency is not None
    assert took - reading.latency > 0.9  # half of the time was for the first of two addresses


def test_samples_begin_with_one_address_after_the_other(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as other:
        behind_every_name(monkeypatch, server.server_address, other.server_address)
        readings = ask([Question(endpoint(), "http://shop.example/plain")], timeout=5.0, samples=4)
        assert all(reading.ok for reading in readings)
        assert (server.connections, other.connections) == (2, 2)


def test_nothing_is_taken_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert ask_one(f"{server.url}/once", follow_redirects=True).ok
    assert all("Authorization" not in headers for _, _, headers, _ in server.seen)


def test_a_redirect_is_followed_only_when_asked(server: Server) -> None:
    assert kinds(ask_one(f"{server.url}/once")) == [("status", "302")]
    assert ask_one(f"{server.url}/once", follow_redirects=True).ok
    assert [path for _, path, _, _ in server.seen] == ["/once", "/once", "/target"]


def test_where_an_odd_redirect_leads_does_not_matter_until_it_is_followed(server: Server) -> None:
    assert ask_one(f"{server.url}/odd", expect={"status": 302}).ok


def test_a_cookie_set_on_the_way_goes_along_the_redirect_and_to_no_other_probe(server: Server) -> None:
    for _ in range(2):
        assert ask_one(f"{server.url}/login", follow_redirects=True).ok
    assert [headers.get("Cookie") for _, _, headers, _ in server.seen] == [None, "session=abc"] * 2


def test_a_cookie_of_the_endpoints_own_stays_with_its_host(server: Server) -> None:
    headers = {"cookie": "theme=dark"}
    assert ask_one(f"{server.url}/login", follow_redirects=True, headers=headers).ok
    assert ask_one(f"{server.url}/away", follow_redirects=True, headers=headers).ok
    seen = [{name.lower(): value for name, value in headers.items()}.get("cookie") for _, _, headers, _ in server.seen]
    assert seen == ["theme=dark", "session=abc; theme=dark", "theme=dark", None]


def test_a_redirect_to_another_host_does_not_carry_credentials_along(server: Server) -> None:
    headers = {"Authorization": "Bearer secret", "X-Other": "1"}
    assert ask_one(f"{server.url}/away", follow_redirects=True, headers=headers).ok
    (_, _, first, _), (_, path, second, _) = server.seen
    assert (path, first["Authorization"]) == ("/target", "Bearer secret")
    assert "Authorization" not in second
    assert second["X-Other"] == "1"


def test_a_table_is_sent_as_json_and_text_as_it_is(server: Server) -> None:
    assert ask_one(f"{server.url}/post", method="POST", body={"a": ["ü", 1]}).ok
    assert ask_one(f"{server.url}/post", method="PUT", body="plain ü", headers={"content-type": "text/plain"}).ok
    (_, _, table, first), (_, _, text, second) = server.seen
    assert (table["Content-Type"], first.decode()) == ("application/json", '{"a": ["ü", 1]}')
    assert (text["content-type"], second.decode()) == ("text/plain", "plain ü")


def test_head_asks_for_no_body_and_a_body_expectation_then_fails_as_missing(server: Server) -> None:
    assert ask_one(f"{server.url}/plain", method="HEAD", expect={"headers": {"content-type": {"matches": "json"}}}).ok
    assert kinds(ask_one(f"{server.url}/plain", method="HEAD", expect={"contains": "ok"})) == [("contains", "missing")]


def test_letters_beyond_ascii_and_the_query_reach_the_server(server: Server) -> None:
    assert ask_one(f"{server.url}/menü?q=a b&c=%20").ok
    assert [path for _, path, _, _ in server.seen] == ["/men%C3%BC?q=a%20b&c=%20"]


def test_connect_to_changes_where_is_dialled_and_nothing_else(server: Server) -> None:
    prober = Prober("http://shop.example", 5.0, 2, connect_to=server.address)
    readings = prober([endpoint("here"), endpoint("there", path=None, url=f"{server.url}/there")])
    assert all(reading.ok for reading in readings)
    assert len(readings) == 4
    hosts = {path: headers["Host"] for _, path, headers, _ in server.seen}
    assert hosts == {"/here": "shop.example", "/there": server.address}


def test_connect_to_leaves_other_hosts_alone(server: Server) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        prober = Prober("http://shop.example", 5.0, 1, connect_to=dead)
        here, there = prober([endpoint("here"), endpoint("there", path=None, url=f"{server.url}/there")])
    assert kinds(here) == [("connect", "refused")]
    assert there.ok


def test_connect_to_takes_an_ipv6_address_too() -> None:
    assert ConnectTo.parse("https://Shop.example:8443/base", "[::1]:80") == ConnectTo("shop.example", "::1", 80)


def test_connect_to_of_an_address_that_cannot_be_asked_is_a_failure_and_no_exception() -> None:
    (reading,) = Prober("http://shop.example:99999", 5.0, 1, connect_to="127.0.0.1:80")([endpoint()])
    assert kinds(reading) == [("connect", "not http")]


def test_connect_to_knows_a_host_with_letters_beyond_ascii(server: Server) -> None:
    (reading,) = Prober("http://münchen.example", 5.0, 1, connect_to=server.address)([endpoint()])
    assert reading.ok, reading.failures
    assert server.seen[0][2]["Host"] == "xn--mnchen-3ya.example"


def test_a_path_without_a_base_url_is_said_with_its_fix() -> None:
    with pytest.raises(ConfigError, match="'api' has only a path") as caught:
        Prober(None, 5.0, 1)([endpoint()])
    assert "url" in caught.value.hint


def test_connect_to_keeps_sni_and_the_certificates_name(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with serving(tls_server(authority, "shop.example")) as server:
        prober = Prober("https://shop.example", 5.0, 1, connect_to=server.address, tls=trusting)
        (reading,) = prober([endpoint(expect={"certificate_days": 14})])
        assert reading.ok, reading.failures
        assert server.server_names == ["shop.example"]
        assert server.seen[0][2]["Host"] == "shop.example"


def test_a_certificate_that_ends_too_soon_fails_its_days(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    with serving(tls_server(authority, "localhost")) as server:
        prober = Prober("https://localhost", 5.0, 1, connect_to=server.address, tls=trusting)
        (reading,) = prober([endpoint(expect={"certificate_days": 1_000_000})])
        assert kinds(reading) == [("certificate_days", "expires")]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_wrong_name_and_an_unknown_authority_are_refused(
    authority: trustme.CA, trusting: ssl.SSLContext, trusted: bool
) -> None:
    name = "other.example" if trusted else "shop.example"
    with serving(tls_server(authority, name)) as server:
        prober = Prober("https://shop.example", 5.0, 1, connect_to=server.address, tls=trusting if trusted else None)
        (reading,) = prober([endpoint()])
    assert kinds(reading) == [("connect", "tls")]
    assert "certificate refused" in reading.failures[0].message
    assert not reading.prober


def test_http_where_https_is_asked_is_a_tls_failure(server: Server) -> None:
    assert kinds(ask_one(f"https://{server.address}/")) == [("connect", "tls")]


def test_a_handshake_that_never_comes_ends_at_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        reading = ask_one(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.3)
    assert kinds(reading) == [("connect", "timeout")]
    assert time.monotonic() - began < 2


def test_certificates_are_loaded_once_for_the_process() -> None:
    from deploykit.probes.wire import default_tls

    assert default_tls() is default_tls()
    assert default_tls().verify_mode is ssl.CERT_REQUIRED
    assert default_tls().check_hostname


def test_the_first_round_loads_certificates_once_however_many_ask_at_once() -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from deploykit.probes.wire import default_tls\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(len({context for context in pool.map(lambda _: default_tls(), range(8))}))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "1\n"


def test_no_probe_loads_certificates_of_its_own(
    authority: trustme.CA, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    with serving(tls_server(authority, "localhost")) as server:
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_args, **keys: loaded.append(keys))
        assert ask_one(f"https://localhost:{server.port}/plain", tls=trusting, follow_redirects=True).ok
    assert loaded == []
