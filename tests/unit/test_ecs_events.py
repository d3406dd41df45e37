"""What ECS says of a service, short enough for a phone."""

from __future__ import annotations

from deploykit.targets.ecs.events import for_people

GROUP = "arn:aws:elasticloadbalancing:us-east-1:108581769167:targetgroup/dev-api/0123456789abcdef"


def test_a_target_group_is_called_by_its_name() -> None:
    said = f"(port 3001) is unhealthy in (target-group {GROUP}) due to (reason Health checks failed)."
    assert for_people([said]) == [
        "(port 3001) is unhealthy in (target-group dev-api) due to (reason Health checks failed)."
    ]


def test_what_is_said_of_every_target_is_said_once_where_it_was_said_first() -> None:
    one, other = f"registered 1 targets in (target-group {GROUP})", "has stopped 1 running tasks: (task 1)."
    assert for_people([one, other, one, one]) == ["registered 1 targets in (target-group dev-api) (3 times)", other]


def test_what_differs_is_kept_apart() -> None:
    stopped = ["has stopped 1 running tasks: (task 1).", "has stopped 1 running tasks: (task 2)."]
    assert for_people(stopped) == stopped
