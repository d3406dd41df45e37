"""What a round of probes costs, as ratios: `python -m tests.benchmarks.bench_probes`.

A server in a process of its own answers each request after 100 ms; printed is what a round takes next to that, and next
to as many requests through http.client alone, which is what requests, redirects and one deadline for everything cost.
Exits 1 where seven probes take longer than the slowest answer and 50 ms, or a thousand longer than 2.5 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from deploykit.config.checks import Endpoint
from deploykit.probes.http import AT_ONCE, Prober

DELAY = 0.1  # seconds
REPEATS = 5
ALLOWED = {7: DELAY + 0.05, 1000: 2.5}  # probes in a round → seconds


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(DELAY)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n" + b'{"status":"ok"}')
    await writer.drain()
    writer.close()


def _serve(pipe: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _seconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _with_http_client(address: str, count: int) -> None:
    def one(_: int) -> int:
        with contextlib.closing(http.client.HTTPConnection(address, timeout=5)) as connection:
            connection.request("GET", "/", headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
            return response.status

    with ThreadPoolExecutor(min(count, AT_ONCE)) as pool:
        statuses = list(pool.map(one, range(count)))
    if set(statuses) != {200}:
        raise SystemExit(f"a probe failed: {set(statuses)}")


def _with_prober(address: str, count: int, samples: int) -> None:
    endpoints = [
        Endpoint.model_validate({"id": f"e{number}", "path": "/", "expect": {"json": {"status": "ok"}}})
        for number in range(count)
    ]
    readings = Prober(f"http://{address}", 5.0, samples)(endpoints)
    bad = [reading for reading in readings if not reading.ok]
    if bad or len(readings) != count * samples:
        raise SystemExit(f"{len(bad)} of {len(readings)} probes failed, the first: {bad[:1]}")


def main() -> int:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    address = f"127.0.0.1:{ours.recv()}"
    missed = False
    print(f"{'probes':>8} {'seconds':>8} {'x slowest answer':>17} {'x http.client':>14} {'x limit':>8}")
    for count, samples in ((7, 1), (7, 3), (1000, 1), (1000, 3)):
        took = _seconds(lambda count=count, samples=samples: _with_prober(address, count, samples))  # type: ignore[misc]
        other = _seconds(lambda probes=count * samples: _with_http_client(address, probes))  # type: ignore[misc]
        limit = ALLOWED.get(count * samples)
        missed = missed or (limit is not None and took > limit)
        share = f"{took / limit:.2f}" if limit else "–"
        print(f"{count * samples:>8} {took:>8.3f} {took / DELAY:>17.2f} {took / other:>14.2f} {share:>8}")
    server.terminate()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
