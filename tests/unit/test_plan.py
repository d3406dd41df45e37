"""What a plan is made of, as values: the order of its rollouts, and what is said where no service changes."""

from __future__ import annotations

import pytest

from deploykit.config.sequence import first_to_last
from deploykit.deploy.run import unchanged
from deploykit.ledger.journal import Steps
from deploykit.ledger.read import Ledger
from deploykit.model.plan import Plan
from tests.flow.shop import Told
from tests.unit.makers import observed
from tests.unit.probe_kit import FakeClock


@pytest.mark.parametrize(
    ("order", "begins"),
    [
        ({}, ()),
        ({"web": ("api",), "api": ()}, ("api", "web")),
        ({"a": (), "b": ("a",), "c": ()}, ("a", "c", "b")),
        ({"d": ("b", "c"), "c": ("a",), "b": ("a",), "a": ()}, ("a", "c", "b", "d")),
    ],
)
def test_a_rollout_begins_with_all_that_wait_for_nobody(
    order: dict[str, tuple[str, ...]], begins: tuple[str, ...]
) -> None:
    assert first_to_last(order) == begins


@pytest.mark.parametrize(
    ("pushed", "said"), [(False, "nothing to do: 0123456 runs already"), (True, "0123456: pushed")]
)
def test_a_run_that_only_pushed_does_not_say_that_it_did_nothing(pushed: bool, said: str) -> None:
    sha = "0123456" + "0" * 33
    plan = Plan("deploy", "dev", "20261121T060000Z-0123456", sha, sha, {"web": observed()}, {}, {}, ())
    steps = Steps(FakeClock(), Told())
    if pushed:
        with steps.step("push"):
            pass
    else:
        steps.skip("push")
    report = unchanged(plan, steps, Ledger(None, ()))
    assert (report.outcome.value, report.exit_code) == ("unchanged", 0)
    assert report.message.startswith(said)
