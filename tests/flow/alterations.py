"""Plans and logs altered by one entry: a comparison that does not notice one of them proves nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.flow.entries import Json, Log, book_keeping, idempotency
from tests.simulator.simulator import Call


def altered_plans(plan: Json) -> Iterator[tuple[str, Json]]:
    """The plan with one entry taken away, or told otherwise; each with what was altered."""

    def changed(*path: str | int, to: Any = None, gone: bool = False) -> tuple[str, Json]:
        other = copy.deepcopy(plan)
        place: Any = other
        for step in path[:-1]:
            place = place[step]
        if gone:
            del place[path[-1]]
        else:
            place[path[-1]] = to
        return f"{'.'.join(map(str, path))} {'gone' if gone else f'= {to!r}'}", other

    for key, service in plan["services"].items():
        yield changed("services", key, "rolls_out", to=not service["rolls_out"])
        if service["rolls_out"]:
            yield changed("services", key, "service", to="another")
            yield changed("services", key, "cluster", to="another")
        if service["registers"]:
            yield changed("services", key, "registers", to=None)
            yield changed("services", key, "registers", to="another")
            for index, item in enumerate(service["diff"]):
                yield changed("services", key, "diff", index, gone=True)
                for side in ("before", "after"):
                    yield changed("services", key, "diff", index, side, to=f"not {item[side]}")
        for index in range(len(service["tags"])):
            yield changed("services", key, "tags", index, gone=True)
            yield changed("services", key, "tags", index, to="another")
    for index, task in enumerate(plan["migrations"]):
        yield changed("migrations", index, "starts", to=not task["starts"])
        if task["starts"]:
            yield changed("migrations", index, gone=True)
            yield changed("migrations", index, "command", to=["another"])
    for index in range(len(plan["order"])):
        yield changed("order", index, gone=True)
    if len(plan["order"]) > 1:
        yield changed("order", to=[*reversed(plan["order"])])
    for index, item in enumerate(plan["invalidations"]):
        yield changed("invalidations", index, gone=True)
        yield changed("invalidations", index, "distribution", to="another")
        yield changed("invalidations", index, "paths", to=[*item["paths"], "/another"])


def altered_logs(log: Log) -> Iterator[tuple[str, Log]]:
    """The log with one request missing, sent twice, or sent for something else; each with what was altered."""
    for index, call in enumerate(log.calls):
        same = [other for other in log.calls if idempotency(call) == idempotency(other) != ""]
        if book_keeping(call) or len(same) > 1:  # it was sent once more, which changes nothing
            continue
        before, after = log.calls[:index], log.calls[index + 1 :]
        yield f"{call.operation} missing", replace(log, calls=(*before, *after))
        if not idempotency(call):
            yield f"{call.operation} twice", replace(log, calls=(*before, call, call, *after))
        yield f"{call.operation} of another", replace(log, calls=(*before, _of_another(call), *after))


def _of_another(call: Call) -> Call:
    for name in ("service", "family", "imageTag", "cluster"):
        if name in call.params:
            return replace(call, params={**call.params, name: f"another-{call.params[name]}"})
    return replace(call, params={**call.params, "path": call.params["path"].replace("/invalidation", "2/invalidation")})
