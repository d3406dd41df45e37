"""Targets and their health: what DescribeTargetHealth shows, and which targets get requests.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from ministack.services import alb

from deploykit.sandbox.server.data_plane.messages import Request
from deploykit.sandbox.server.data_plane.wire import fetch
from deploykit.sandbox.settings import Settings

Key = tuple[str, str, int]

#: state → (reason code, description), as DescribeTargetHealth words them.
INITIAL = ("Elb.RegistrationInProgress", "Target registration is in progress")
DRAINING = ("Target.DeregistrationInProgress", "Target deregistration is in progress")
TIMEOUT = ("Target.Timeout", "Request timed out")
FAILED = ("Target.FailedHealthChecks", "Health checks failed")
TICK = 0.05


@dataclass
class Target:
    """One registered address; ``due``: when its next check is, on the monotonic clock."""

    group: str
    address: str
    port: int
    state: str = "initial"
    reason: tuple[str, str] = INITIAL
    passed: int = 0
    failed: int = 0
    in_flight: int = 0
    due: float = 0.0


class Targets:
    """The registered targets of every target group; safe to call from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.changed: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._known: dict[Key, Target] = {}

    def register(self, group: str, address: str, port: int) -> None:
        with self._lock:
            found = self._known.get((group, address, port))
            if found is None or found.state == "draining":
                self._known[(group, address, port)] = Target(group, address, port)

    def deregister(self, group: str, address: str, port: int) -> None:
        """Send it no new requests; the target is draining until ``await_drained`` removes it."""
        with self._lock:
            if found := self._known.get((group, address, port)):
                found.state, found.reason = "draining", DRAINING

    def await_drained(self, group: str, address: str, port: int) -> None:
        """Remove the target when it has no request in flight, or after the group's deregistration delay.

        A target with no request in flight is removed at once:
        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
        """
        found = self._known.get((group, address, port))
        end = time.monotonic() + self._deregistration_delay(group)
        while found and found.in_flight and time.monotonic() < end:
            time.sleep(TICK)
        self.remove(group, address, port)

    def remove(self, group: str, address: str, port: int) -> None:
        with self._lock:
            self._known.pop((group, address, port), None)

    def of(self, group: str) -> list[Target]:
        with self._lock:
            return [t for t in self._known.values() if t.group == group]

    def health(self, group: str, address: str, port: int) -> tuple[str, str]:
        """State and reason; ``initial``, ``healthy``, ``unhealthy``, ``draining``, or ``unused`` if not registered."""
        found = self._known.get((group, address, port))
        return (found.state, found.reason[1]) if found else ("unused", "")

    def _deregistration_delay(self, group: str) -> float:
        attributes = alb._tg_attrs.get_scoped(self.settings.account, self.settings.region, group) or []
        found = (a["Value"] for a in attributes if a["Key"] == "deregistration_delay.timeout_seconds")
        return float(next(found, 300))

    async def check_forever(self) -> None:
        """Check every target at its group's interval divided by ``pace``; never returns."""
        under_way: set[asyncio.Task[None]] = set()
        while True:
            now = time.monotonic()
            with self._lock:
                due = [t for t in self._known.values() if t.due <= now and t.state != "draining"]
            for target in due:
                group = alb._tgs.get_scoped(self.settings.account, self.settings.region, target.group) or {}
                target.due = now + float(group.get("HealthCheckIntervalSeconds", 30)) / self.settings.pace
                probe = asyncio.create_task(self._check(target, group))
                under_way.add(probe)
                probe.add_done_callback(under_way.discard)
            await asyncio.sleep(TICK)

    async def _check(self, target: Target, group: dict[str, Any]) -> None:
        port = group.get("HealthCheckPort", "traffic-port")
        timeout = float(group.get("HealthCheckTimeoutSeconds", 5))
        headers = [("Host", f"{target.address}:{target.port}"), ("User-Agent", "ELB-HealthChecker/2.0")]
        request = Request("GET", group.get("HealthCheckPath") or "/", headers)
        try:
            answer = await fetch(target.address, target.port if port == "traffic-port" else int(port), request, timeout)
        except TimeoutError:
            self._note(target, group, False, TIMEOUT)
        except (OSError, h11.ProtocolError):
            self._note(target, group, False, FAILED)
        else:
            codes = str((group.get("Matcher") or {}).get("HttpCode") or "200")
            mismatch = ("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{answer.status}]")
            self._note(target, group, matches(codes, answer.status), mismatch)

    def _note(self, target: Target, group: dict[str, Any], good: bool, reason: tuple[str, str]) -> None:
        with self._lock:
            if target.state == "draining":
                return
            before = target.state
            target.passed, target.failed = (target.passed + 1, 0) if good else (0, target.failed + 1)
            # One passed check makes a new target healthy; the threshold applies to one that was unhealthy.
            needed = 1 if target.state == "initial" else int(group.get("HealthyThresholdCount", 5))
            if good and target.passed >= needed:
                target.state, target.reason = "healthy", ("", "")
            elif not good and target.failed >= int(group.get("UnhealthyThresholdCount", 2)):
                target.state, target.reason = "unhealthy", reason
            changed = target.state != before
        if changed:
            self.changed()


def matches(codes: str, status: int) -> bool:
    """Whether ``status`` is among a matcher's codes: ``200``, ``200,202`` or ``200-399``."""
    for part in codes.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
