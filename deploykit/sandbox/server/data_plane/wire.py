"""HTTP/1.1 for the load balancer and the edge: small, one message at a time, bodies in memory.

Every user request passes here, so a connection must cost well below a millisecond: MiniStack's gateway costs more.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import h11

from deploykit.sandbox.server.data_plane.messages import Request, Response

CHUNK = 65536
_PROXY = frozenset({"proxy-authenticate", "proxy-authorization"})
HOP_BY_HOP = _PROXY | {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}

Handler = Callable[[Request], Awaitable[Response]]


async def serve(listener: socket.socket, handler: Handler) -> asyncio.Server:
    """Answer every request on ``listener`` with ``handler``; connections stay open as in HTTP/1.1."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = (writer.get_extra_info("peername") or ("",))[0]
        with contextlib.suppress(ConnectionError, h11.RemoteProtocolError, asyncio.IncompleteReadError):
            await _converse(h11.Connection(h11.SERVER), reader, writer, handler, client)
        with contextlib.suppress(Exception):
            writer.close()
            await writer.wait_closed()

    return await asyncio.start_server(connected, sock=listener, backlog=1024)


async def _converse(
    wire: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, client: str
) -> None:
    while True:
        head = await _event(wire, reader)
        if not isinstance(head, h11.Request):
            return
        body = await _body(wire, reader)
        request = Request(
            head.method.decode("ascii"),
            head.target.decode("latin-1"),
            [(k.decode("latin-1"), v.decode("latin-1")) for k, v in head.headers],
            body,
            client,
        )
        response = await handler(request)
        headers = [(k, v) for k, v in response.headers if k.lower() not in HOP_BY_HOP]
        if not any(k.lower() == "content-length" for k, _ in headers) and response.status not in (204, 304):
            headers.append(("Content-Length", str(len(response.body))))
        data = wire.send(h11.Response(status_code=response.status, headers=headers)) or b""
        if request.method != "HEAD" and response.body and response.status not in (204, 304):
            data += wire.send(h11.Data(data=response.body)) or b""
        data += wire.send(h11.EndOfMessage()) or b""
        writer.write(data)
        await writer.drain()
        if wire.our_state is not h11.DONE or wire.their_state is not h11.DONE:
            return
        wire.start_next_cycle()


async def _event(wire: h11.Connection, reader: asyncio.StreamReader) -> object:
    while (event := wire.next_event()) is h11.NEED_DATA:
        wire.receive_data(await reader.read(CHUNK))
    return event


async def _body(wire: h11.Connection, reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while isinstance(event := await _event(wire, reader), h11.Data):
        parts.append(bytes(event.data))
    return b"".join(parts)


async def fetch(host: str, port: int, request: Request, seconds: float) -> Response:
    """Send ``request`` on a new connection and return the complete response.

    Raises OSError when nothing listens there, TimeoutError after ``seconds``, h11.RemoteProtocolError when the response
    is not HTTP or the connection ends in the middle of it.
    """
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            wire = h11.Connection(h11.CLIENT)
            headers = [(k, v) for k, v in request.headers if k.lower() not in HOP_BY_HOP | {"content-length"}]
            if request.body or request.method in ("POST", "PUT", "PATCH"):
                headers.append(("Content-Length", str(len(request.body))))
            headers.append(("Connection", "close"))
            data = wire.send(h11.Request(method=request.method, target=request.target, headers=headers)) or b""
            if request.body:
                data += wire.send(h11.Data(data=request.body)) or b""
            writer.write(data + (wire.send(h11.EndOfMessage()) or b""))
            await writer.drain()
            head = await _event(wire, reader)
            while isinstance(head, h11.InformationalResponse):
                head = await _event(wire, reader)
            if not isinstance(head, h11.Response):
                raise h11.RemoteProtocolError("the connection ended before the response")
            body = await _body(wire, reader)
            plain = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in head.headers.raw_items()]
            return Response(head.status_code, [h for h in plain if h[0].lower() not in HOP_BY_HOP], body)
        finally:
            writer.close()
