"""What was refused, by whom and why: a log beside the releases, one object each, under ``refusals/``."""

from __future__ import annotations

import json
import secrets

from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach, Refused
from deploykit.ledger.codec import SCHEMA
from deploykit.ledger.journal import author, timestamp
from deploykit.ledger.store import Store, release_id
from deploykit.model.hint import shown

_FOLDER = "refusals/"


def log_refusal(store: Store | None, command: str, sha: str | None, refusal: Refused, world: World) -> None:
    """Write it down; a log that cannot be written is a warning, because the refusal itself counts."""
    if store is None:
        return
    by, host, run_url = author(world.environ)
    now = world.clock.now()
    record = {
        "schema": SCHEMA,
        "at": timestamp(now),
        "command": command,
        "sha": sha,
        "by": by,
        "host": host,
        "run_url": run_url,
        "message": shown(refusal.message, ()),
        "hint": shown(refusal.hint, ()),
    }
    name = f"{_FOLDER}{release_id(now, sha or '')}-{secrets.token_hex(4)}.json"
    try:
        store.objects.create(name, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    except (OutOfReach, FailedBefore) as trouble:
        world.progress.warn(f"the refusal could not be logged: {trouble.message}")
