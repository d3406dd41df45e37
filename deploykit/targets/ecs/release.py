"""The writes to ECS of a release: register a revision, begin its rollout, follow it to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deploykit.edges.aws.ecs import register_definition, tag_definition, update_service
from deploykit.edges.aws.session import Aws
from deploykit.errors import DeploykitError
from deploykit.ledger.journal import Run
from deploykit.model.finding import Finding
from deploykit.model.ledger import UndoRecord
from deploykit.model.observed import Definition, ServiceState
from deploykit.model.plan import Change
from deploykit.model.release import ReleasedService
from deploykit.targets.ecs.definition import registration, same_content
from deploykit.targets.ecs.evidence import finding
from deploykit.targets.ecs.follow import Rollouts
from deploykit.targets.ecs.observe import active_copy
from deploykit.targets.ecs.rollout import EndedRollout, StartedRollout
from deploykit.targets.ecs.state import RolloutState


@dataclass(frozen=True)
class RolledOut:
    """What became of a release's rollouts. ``trouble``: an error of AWS's on the way.

    ``undoing``: an earlier run made them, found ``known`` of them, and had begun to undo them: those ``restored``.
    """

    complete: bool
    started: Mapping[str, StartedRollout] = field(default_factory=dict)
    ended: Mapping[str, EndedRollout] = field(default_factory=dict)
    trouble: DeploykitError | None = None
    undoing: UndoRecord | None = None
    known: tuple[Finding, ...] = ()
    restored: frozenset[str] = frozenset()

    @property
    def superseded(self) -> tuple[str, ...]:
        """The services that somebody else's rollout has taken over."""
        return tuple(key for key, end in self.ended.items() if end.state is RolloutState.SUPERSEDED)

    @property
    def served(self) -> set[str]:
        """The services whose new tasks may have answered requests: all that were begun, unless they crashed first."""
        if self.undoing:
            return self.started.keys() & set(self.undoing.served)
        return {key for key in self.started if key not in self.ended or self.ended[key].served}

    @property
    def why(self) -> str:
        """Why it is not complete, in one clause: the cause where a task told it, else what ECS said, else the error."""
        said = [self.undoing.why] if self.undoing else []
        said += [found.summary for found in self.findings if found.severity == "error"]
        said += [f"{key} {end.state}: {end.reason}" for key, end in self.ended.items() if not end.good]
        said += [self.trouble.message] if self.trouble else []
        return said[0] if said else "the rollout failed"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Why rollouts failed, and which proved nothing."""
        found = [*self.known]
        for key, end in self.ended.items():
            found += [finding(key, end.failure, end.last_words)] if end.failure else []
            found += [_nothing_runs(key)] if end.good and end.desired == 0 else []
        return tuple(found)


def roll_out(run: Run, registered: Mapping[str, Definition] | None = None) -> RolledOut:
    """Begin every change of the plan in its sequence and follow it to its end.

    ``registered``: revisions that a migration has needed already, by service. Raises: DeploykitError only while
    nothing that runs was touched, and no migration was run.
    """
    rollouts = Rollouts(run, run.plan.sequence)
    trouble = None
    try:
        with run.steps.step("rollout"):
            for key in rollouts.due():
                rollouts.start(key, _begin(run, key, registered or {}))
    except DeploykitError as error:
        if not (run.journal.touched or run.journal.migrated):
            raise
        trouble = error
    complete = trouble is None and rollouts.good
    if not complete:
        run.steps.mark("rollout", "failed")
    return RolledOut(complete, rollouts.started, rollouts.ended, trouble)


def register(aws: Aws, change: Change) -> Definition:
    """The revision that a service goes to: registered now, unless it exists already.

    What another run registered for a migration becomes this release's own.
    """
    found = change.to
    if found is None:
        return register_definition(aws, change.registration or {}, change.tags)
    if change.registration is None or change.tags.items() <= found.tags.items():
        return found
    tag_definition(aws, found.arn, change.tags)
    return replace(found, tags={**found.tags, **change.tags})


def registered_again(aws: Aws, definition: Definition) -> Definition:
    """An active revision with the content and tags of a deregistered one: of an earlier run that was killed, or new.

    UpdateService takes no deregistered revision.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister-task-definition-v2.html
    """
    return active_copy(aws, definition) or register_definition(aws, registration(definition), definition.tags)


def taken_up(run: Run) -> RolledOut:
    """The rollouts that an earlier run had begun to undo, as they are now; those that are somebody else's by now."""
    entry, begun, ended, back = run.journal.entry, dict[str, StartedRollout](), dict[str, EndedRollout](), set[str]()
    for key, change in run.plan.changes.items():
        live = run.plan.observed[key].definition
        begun[key] = started(change, live, run.plan.observed[key].state)
        run.journal.began(entry.services[key])
        if live.release != entry.id and change.before and same_content(live, registration(change.before)):
            back.add(key)
        elif live.release != entry.id:
            ended[key] = EndedRollout(begun[key], RolloutState.SUPERSEDED)
    return RolledOut(False, begun, ended, undoing=entry.undo, known=entry.findings, restored=frozenset(back))


def started(change: Change, definition: Definition, state: ServiceState, *, back: bool = False) -> StartedRollout:
    """The rollout that UpdateService has begun, whose answer is ``state``."""
    ours = next((r for r in state.rollouts if r.status == "PRIMARY" and r.task_definition == definition.arn), None)
    return StartedRollout(change.name, ours.id if ours else None, definition, change.container, state, back=back)


def _begin(run: Run, key: str, registered: Mapping[str, Definition]) -> StartedRollout:
    change, observed = run.plan.changes[key], run.plan.observed[key]
    if change.to is not None and change.to.arn == observed.definition.arn:  # begun by the run that this one continues
        definition, state = change.to, observed.state
    else:
        definition = registered.get(key) or register(run.world.aws, change)
        state = update_service(run.world.aws, change.name, definition.arn)
    before = change.before.arn if change.before else None
    run.journal.began(
        ReleasedService(key, change.sha, change.image, change.digest, definition.arn, before, changed=True)
    )
    return started(change, definition, state)


def _nothing_runs(key: str) -> Finding:
    return Finding(
        "nothing-runs",
        "warning",
        "high",
        key,
        f"{key}: its desired count is 0, so its rollout proves nothing",
        hint="set a desired count of at least 1, then deploy again",
    )
