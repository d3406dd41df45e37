"""Faults a test can put in front of (or behind) any call."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulator.errors import AwsError, ConnectionCut

THROTTLES = {"s3": ("SlowDown", 503), "cloudfront": ("Throttling", 400), "elbv2": ("Throttling", 400)}


@dataclass
class Fault:
    """One planned failure: of ``operation``, ``times`` times, after letting ``skip`` calls through."""

    operation: str
    code: str
    message: str
    status: int
    times: int | None
    skip: int = 0
    cut: bool = False
    executed: bool = False
    service: str | None = None
    path: str = ""  # a part of the request's path: of S3, the object's name


@dataclass
class Faults:
    """The failures still to come. ``times=None`` means from now on, always."""

    account: str
    planned: list[Fault] = field(default_factory=list)

    def throttle(self, operation: str, times: int | None = 1, *, skip: int = 0, service: str | None = None) -> Fault:
        """Answer ``operation`` with the service's own throttling error."""
        code, status = THROTTLES.get(service or "", ("ThrottlingException", 400))
        return self._plan(Fault(operation, code, "Rate exceeded", status, times, skip, service=service))

    def deny(
        self, operation: str, times: int | None = None, *, skip: int = 0, service: str = "ecs", path: str = ""
    ) -> Fault:
        """Answer ``operation`` as IAM does when no policy allows it."""
        code = "AccessDenied" if service in ("s3", "cloudfront", "sts", "iam", "elbv2") else "AccessDeniedException"
        action = f"{'elasticloadbalancing' if service == 'elbv2' else service}:{operation}"
        text = (
            f"User: arn:aws:sts::{self.account}:assumed-role/tests/session is not authorized to perform: {action} "
            f"because no identity-based policy allows the {action} action"
        )
        status = 403 if code == "AccessDenied" else 400
        return self._plan(Fault(operation, code, text, status, times, skip, path=path))

    def fail(
        self,
        operation: str,
        code: str = "ServerException",
        message: str = "Service Unavailable. Please try again later.",
        status: int = 500,
        times: int | None = 1,
        *,
        skip: int = 0,
    ) -> Fault:
        """Answer ``operation`` with any other error; 5xx by default."""
        return self._plan(Fault(operation, code, message, status, times, skip))

    def cut(self, operation: str, times: int | None = 1, *, skip: int = 0, executed: bool = True) -> Fault:
        """Close the connection without an answer, after the call was carried out or (``executed=False``) before."""
        return self._plan(Fault(operation, "", "", 0, times, skip, cut=True, executed=executed))

    def clear(self) -> None:
        self.planned.clear()

    def _plan(self, fault: Fault) -> Fault:
        self.planned.append(fault)
        return fault

    def before(self, service: str, operation: str, path: str = "") -> Fault | None:
        """Raise the next failure planned for this call; returns one that is to happen after the call instead."""
        for fault in self.planned:
            if fault.operation != operation or (fault.service or service) != service or fault.times == 0:
                continue
            if fault.path not in path:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            if not fault.cut:
                raise AwsError(fault.code, fault.message, fault.status)
            if not fault.executed:
                raise ConnectionCut
            return fault
        return None
