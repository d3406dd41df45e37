"""One simulated shop for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.migrations import change_schema, migrating_shop
from tests.flow.world import World, shop

PROVING = ("test_content_keys", "test_deploy_", "test_migrations_", "test_plan", "test_preflight", "test_scenarios_")


@pytest.fixture(autouse=True)
def proving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deploy of the scenarios does what `plan` said right before; elsewhere that would only cost time."""
    name = request.module.__name__.rpartition(".")[2]
    monkeypatch.setattr(World, "proving", name.startswith(PROVING))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two services without a circuit breaker; their first release is still to come."""
    with shop(tmp_path / "shop", monkeypatch) as made:
        yield made


@pytest.fixture
def breaker_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two services whose circuit breaker rolls back by itself."""
    with shop(tmp_path / "shop", monkeypatch, breaker=True) as made:
        yield made


@pytest.fixture
def migrating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The shop, whose api migrates a database."""
    with migrating_shop(tmp_path / "shop", monkeypatch) as made:
        yield made


@pytest.fixture
def stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same with ``on_rollback = "stop"``, one release, and another schema for the next."""
    with migrating_shop(tmp_path / "shop", monkeypatch, more=', on_rollback = "stop"') as made:
        made.commit("first")
        assert made.run("deploy").code == 0
        change_schema(made, "2")
        yield made
