"""Why a request got no answer: an exception goes in, the Failure and whether it speaks of this machine come out."""

from __future__ import annotations

import errno
import http.client
import ssl
from urllib.parse import urljoin

from requests import TooManyRedirects
from urllib3.exceptions import DecodeError, HTTPError

from deploykit.model.probe import Failure
from deploykit.probes.wire import Unresolved

# No way out of this machine, or nothing left on it to go out with.
_NO_ROUTE = {
    errno.ENETUNREACH: "the network is unreachable",
    errno.ENETDOWN: "the network is down",
    errno.EHOSTUNREACH: "no route to the host",
    errno.EHOSTDOWN: "no route to the host",
    errno.EADDRNOTAVAIL: "this machine has no address to connect from",
    errno.EMFILE: "this process may open no more files",
    errno.ENFILE: "this machine may open no more files",
    errno.ENOBUFS: "this machine has no buffer space left",
    errno.EPERM: "this machine does not permit the connection",
    errno.EACCES: "this machine does not permit the connection",
}


class NotHttp(ValueError):
    """An address that is none, or that is not http or https."""


def failed(error: Exception, connected: bool, timeout: float) -> tuple[Failure, bool]:
    """The failure that ``error`` of a request stands for, and True where it speaks of the prober.

    ``connected``: the other side had taken the connection; ``timeout`` is the request's, in seconds.
    """
    expectation = "response" if connected else "connect"
    if isinstance(error, DecodeError):
        return Failure(expectation, "not http", "body is not what its Content-Encoding says"), False
    while isinstance(error, HTTPError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # urllib3 wraps what the socket and http.client raise
    if isinstance(error, Unresolved):
        return Failure("connect", "dns", f"the host's name could not be resolved: {error}"), True
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure("connect", "tls", f"certificate refused: {error.verify_message}"), False
    if isinstance(error, TimeoutError):
        what = "the whole answer" if connected else "a connection"
        return Failure(expectation, "timeout", f"{what} did not come within {timeout:g} s"), False
    if isinstance(error, ssl.SSLError):
        return Failure(expectation, "tls", f"TLS failed: {error.reason or error}"), False
    if isinstance(error, ConnectionRefusedError):
        return Failure(expectation, "refused", "connection refused"), False
    if isinstance(error, http.client.IncompleteRead):
        return Failure(expectation, "reset", "connection closed before the end of the body"), False
    if isinstance(error, ConnectionError):
        return Failure(expectation, "reset", "connection closed before an answer"), False
    if isinstance(error, TooManyRedirects) and (last := error.response) is not None:
        target = urljoin(last.url, last.headers["Location"])
        return Failure("redirects", "loop", f"more than {len(last.history)} redirects, the last to {target}"), False
    if isinstance(error, NotHttp):
        return Failure("redirects" if connected else "connect", "not http", str(error)), False
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Failure(expectation, "unreachable", _NO_ROUTE[error.errno]), True
    if isinstance(error, http.client.HTTPException | HTTPError | ValueError):
        return Failure(expectation, "not http", f"no HTTP answer: {type(error).__name__}: {error}"), False
    return Failure(expectation, "failed", f"{type(error).__name__}: {error}"), False
