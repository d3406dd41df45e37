"""The ``check`` command: is what runs healthy now? Each endpoint once, a failing one twice more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deploykit.config.checks import Checks, Endpoint
from deploykit.config.nearest import nearest
from deploykit.edges.clock import Clock
from deploykit.errors import ExitCode, UsageError
from deploykit.judge.baseline import QUICK
from deploykit.judge.endpoint import shown
from deploykit.judge.judge import Judge
from deploykit.judge.tally import prober_blind
from deploykit.model.probe import Failure, Reading
from deploykit.model.progress import Progress

TRIES = 3  # an endpoint is down only if all of them fail
AskSamples = Callable[[Sequence[Endpoint], int], Sequence[Reading]]


@dataclass(frozen=True)
class EndpointCheck:
    """One endpoint now. ``ok`` with ``failures`` is flaky: it failed, and answered well when asked again.

    ``status``, ``latency_ms`` and ``version`` are the last request's. ``ok`` is None where it could not be judged.
    """

    id: str
    ok: bool | None
    severity: str
    status: int | None
    latency_ms: float | None
    failures: tuple[str, ...]
    version: str | None


@dataclass(frozen=True)
class CheckResult:
    """``healthy`` is None where it could not be judged."""

    healthy: bool | None
    endpoints: tuple[EndpointCheck, ...]
    exit_code: ExitCode
    reason: str


def chosen(checks: Checks, names: Sequence[str]) -> Checks:
    """``checks`` with the endpoints of these ids only, in the file's order; no id means all.

    Raises UsageError for an id that is not in the file.
    """
    known = [endpoint.id for endpoint in checks.endpoints]
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"known: {', '.join(known) or 'none'}"
            raise UsageError(f"there is no endpoint {name!r}", hint=hint)
    return checks.model_copy(
        update={"endpoints": tuple(each for each in checks.endpoints if not names or each.id in names)}
    )


def check(
    checks: Checks,
    expected: Mapping[str, str | None] | None,
    ask: AskSamples,
    clock: Clock,
    progress: Progress,
    rounds: int | None = None,
) -> CheckResult:
    """Ask the endpoints of ``checks`` (see `chosen`) and say how they are.

    ``expected``: endpoint id to the version it should show (None: not compared). ``ask`` takes endpoints and how many
    samples of each. ``rounds``: instead of three tries, the sequential test over so many rounds, ``checks.interval``
    seconds apart.
    """
    if not checks.endpoints:
        progress.warn("no endpoint is configured: nothing to check ([[checks.endpoints]])")
        return CheckResult(None, (), ExitCode.OK, "no endpoint is configured")
    versions = {each.id: (expected or {}).get(each.id) for each in checks.endpoints if each.version is not None}
    if rounds is None:
        return _thrice(checks, versions, ask, clock, progress)
    if rounds < 1:
        raise UsageError(f"--rounds {rounds} asks nothing", hint="--rounds takes 1 or more")
    return _sequential(checks, versions, ask, clock, progress, rounds)


def _thrice(
    checks: Checks, expected: Mapping[str, str | None], ask: AskSamples, clock: Clock, progress: Progress
) -> CheckResult:
    readings: dict[str, list[Reading]] = {endpoint.id: [] for endpoint in checks.endpoints}
    asked: Sequence[Endpoint] = checks.endpoints
    for attempt in range(TRIES):
        if attempt:
            clock.sleep(min(checks.interval, QUICK))
        for reading in ask(asked, 1):
            readings[reading.endpoint].append(_compared(reading, expected.get(reading.endpoint)))
            progress.live(reading.endpoint, _state(readings[reading.endpoint]))
        asked = [endpoint for endpoint in checks.endpoints if not readings[endpoint.id][-1].ok]
        if not asked:
            break
    everything = [reading for each in readings.values() for reading in each]
    if prober_blind(everything):
        return _blind(checks, readings)
    found = [_found(endpoint, readings[endpoint.id], readings[endpoint.id][-1].ok) for endpoint in checks.endpoints]
    bad = [each for each in found if not each.ok and each.severity == "error"]
    if not bad:
        return CheckResult(True, tuple(found), ExitCode.OK, _fine(found))
    down = [each for each in bad if not _version_only(readings[each.id])]
    if down:
        return CheckResult(False, tuple(found), ExitCode.UNHEALTHY, f"down: {_named(down)}")
    # As for a release: an endpoint that answers well and shows another version is not down.
    reason = f"another version than the one that runs: {_named(bad)}"
    return CheckResult(None, tuple(found), ExitCode.INCONCLUSIVE, reason)


def _sequential(
    checks: Checks,
    expected: Mapping[str, str | None],
    ask: AskSamples,
    clock: Clock,
    progress: Progress,
    rounds: int,
) -> CheckResult:
    judge = Judge(checks, expected, baseline=None)
    readings: dict[str, list[Reading]] = {endpoint.id: [] for endpoint in checks.endpoints}
    for number in range(rounds):
        began = clock.monotonic()
        answers = ask(checks.endpoints, checks.samples)
        judge.take(answers)
        for reading in answers:
            readings[reading.endpoint].append(_compared(reading, expected.get(reading.endpoint)))
        progress.live("checks", judge.progress())
        if number + 1 < rounds:
            clock.sleep(max(0.0, began + checks.interval - clock.monotonic()))
    if all(prober_blind(each) for each in readings.values()):
        return _blind(checks, readings)
    judgement = judge.judgement()
    found = []
    for endpoint in checks.endpoints:
        watch = judge.watch(endpoint.id)
        # Not enough rounds to prove it, and no failure at all: nothing speaks against it.
        proven = watch.settled or not any(reading.failures for reading in readings[endpoint.id])
        bad = watch.condemned or watch.stale
        found.append(_found(endpoint, readings[endpoint.id], False if bad else True if proven else None))
    bad_ones = [each for each in found if not each.ok and each.severity == "error"]
    if judgement.condemned:
        return CheckResult(False, tuple(found), ExitCode.UNHEALTHY, f"down: {', '.join(judgement.condemned)}")
    if bad_ones:
        reason = f"{_named(bad_ones)} after {rounds} rounds"
        return CheckResult(None, tuple(found), ExitCode.INCONCLUSIVE, f"not sure of {reason}")
    return CheckResult(True, tuple(found), ExitCode.OK, _fine(found))


def _compared(reading: Reading, expected: str | None) -> Reading:
    """The reading with a failure of its version where that is not ``expected``."""
    if expected is None or not reading.ok or reading.version == expected:
        return reading
    message = f"shows {shown(reading.version)}, what runs is {shown(expected)}"
    return replace(reading, failures=(Failure("version", "different", message),))


def _version_only(readings: Sequence[Reading]) -> bool:
    return all(failure.expectation == "version" for reading in readings for failure in reading.failures)


def _blind(checks: Checks, readings: Mapping[str, Sequence[Reading]]) -> CheckResult:
    found = tuple(_found(endpoint, readings[endpoint.id], None) for endpoint in checks.endpoints)
    reason = "no endpoint could be reached from this machine: its DNS or network is failing"
    return CheckResult(None, found, ExitCode.INCONCLUSIVE, reason)


def _found(endpoint: Endpoint, readings: Sequence[Reading], ok: bool | None) -> EndpointCheck:
    last = readings[-1]
    messages = dict.fromkeys(failure.message for reading in readings for failure in reading.failures)
    latency = None if last.latency is None else round(last.latency * 1000, 1)
    return EndpointCheck(endpoint.id, ok, endpoint.severity, last.status, latency, tuple(messages), last.version)


def _state(readings: Sequence[Reading]) -> str:
    last = readings[-1]
    if last.ok:
        return "answers as expected" if len(readings) == 1 else f"flaky: {readings[0].failures[0].message}"
    again = len(readings) < TRIES
    word = "failed, asking again" if again else "not reached from here" if last.prober else "down"
    return f"{word}: {last.failures[0].message}"


def _fine(endpoints: Sequence[EndpointCheck]) -> str:
    """The reason of a healthy result; a broken ``warn`` endpoint is named all the same."""
    good = [each for each in endpoints if each.ok]
    broken = [each for each in endpoints if not each.ok]
    said = [f"{len(good)} {'endpoint answers' if len(good) == 1 else 'endpoints answer'} as expected"] if good else []
    return "; ".join([*said, *([f"only a warning: {_named(broken)}"] if broken else [])])


def _named(endpoints: Sequence[EndpointCheck]) -> str:
    return ", ".join(f"{each.id} ({each.failures[0]})" if each.failures else each.id for each in endpoints)
