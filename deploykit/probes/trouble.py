"""Why a request got no answer: an exception in, its Failure and whether this machine is to blame out."""

from __future__ import annotations

import errno
import http.client
import ssl
from urllib.parse import urljoin

from requests import TooManyRedirects
from urllib3.exceptions import DecodeError, HTTPError

from deploykit.model.probe import Failure
from deploykit.probes.wire import Unresolved

# This machine has no route, or no resources left to connect.
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
    """No address, or neither http nor https."""


def failed(error: Exception, connected: bool, timeout: float) -> tuple[Failure, bool]:
    """The failure that ``error`` means, and True where the prober itself has the trouble.

    ``connected``: the connection had been made; ``timeout``: the request's, in seconds.
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
