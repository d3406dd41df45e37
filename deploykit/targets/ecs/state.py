"""Where a rollout stands, read off ECS's answers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deploykit.model.observed import Rollout, ServiceState

_FEW = 3  # rollouts at once that are looked at as closely as a single one
_MANY_PAUSE = 2.5  # seconds


class RolloutState(StrEnum):
    """How far a rollout is; the last six are ends."""

    WAITING = "waiting"
    STEADY = "steady"  # ECS says COMPLETED; digest and targets are still to be looked at
    COMPLETED = "completed"
    CRASHED = "crashed"  # a crash loop, called by us; ECS still tries
    FAILED = "failed"  # ECS gave up and left it
    ROLLED_BACK = "rolled back"  # ECS gave up and puts the previous revision back itself
    SUPERSEDED = "superseded"  # somebody else began another rollout
    VANISHED = "vanished"  # ECS knows it no more and runs something else
    OVERDUE = "overdue"  # the deadline passed


@dataclass(frozen=True)
class RolloutView:
    """One look at one rollout."""

    state: RolloutState
    reason: str = ""
    rollout: Rollout | None = None


def look(
    state: ServiceState,
    rollout: str | None,
    wanted: str,
    record: str | None = None,
    older: Collection[str] = (),
) -> RolloutView:
    """Judge one DescribeServices answer.

    ``rollout`` is the id that our UpdateService got; None follows whichever rollout runs ``wanted`` (after
    StopServiceDeployment, whose answer names none). ``record`` is the status of our service deployment, where it
    had to be asked for (``needs_record``). ``older``: the ids of the rollouts that ours came after, as long as an
    answer may still be from before it: ECS's answers are eventually consistent.
    """
    primary = state.primary
    ours = state.rollout(rollout) if rollout else _of(state.rollouts, wanted)
    if ours is not None and ours.status == "PRIMARY":
        return _primary(state, ours)
    if ours is not None and ours.state == "FAILED":
        return RolloutView(RolloutState.ROLLED_BACK, ours.reason, ours)
    if record and record.startswith("ROLLBACK"):
        return RolloutView(RolloutState.ROLLED_BACK, f"ECS reports {record}", ours)
    if ours is None and all(listed.id in older for listed in state.rollouts):
        return RolloutView(RolloutState.WAITING, "waiting for ECS to list the rollout")
    if rollout is None:
        return RolloutView(RolloutState.WAITING, "waiting for ECS to restore the revision", ours)
    if primary is not None and primary.task_definition == wanted:
        return _primary(state, primary)  # somebody forced a new rollout of the very same revision
    if ours is not None or record in ("STOPPED", "STOP_REQUESTED", "SUCCESSFUL"):
        other = f"rollout {primary.id} of {primary.task_definition.rsplit('/', 1)[-1]}" if primary else "nothing"
        return RolloutView(RolloutState.SUPERSEDED, f"{other} runs in its place", ours)
    return RolloutView(RolloutState.VANISHED, "ECS no longer lists the rollout", ours)


def needs_record(state: ServiceState, rollout: str | None, wanted: str, older: Collection[str] = ()) -> bool:
    """True where the service's own list cannot tell a rollback by ECS from a rollout by somebody else.

    It need not where ``wanted`` runs all the same, nor while the answer may be from before the rollout.
    """
    if rollout is None or (state.primary is not None and state.primary.task_definition == wanted):
        return False
    ours = state.rollout(rollout)
    if ours is None and all(listed.id in older for listed in state.rollouts):
        return False
    return ours is None or (ours.status != "PRIMARY" and ours.state != "FAILED")


def pause(full: bool, alone: bool, since_begin: float, since_change: float) -> float:
    """Seconds until the next DescribeServices: close where the end is near, slower while nothing can have changed.

    ``full``: all new tasks run; ``alone``: none of another revision does. The first tasks of most rollouts run within
    20 s. Afterwards the end comes soon once the old tasks are gone: what is left is that they have been drained.
    While they run, the new ones' health is still being checked, and draining follows that.
    """
    if since_begin < 20:
        return 1.0
    if full and alone:
        return 1.5 if since_change < 20 else 2.5
    return 2.5 if since_change < 15 else 3.0 if full else 5.0


def together(pauses: Sequence[float]) -> float:
    """Seconds until the next look at several rollouts at once: the shortest pause, but not as close for many.

    Of many services that move in turn one always calls for a close look, which only the last few of them are worth.
    """
    shortest = min(pauses)
    return shortest if len(pauses) <= _FEW else max(shortest, _MANY_PAUSE)


def _primary(state: ServiceState, rollout: Rollout) -> RolloutView:
    if rollout.state == "COMPLETED":
        return RolloutView(RolloutState.STEADY, rollout.reason, rollout)
    if rollout.state == "FAILED":
        return RolloutView(RolloutState.FAILED, rollout.reason, rollout)
    if rollout.state is None and rollout.running == rollout.desired and len(state.rollouts) == 1:
        return RolloutView(RolloutState.STEADY, "", rollout)  # no rolloutState: one rollout with all its tasks
    return RolloutView(RolloutState.WAITING, rollout.reason, rollout)


def _of(rollouts: Sequence[Rollout], task_definition: str) -> Rollout | None:
    found = [rollout for rollout in rollouts if rollout.task_definition == task_definition]
    return next((rollout for rollout in found if rollout.status == "PRIMARY"), None)
