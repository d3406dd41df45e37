"""Connections whose waits all end at one deadline, however slowly the other side sends."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import certifi

from deploykit.edges.clock import Deadline

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Address = tuple[socket.AddressFamily, Any]


class Unresolved(OSError):
    """The host's name has no address: DNS refused, did not know it, or did not answer in time."""


def left(deadline: Deadline) -> float:
    """Seconds left of a request. Raises TimeoutError when there are none."""
    if deadline.passed:
        raise TimeoutError(f"no whole answer within {deadline.seconds:g} s")
    return max(deadline.left, 0.001)  # 0 would make a socket non-blocking


@dataclass
class Resolver:
    """The DNS look-ups of one round: each host once, in a thread of its own.

    `socket.getaddrinfo` has no timeout, and can take half a minute on a machine without network.
    """

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answers: dict[tuple[str, int], Future[list[Address]]] = field(default_factory=dict)

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        """The host's addresses in the system's order. Raises Unresolved."""
        with self._lock:
            answer = self._answers.get((host, port))
            if answer is None:
                answer = self._answers[host, port] = Future()
                threading.Thread(target=_resolve, args=(host, port, answer), daemon=True).start()
        try:
            return answer.result(timeout=left(deadline))
        except TimeoutError:
            raise Unresolved(f"DNS did not answer within {deadline.seconds:g} s") from None


def _resolve(host: str, port: int, answer: Future[list[Address]]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: not a host name, such as a label of 64 letters
        answer.set_exception(Unresolved(getattr(error, "strerror", None) or str(error)))
    else:
        answer.set_result([(family, address) for family, _, _, _, address in found])


def dial(addresses: list[Address], turn: int, deadline: Deadline) -> tuple[socket.socket, float]:
    """A connection to one of ``addresses``, and the clock's seconds when it was begun.

    ``turn``: the number of the address to try first, so that samples reach every node behind a name.
    Raises the OSError of the first address that tells something about the other side, else of the first.
    """
    first = turn % len(addresses)
    order = addresses[first:] + addresses[:first]
    errors: list[OSError] = []
    for position, (family, address) in enumerate(order):
        connection, began = socket.socket(family, socket.SOCK_STREAM), deadline.clock.monotonic()
        try:
            # Each gets a share of the time: an address that drops packets must not use up the others'.
            connection.settimeout(left(deadline) / (len(order) - position))
            connection.connect(address)
        except OSError as error:
            connection.close()
            errors.append(error)
        except BaseException:
            connection.close()
            raise
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection, began
    raise next((error for error in errors if isinstance(error, ConnectionError | TimeoutError)), errors[0])


def default_tls() -> ssl.SSLContext:
    """The TLS context of the process: reading the certificates takes 60 ms, too long for every connection.

    It trusts the system's authorities (with ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``) and certifi's, because slim images
    have none.
    """
    with _READING:
        return _read_certificates()


_READING = threading.Lock()  # without it, every thread of the first round would read them


@cache
def _read_certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Wire(io.RawIOBase):
    """A connected socket as urllib3 and http.client use it; ``deadline`` limits every read and write."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: ReadableBuffer) -> None:
        self._connection.settimeout(left(self._deadline))
        self._connection.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A reader of the connection (http.client always asks for "rb")."""
        return io.BufferedReader(self, 64 * 1024)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._connection.settimeout(left(self._deadline))
        return self._connection.recv_into(buffer)

    def settimeout(self, seconds: float | None) -> None:
        """Does nothing: urllib3 would set seconds for each read, but the deadline is for all of them."""

    def close(self) -> None:
        """Leaves the socket open: `http.client` closes it before the body is read; the transport closes it later."""
