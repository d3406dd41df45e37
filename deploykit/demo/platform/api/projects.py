"""The projects in PostgreSQL: the table, created at the first start, and a few connections that are reused."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

CONNECTIONS = 4
TIMEOUT = 3  # seconds for a connection, and for an answer
LOCK = 726153  # any number: the lock that lets one task at a time create the table

FIRST = (
    ("release", "Release train", "Every commit on main reaches users in minutes, and says so itself."),
    ("edge", "Warm edge", "Pages from the cache next door, emptied when something new is out."),
    ("ledger", "Paper trail", "What ran when, who released it, and what proved it good."),
)


class OutOfReach(Exception):
    """PostgreSQL does not answer, or refuses."""


class _Connections:
    """At most CONNECTIONS idle ones, kept for the next request; one that failed is closed and not used again."""

    def __init__(self, connect: Callable[[], pg8000.native.Connection]) -> None:
        self._connect = connect
        self._idle: queue.LifoQueue[pg8000.native.Connection] = queue.LifoQueue(CONNECTIONS)

    @contextmanager
    def one(self) -> Iterator[pg8000.native.Connection]:
        """Raises OutOfReach, also for what fails while the caller uses the connection."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = None
        try:
            connection = connection or self._connect()
            yield connection
        except (DatabaseError, InterfaceError, OSError) as error:
            _close(connection)
            raise OutOfReach(str(error)) from error
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            _close(connection)


def _connect() -> pg8000.native.Connection:
    setting = os.environ
    return pg8000.native.Connection(
        setting["DB_USERNAME"],
        host=setting["DB_HOST"],
        port=int(setting["DB_PORT"]),
        database=setting["DB_NAME"],
        password=setting["DB_PASSWORD"],
        timeout=TIMEOUT,
    )


def _close(connection: pg8000.native.Connection | None) -> None:
    try:
        if connection is not None:
            connection.close()
    except (DatabaseError, InterfaceError, OSError):
        pass  # it is closed because it is broken


_connections = _Connections(_connect)


def prepare() -> None:
    """Create the table and its first rows if they are missing. Raises OutOfReach."""
    with _connections.one() as connection:
        connection.run("select pg_advisory_lock(:key)", key=LOCK)
        connection.run("create table if not exists projects (id text primary key, name text, summary text)")
        for key, name, summary in FIRST:
            connection.run(
                "insert into projects values (:id, :name, :summary) on conflict do nothing",
                id=key,
                name=name,
                summary=summary,
            )
        connection.run("select pg_advisory_unlock(:key)", key=LOCK)


def ping() -> None:
    """Raises OutOfReach unless PostgreSQL answers a query."""
    with _connections.one() as connection:
        connection.run("select 1")


def everything() -> list[dict[str, Any]]:
    """All projects, by id. Raises OutOfReach."""
    with _connections.one() as connection:
        rows = connection.run("select id, name, summary from projects order by id")
    return [dict(zip(("id", "name", "summary"), row, strict=True)) for row in rows or []]
