"""All that `plan` and `deploy` read before the first write. They share it, so that one says what the other does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from deploykit.deploy.history import refuse_older, refuse_withdrawn
from deploykit.deploy.images import find_images_of, image_refusals
from deploykit.deploy.lease import refuse_locked
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.source import chosen_services, identify, refuse_other_environments, refuse_unrollable
from deploykit.edges.git import Source
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, Refused
from deploykit.images.lookup import FoundImage
from deploykit.images.sources import refuse_uncommitted
from deploykit.ledger.lock import read_hold, read_lock
from deploykit.ledger.read import Ledger, read_ledger, told_by_tags
from deploykit.model.lock import Lock
from deploykit.model.observed import ObservedService
from deploykit.targets.ecs.observe import observe, with_newer
from deploykit.targets.migration.plan import migration_trees


@dataclass(frozen=True)
class Facts:
    """The commit, what runs, what is recorded, what the registry has, and what keeps deploys out."""

    chosen: tuple[str, ...]
    source: Source
    observed: Mapping[str, ObservedService]
    ledger: Ledger
    images: Mapping[str, FoundImage]
    lock: Lock = field(default_factory=Lock)

    def locked(self) -> Facts:
        """The same with what keeps deploys out, for those who do not ask for the lease right away."""
        return replace(self, lock=read_lock(self.ledger.store.objects)) if self.ledger.store else self

    def again(self, request: DeployRequest, world: World) -> Facts:
        """The same as it is once the lease is ours: while it was waited for, others may have released.

        Raises: FailedBefore, OutOfReach.
        """
        configuration = request.configuration
        ledger = self.ledger.later(configuration)
        observed = observe(configuration, world.aws, self.observed)
        hold = read_hold(ledger.store.objects) if ledger.store else None
        if ledger is self.ledger and _revisions(observed) == _revisions(self.observed):
            observed = {
                key: replace(service, newer=self.observed[key].newer, pending=self.observed[key].pending)
                for key, service in observed.items()
            }
        else:
            observed = with_newer(observed, world.aws, self.chosen, world.progress)
        return replace(self, observed=observed, ledger=ledger, lock=Lock(None, hold))


def gather(request: DeployRequest, world: World, source: Source | None = None) -> Facts:
    """Read, and decide nothing; ``source``: the commit, where it is known already.

    Raises: FailedBefore (what must be there is not), OutOfReach.
    """
    configuration = request.configuration
    chosen = chosen_services(configuration, request.services)
    source = source or identify(request, chosen)
    observed = with_newer(observe(configuration, world.aws), world.aws, chosen, world.progress)
    ledger = read_ledger(configuration, world.aws, world.progress)
    if ledger.store is None:
        ledger = replace(ledger, entries=told_by_tags(configuration, world.aws, observed, world.progress))
    images = find_images_of(request, world, source, chosen, observed)
    return Facts(chosen, source, observed, ledger, images)


def refuse(request: DeployRequest, world: World, facts: Facts) -> None:
    """Raises: FailedBefore, Refused for the first thing that speaks against the release."""
    if refused := refusals(request, world, facts):
        raise refused[0]


def refusals(request: DeployRequest, world: World, facts: Facts) -> list[FailedBefore | Refused]:
    """Everything that `deploy` would refuse, in the order in which it would."""
    configuration = request.configuration
    found: list[FailedBefore | Refused] = []

    def ask(refuse: Callable[[], object]) -> None:
        try:
            refuse()
        except (FailedBefore, Refused) as refusal:
            found.append(refusal)

    if request.revision is None and not request.allow_dirty:
        ask(lambda: refuse_uncommitted(facts.source.repository, configuration, facts.chosen))
    ask(lambda: refuse_unrollable(facts.observed, facts.chosen))
    ask(lambda: refuse_other_environments(configuration, facts.observed, facts.chosen))
    ask(lambda: migration_trees(configuration, facts.source, facts.chosen))
    ask(lambda: refuse_locked(configuration, facts.lock, waits=request.wait > 0))
    ask(lambda: refuse_older(request, facts.source, facts.observed, facts.chosen, world))
    ask(lambda: refuse_withdrawn(request, facts.source, facts.ledger.entries, world))
    return [*found, *image_refusals(request, facts.source.commit, facts.images, facts.observed)]


def _revisions(observed: Mapping[str, ObservedService]) -> dict[str, str]:
    return {key: service.definition.arn for key, service in observed.items()}
