"""Injected faults, and the log of calls: how tests and the demo control the sandbox.

``PUT /_deploykit/faults`` takes ``{"faults": [{"operation": "ecs:UpdateService", "code": "ThrottlingException",
"times": 2, "status": 400, "delay": 0.5}], "edge": "keep"}`` and replaces all faults set before; ``GET`` shows those
still to come. ``edge: keep`` makes the next invalidation complete without emptying the cache, as when an old task's
response arrives late. ``GET /_deploykit/calls`` lists the operations called; ``DELETE`` empties that list.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import asdict, dataclass, field

from deploykit.sandbox.server.data_plane.cache import EdgeCache

KEPT_CALLS = 10000

#: AWS's messages for the codes used most often.
MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "Throttling": "Rate exceeded",
    "AccessDeniedException": "User: {user} is not authorized to perform: {operation}",
    "AccessDenied": "User: {user} is not authorized to perform: {operation}",
    "ServiceUnavailable": "The service is unavailable.",
}


@dataclass
class Fault:
    """The next ``times`` calls of ``operation`` get an error, or only a late answer (``delay``, seconds)."""

    operation: str
    code: str = ""
    message: str = ""
    status: int = 400
    times: int = 1
    delay: float = 0.0


@dataclass
class Faults:
    """The faults still to inject, and the operations called."""

    cache: EdgeCache
    faults: list[Fault] = field(default_factory=list)
    calls: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, operation: str) -> Fault | None:
        """Log the call; return the fault to inject into it, if any."""
        with self._lock:
            self.calls.append(operation)
            for fault in self.faults:
                if fault.times > 0 and fault.operation == operation:
                    fault.times -= 1
                    return fault
        return None

    def set(self, body: bytes) -> None:
        """Replace the faults with a PUT's ``body``. Raises ValueError or TypeError when it has another form."""
        wanted = json.loads(body or b"{}")
        unknown = set(wanted) - {"faults", "edge"}
        if unknown or wanted.get("edge") not in (None, "keep"):
            raise ValueError(f"unknown: {', '.join(sorted(unknown)) or wanted['edge']}")
        with self._lock:
            self.faults = [Fault(**fault) for fault in wanted.get("faults") or []]
            self.cache.keep_next = 1 if wanted.get("edge") == "keep" else 0

    def show(self) -> bytes:
        with self._lock:
            left = [asdict(f) for f in self.faults if f.times > 0]
        return json.dumps({"faults": left, "edge": "keep" if self.cache.keep_next else None}).encode()


def message(fault: Fault, account: str) -> str:
    """The fault's own message, or AWS's for its code."""
    user = f"arn:aws:iam::{account}:root"
    return fault.message or MESSAGES.get(fault.code, fault.code).format(user=user, operation=fault.operation)
