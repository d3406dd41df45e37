"""Ask the environment's own endpoints: before the release, after it, and at the origin where an edge may be stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploykit.config.schema import Configuration, Endpoint
from deploykit.edges.world import World
from deploykit.judge.baseline import take_baseline
from deploykit.judge.judge import Judge
from deploykit.judge.prove import Proof, at_edge
from deploykit.model.probe import Reading, Samples
from deploykit.model.release import ReleasedService
from deploykit.probes.http import Prober


class Site:
    """The endpoints of one environment, bound to its address."""

    def __init__(self, configuration: Configuration, world: World) -> None:
        checks = configuration.checks
        self._configuration = configuration
        self._world = world
        self.ask = Prober(configuration.url, checks.timeout, checks.samples, configuration.connect_to)
        self._ask_origin = Prober(configuration.origin, checks.timeout, 1) if configuration.origin else None

    def baseline(self) -> dict[str, Samples]:
        """How each endpoint answers now."""
        return take_baseline(self.ask, self._configuration.checks, self._world.clock, self._world.progress)

    def proof(
        self, running: Mapping[str, ReleasedService], baseline: Mapping[str, Samples] | None, *, restoring: bool
    ) -> Proof:
        """The proof of what runs; ``restoring``: against being as healthy as the baseline. No baseline: absolutely."""
        checks, world = self._configuration.checks, self._world
        judge = Judge(checks, self.versions(running), baseline, absolute=baseline is None, restoring=restoring)
        return Proof(self.ask, judge, checks, world.clock, world.progress)

    def kept_at_edge(
        self, stale: Mapping[str, Sequence[Reading]], running: Mapping[str, ReleasedService]
    ) -> frozenset[str]:
        """The services of which the edge alone keeps an old version, by the ``stale`` readings of their endpoints."""
        versions, at_origin = self.versions(running), self._at_origin(stale)
        kept = [name for name, seen in stale.items() if at_edge(seen, at_origin.get(name, ()), versions[name])]
        if kept:
            self._world.progress.say(f"an old version is kept at the edge: {', '.join(kept)}")
        return frozenset(key for name in kept if (key := self._service(self._endpoint(name))))

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
