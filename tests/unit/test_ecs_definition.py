"""The next task definition differs from the live one in nothing but the release."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.errors import ExitCode, FailedBefore
from deploykit.model.observed import ObservedService
from deploykit.targets.ecs.definition import next_registration, registration, release_tags, same_content
from tests.unit.makers import definition, observed, service

NEW = "registry/web@sha256:" + "1" * 64


def test_only_the_image_and_the_release_variable_change() -> None:
    live = observed()
    request = next_registration(live, NEW, "a" * 40, "GIT_SHA")
    expected = copy.deepcopy(registration(live.definition))
    expected["containerDefinitions"][0]["image"] = NEW
    expected["containerDefinitions"][0]["environment"].append({"name": "GIT_SHA", "value": "a" * 40})
    assert request == expected


def test_the_release_variable_is_replaced_where_it_stands() -> None:
    first = next_registration(observed(), NEW, "a" * 40, "GIT_SHA")
    live = ObservedService(service(), definition(containerDefinitions=first["containerDefinitions"]), "web")
    second = next_registration(live, NEW, "b" * 40, "GIT_SHA")
    assert second["containerDefinitions"][0]["environment"] == [
        {"name": "NODE_ENV", "value": "production"},
        {"name": "GIT_SHA", "value": "b" * 40},
    ]


json = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=12).map(lambda name: "new" + name), json, max_size=4))
def test_fields_that_nobody_knows_yet_survive(fields: dict[str, Any]) -> None:
    request = next_registration(observed(**fields), NEW, "a" * 40, None)
    assert {key: request[key] for key in fields} == fields


def test_what_only_describe_knows_is_not_sent() -> None:
    assert set(registration(definition())) == {"family", "containerDefinitions", "cpu", "memory"}


def test_the_live_definition_is_left_as_it_was() -> None:
    live = observed()
    before = copy.deepcopy(live.definition.content)
    next_registration(live, NEW, "a" * 40, "GIT_SHA")
    assert live.definition.content == before


def test_an_old_verdict_and_aws_own_tags_are_not_copied_along() -> None:
    live = definition(
        tags={"team": "web", "deploykit:verdict": "healthy", "deploykit:release": "old", "aws:cloudformation:x": "y"}
    )
    assert release_tags(live, "20261121T062000Z-aaaaaaa", "a" * 40, "dev") == {
        "team": "web",
        "deploykit:release": "20261121T062000Z-aaaaaaa",
        "deploykit:sha": "a" * 40,
        "deploykit:environment": "dev",
    }


def test_the_same_content_in_another_order_is_nothing_to_register() -> None:
    live = definition()
    request = registration(live)
    request["containerDefinitions"][0]["environment"] = [
        *reversed(request["containerDefinitions"][0]["environment"]),
    ]
    request["volumes"] = []
    assert same_content(live, request)
    request["containerDefinitions"][0]["image"] = NEW
    assert not same_content(live, request)


def test_a_container_that_is_not_there_is_named_with_those_that_are() -> None:
    live = ObservedService(service(), definition(), "api")
    with pytest.raises(FailedBefore, match="no container 'api' \\(it has: web, sidecar\\)") as caught:
        next_registration(live, NEW, "a" * 40, None)
    assert caught.value.code is ExitCode.FAILED_BEFORE
    assert "container" in caught.value.hint


def test_a_release_variable_that_is_a_secret_is_refused() -> None:
    with pytest.raises(FailedBefore, match="release_env API_KEY is also a secret"):
        next_registration(observed(), NEW, "a" * 40, "API_KEY")
