"""What `plan --json` said against the log of changing requests of the `deploy` after it: the same, entry by entry.

Both sides become a list of entries in the order in which they are to happen. A release that goes well has carried out
all of what was announced; one that ends otherwise the beginning of it, up to the first request of its undo.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.flow.alterations import altered_logs, altered_plans
from tests.flow.entries import Entry, Json, Log, announced, carried_out, parted
from tests.simulator.simulator import Call, Simulator

READING = ("Describe", "List", "Get", "BatchGet", "Head", "Filter", "Assume")


@dataclass
class Recorder:
    """Keeps a log from its making on."""

    sim: Simulator
    _running: dict[tuple[str, str], tuple[int, Json]] = field(init=False)
    _images: frozenset[str] = field(init=False)
    _since: int = field(init=False)

    def __post_init__(self) -> None:
        services = self.sim.state.services
        self._running = {key: (s.definition.revision, s.definition.body) for key, s in services.items()}
        places = self.sim.ecr.repositories.values()
        self._images = frozenset(image.digest for place in places for image in place.images)
        self._since = len(self.sim.calls)

    def log(self) -> Log:
        calls = tuple(call for call in self.sim.calls[self._since :] if self._changed(call))
        return Log(calls, self._running, self._images)

    def _changed(self, call: Call) -> bool:
        """AWS carried it out: it was not refused, and where a task was asked for there was room for one."""
        started = (
            call.operation != "RunTask" or (call.params["cluster"], call.params["clientToken"]) in self.sim.ecs._tokens
        )
        return not call.operation.startswith(READING) and call.error is None and started


@dataclass(frozen=True)
class Proof:
    """A plan, and the deploy right after it: exit codes, documents and the log."""

    plan_code: int
    plan: Json
    log: Log
    code: int
    document: Json

    def contradictions(self) -> list[str]:
        """Where what was done is not what was said."""
        if self.plan_code != 0:  # it could not look
            same = [f"plan ended {self.plan_code}, and deploy {self.code}"] if self.plan_code != self.code else []
            return [*same, *(f"not announced: {entry}" for entry in carried_out(self.log))]
        said, was = announced(self.plan), carried_out(self.log)
        if self.code == 0 and said != was:
            return [f"said {said}", f"did {was}"]
        if not _begins(said, was):
            return [f"said {said}", f"did, and then failed, {was}"]
        return self._of_refusals() + self._of_outcome()

    def unnoticed(self) -> list[str]:
        """The alterations by one entry, of the plan or of the log, that this comparison would not notice."""
        if self.plan_code != 0 or self.code != 0:
            return []
        said, was = announced(self.plan), carried_out(self.log)
        plans = [what for what, plan in altered_plans(self.plan) if announced(plan) == was]
        return plans + [what for what, log in altered_logs(self.log) if carried_out(log) == said]

    def _of_refusals(self) -> list[str]:
        """What deploy refused is what the plan listed first."""
        refused, listed = self.code in (4, 5), self.plan["refusals"]
        if not refused:
            return [f"deploy did not refuse: {text}" for text in listed] if self.code != 3 else []
        if any(service["action"] == "build" for service in self.plan["services"].values()) and not listed:
            return []  # a build or a push can fail as well
        error = self.document["error"]
        words = [problem["message"] for problem in error["problems"]] or [error["message"]]
        return [f"refused, and not in the plan: {text}" for text in words if not any(text in said for said in listed)]

    def _of_outcome(self) -> list[str]:
        if self.code != 0 or not self.plan["services"]:
            return []
        said = self.plan["outcome"] == "changes"
        was = self.document["outcome"] != "unchanged" or bool(carried_out(self.log))
        return [] if said is was else [f"plan said {self.plan['outcome']}, deploy was {self.document['outcome']}"]


def _begins(said: list[Entry], was: list[Entry]) -> bool:
    """Images come in any order, before everything else; the rest as it was said."""
    images, rest = parted(said)
    came, followed = parted(was)
    return set(came) <= set(images) and rest[: len(followed)] == followed and (not followed or came == images)


def planned_options(options: tuple[str, ...]) -> list[str]:
    """Deploy's options, without the one that is about what becomes of a failure, and no plan's."""
    return [word for word in options if word != "--no-rollback"]
