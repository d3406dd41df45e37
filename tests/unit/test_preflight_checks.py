"""The checks before a release, as values: what they find, in which order, and how it reads on one line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from deploykit.errors import FailedBefore, OutOfReach
from deploykit.model.finding import Finding, errors, one_line, warnings
from deploykit.model.hint import Hint, command, shown
from deploykit.model.observed import Definition, ObservedService, Shifting, TargetGroup
from deploykit.model.plan import Plan
from deploykit.preflight.looking import all_findings, look_for_each, verb
from deploykit.preflight.ports import check_ports
from deploykit.preflight.release import refuse
from deploykit.preflight.waits import check_waits
from tests.unit.makers import observed


def found(identifier: str, hint: str = "", *, sure: bool = True) -> Finding:
    finding = Finding(identifier, "error", "high", "api", f"{identifier} it is", hint=hint)
    return finding if sure else replace(finding, severity="warning", confidence="low")


def balanced(port: int) -> ObservedService:
    service = observed("api")
    return replace(service, state=replace(service.state, target_groups=(TargetGroup("arn:tg/api", "api", port),)))


def mapping(*ports: int) -> Definition:
    container = {"name": "api", "portMappings": [{"containerPort": port} for port in ports]}
    return Definition("", {"containerDefinitions": [container]}, {})


def test_a_finding_on_one_line_keeps_its_commands() -> None:
    line = one_line(found("late", Hint("then ", command("deploy"))))
    assert line == "late it is: then `deploykit deploy`"
    assert shown(line, ("--env", "prod")) == "late it is: then `deploykit deploy --env prod`"
    assert one_line(found("late")) == "late it is"


def test_errors_and_warnings_keep_their_order() -> None:
    mixed = (found("a"), found("b", sure=False), found("c"), found("d", sure=False))
    assert [finding.id for finding in errors(mixed)] == ["a", "c"]
    assert [finding.id for finding in warnings(mixed)] == ["b", "d"]


def test_a_release_is_refused_for_all_its_errors_and_for_no_warning() -> None:
    refuse((found("b", sure=False),))
    with pytest.raises(FailedBefore) as refused:
        refuse((found("a", "do this"), found("b", sure=False), found("c")))
    assert [problem.message for problem in refused.value.problems] == ["a it is: do this", "c it is"]


def test_one_question_without_an_answer_hides_no_other() -> None:
    def find(role: str, services: Collection[str]) -> tuple[Finding, ...]:
        if role == "x":
            raise OutOfReach("not allowed: iam:GetRole")
        return (found("role-missing"),)

    answers = look_for_each("role", {"x": {"web", "api"}, "y": {"api"}}, find, {})
    unseen = Finding(
        "could-not-look", "warning", "low", "api, web", "could not look for role x: not allowed: iam:GetRole"
    )
    assert answers == (unseen, found("role-missing"))


def test_findings_stand_in_the_order_of_the_checks() -> None:
    checks = [lambda name=name: (found(name),) for name in "dbca"]
    assert [finding.id for finding in all_findings(checks)] == ["d", "b", "c", "a"]


@pytest.mark.parametrize(("services", "said"), [({"api"}, "api writes"), ({"web", "api"}, "api, web write")])
def test_one_service_needs_and_several_need(services: set[str], said: str) -> None:
    assert verb(services, "write") == said


@pytest.mark.parametrize(("ports", "maps"), [((80, 8080), "80, 8080"), ((), "none")])
def test_a_port_that_the_definition_does_not_map_is_an_error(ports: tuple[int, ...], maps: str) -> None:
    (finding,) = check_ports({"api": balanced(3000)}, {"api": mapping(*ports)})
    assert (finding.id, finding.severity, finding.subject) == ("port-mismatch", "error", "api")
    assert f"port 3000 of container api, and the task definition maps {maps}" in finding.summary
    assert check_ports({"api": balanced(3000)}, {"api": mapping(3000, *ports)}) == ()


def test_waits_that_follow_each_other_must_end_before_the_deadline() -> None:
    service = observed("api")
    baking = replace(service, state=replace(service.state, shifting=Shifting("BLUE_GREEN", 0.0, 180.0)))
    running, sequence = {"api": baking, "web": baking}, {"api": (), "web": ("api",)}
    plan = Plan("deploy", "dev", "20261121T060000Z-0123456", None, None, running, {}, sequence, ())
    (finding,) = check_waits(plan, 360.0)
    assert (finding.id, finding.severity, finding.subject) == ("rollout-too-long", "error", "api, web")
    assert finding.hint.startswith('set `deadline = "11m"`')
    assert check_waits(plan, 361.0) == ()
