"""Ask the environment's own endpoints: before the release, after it, and at the origin where an edge may be stale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from deploykit.config.schema import Configuration, Endpoint
from deploykit.edges.world import World
from deploykit.judge.baseline import take_baseline
from deploykit.judge.judge import Judge, Judgement
from deploykit.judge.prove import at_edge, prove
from deploykit.model.probe import Reading, Samples
from deploykit.model.release import ReleasedService
from deploykit.probes.http import Prober

Repair = Callable[[Collection[str]], bool]  # services whose caches to empty → True once they are


class Proof:
    """The checks of one environment, bound to its address."""

    def __init__(self, configuration: Configuration, world: World) -> None:
        checks = configuration.checks
        self._configuration = configuration
        self._world = world
        self.ask = Prober(configuration.url, checks.timeout, checks.samples, configuration.connect_to)
        self._ask_origin = Prober(configuration.origin, checks.timeout, 1) if configuration.origin else None

    def baseline(self) -> dict[str, Samples]:
        """How each endpoint answers now."""
        return take_baseline(self.ask, self._configuration.checks, self._world.clock, self._world.progress)

    def prove(
        self,
        running: Mapping[str, ReleasedService],
        baseline: Mapping[str, Samples] | None,
        *,
        restoring: bool,
        repair: Repair,
    ) -> Judgement:
        """Judge what runs; ``restoring``: against being as healthy as the baseline. No baseline: absolutely.

        Where an endpoint keeps an old version at the edge only, ``repair`` empties the caches once more.
        """
        checks, world = self._configuration.checks, self._world
        versions = self.versions(running)
        judge = Judge(checks, versions, baseline, absolute=baseline is None, restoring=restoring)

        def on_stale(stale: Mapping[str, Sequence[Reading]]) -> bool:
            at_origin = self._at_origin(stale)
            at_the_edge = [
                key for key, readings in stale.items() if at_edge(readings, at_origin.get(key, ()), versions[key])
            ]
            if not at_the_edge:
                return False
            world.progress.say(f"an old version is kept at the edge: {', '.join(at_the_edge)}")
            return repair({key for name in at_the_edge if (key := self._service(self._endpoint(name)))})

        return prove(self.ask, judge, checks, world.clock, world.progress, on_stale)

    def versions(self, running: Mapping[str, ReleasedService]) -> dict[str, str | None]:
        """Endpoint id to the version it must show: its service's commit, None where that is not known."""
        wanted: dict[str, str | None] = {}
        for endpoint in self._configuration.checks.endpoints:
            service = running.get(self._service(endpoint) or "")
            if endpoint.version is not None:
                wanted[endpoint.id] = service.sha if service else None
        return wanted

    def _at_origin(self, stale: Mapping[str, Sequence[Reading]]) -> dict[str, list[Reading]]:
        if self._ask_origin is None:
            return {}
        found: dict[str, list[Reading]] = {}
        for reading in self._ask_origin([self._endpoint(name) for name in stale]):
            found.setdefault(reading.endpoint, []).append(reading)
        return found

    def _endpoint(self, name: str) -> Endpoint:
        return next(endpoint for endpoint in self._configuration.checks.endpoints if endpoint.id == name)

    def _service(self, endpoint: Endpoint) -> str | None:
        """The service whose version an endpoint shows: the one it names, else the only one there is."""
        services = self._configuration.services
        return endpoint.service or (next(iter(services)) if len(services) == 1 else None)
