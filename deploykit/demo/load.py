"""Users: a process that sends requests to the load balancer at a steady rate, each on a new connection.

``python -m deploykit.demo.load HOST:PORT`` reads a JSON list of paths from each line of stdin and requests these from
then on, until stdin ends. Five times a second it prints one JSON line: ``sent``, ``failed`` and ``words``, up to ten
failures since the previous line.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

RATE = 25.0  # requests a second, whether or not earlier ones have been answered
AT_ONCE = 64
TIMEOUT = 10.0
REPORT_SECONDS = 0.2
GOOD = frozenset({200})


class Users:
    """Requests ``paths`` in turn, and counts each request when it is answered or has failed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.paths: list[str] = []
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._sent = 0
        self._failed = 0
        self._words: list[str] = []

    def ask_for_ever(self) -> None:
        """Send requests at a steady rate until ``ended`` is set, then wait for those in flight."""
        turns = itertools.count()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            due = time.monotonic()
            while not self.ended.wait(max(0.0, due - time.monotonic())):
                if paths := self.paths:
                    pool.submit(self._ask, paths[next(turns) % len(paths)])
                due += 1 / RATE

    def report(self) -> dict[str, object]:
        with self._lock:
            words, self._words = self._words[:10], []
            return {"sent": self._sent, "failed": self._failed, "words": words}

    def _ask(self, path: str) -> None:
        problem = request(self.address, path)
        with self._lock:
            self._sent += 1
            if problem:
                self._failed += 1
                self._words.append(f"{path}: {problem}")


def request(address: str, path: str) -> str:
    """Send one request on a new connection; return what went wrong, empty when nothing did."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return "" if answer.status in GOOD else f"status {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def main(address: str, lists: TextIO, reports: TextIO) -> None:
    users = Users(address)
    asking = threading.Thread(target=users.ask_for_ever)
    asking.start()

    def take_paths() -> None:
        for line in lists:
            users.paths = json.loads(line)
        users.ended.set()

    threading.Thread(target=take_paths, daemon=True).start()
    while True:
        over = not asking.is_alive()
        print(json.dumps(users.report()), file=reports, flush=True)
        if over:
            return
        asking.join(REPORT_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin, sys.stdout)
