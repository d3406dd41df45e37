"""Before a rollback touches anything: would what it goes to still start?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.aws.session import Aws
from deploykit.model.finding import Finding, errors, one_line, warnings
from deploykit.model.observed import Definition
from deploykit.preflight.release import startable
from tests.simulator import Served, serve
from tests.unit.ledger_kit import ACCOUNT, Simulated, world

ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/"
SECRETS = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulated]:
    with world(monkeypatch, tmp_path) as made:
        made.sim.iam.roles |= {"task", "execution"}
        made.sim.secrets.put("shop/api", '{"key": "1"}')
        made.sim.secrets.put("shop/registry", "{}")
        made.sim.ssm.values |= {"shop-token": "1", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/shop/dsn": "1"}
        yield made


@pytest.fixture
def api(there: Simulated) -> Served:
    return serve(there.sim, "api", count=0)


def looked(there: Simulated, served: Served, registry: str | None = None, **changes: Any) -> tuple[Finding, ...]:
    """What is found out about the service's definition with fields of its container, or of itself, changed."""
    body = dict(there.sim.state.definitions[served.name][0].body)
    container = {**body["containerDefinitions"][0], **changes.pop("container", {})}
    content = {**body, "containerDefinitions": [container], **changes}
    arn = there.sim.ecs.register_task_definition(content)["taskDefinition"]["taskDefinitionArn"]
    definitions, gone = definitions_of(there.aws, {"api": arn})
    assert gone == []
    return startable(there.aws, definitions, ACCOUNT, registry)


def problems(found: tuple[Finding, ...]) -> list[str]:
    return [one_line(finding) for finding in errors(found)]


def secret(value: str) -> dict[str, Any]:
    return {"container": {"secrets": [{"name": "KEY", "valueFrom": value}]}}


def test_what_has_everything_it_needs_would_start(there: Simulated, api: Served) -> None:
    found = looked(
        there,
        api,
        taskRoleArn=f"{ROLE}task",
        executionRoleArn=f"{ROLE}execution",
        container={
            "secrets": [
                {"name": "KEY", "valueFrom": f"{SECRETS}shop/api-AbCdEf:key::"},
                {"name": "TOKEN", "valueFrom": "shop-token"},
                {"name": "DSN", "valueFrom": f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/shop/dsn"},
            ],
            "repositoryCredentials": {"credentialsParameter": "shop/registry"},
        },
    )
    assert found == ()


def test_a_deleted_image_is_a_problem(there: Simulated, api: Served) -> None:
    there.sim.ecr.batch_delete_image({"repositoryName": "api", "imageIds": [{"imageDigest": api.digest}]})
    (problem,) = problems(looked(there, api))
    assert f"image api@{api.digest} is not in ECR any more" in problem
    assert "api needs it" in problem


def test_a_deleted_repository_is_a_problem(there: Simulated, api: Served) -> None:
    del there.sim.ecr.repositories["api"]
    assert "not in ECR any more" in problems(looked(there, api))[0]


@pytest.mark.parametrize("host", ["dkr-ecr.us-east-1.on.aws", "dkr.ecr-fips.us-east-1.amazonaws.com"])
def test_a_missing_image_is_a_problem_under_every_name_that_ecr_has(there: Simulated, api: Served, host: str) -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html"""
    image = {"container": {"image": f"{ACCOUNT}.{host}/api@sha256:{'0' * 64}"}}
    assert "image api@sha256:000" in problems(looked(there, api, None, **image))[0]


def test_images_behind_another_registrys_name_are_looked_for_in_ecr(there: Simulated, api: Served) -> None:
    image = {"container": {"image": f"127.0.0.1:4566/api@sha256:{'0' * 64}"}}
    assert "api@sha256:000" in problems(looked(there, api, "127.0.0.1:4566", **image))[0]
    assert looked(there, api, None, **image) == ()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (f"{SECRETS}shop/gone-AbCdEf:key::", f"secret {SECRETS}shop/gone-AbCdEf does not exist"),
        (f"{SECRETS}shop/gone-AbCdEf", f"secret {SECRETS}shop/gone-AbCdEf does not exist"),
        ("gone-token", "SSM parameter gone-token does not exist"),
    ],
)
def test_a_missing_secret_is_a_problem(there: Simulated, api: Served, value: str, name: str) -> None:
    (problem,) = problems(looked(there, api, **secret(value)))
    assert name in problem


def test_a_secret_that_is_to_be_deleted_is_a_problem_that_one_command_fixes(there: Simulated, api: Served) -> None:
    arn = f"{SECRETS}shop/api-AbCdEf"
    there.sim.secrets.delete_secret({"SecretId": arn})
    (problem,) = problems(looked(there, api, **secret(f"{arn}:key::")))
    command = f"`aws secretsmanager restore-secret --secret-id {arn} --region us-east-1`"
    assert "is scheduled for deletion" in problem
    assert problem.endswith(f"api needs it: {command}")
    there.sim.secrets.restore_secret({"SecretId": arn})
    there.world = replace(there.world, aws=Aws("us-east-1"))  # the next command
    assert looked(there, api, **secret(f"{arn}:key::")) == ()


@pytest.mark.parametrize(
    ("reference", "name"),
    [("gone-token", "gone-token"), (f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/shop/gone", "/shop/gone")],
)
def test_a_missing_parameter_is_named_with_the_command_that_makes_it(
    there: Simulated, api: Served, reference: str, name: str
) -> None:
    (problem,) = problems(looked(there, api, **secret(reference)))
    assert f"`aws ssm put-parameter --name {name} --type SecureString " in problem


def test_missing_credentials_of_a_registry_are_a_problem(there: Simulated, api: Served) -> None:
    container = {"repositoryCredentials": {"credentialsParameter": "shop/nobody"}}
    assert "secret shop/nobody does not exist" in problems(looked(there, api, container=container))[0]


def test_missing_roles_are_problems(there: Simulated, api: Served) -> None:
    found = looked(there, api, taskRoleArn=f"{ROLE}gone", executionRoleArn=f"{ROLE}gone-too")
    named = [problem.partition(" does")[0] for problem in problems(found)]
    assert named == [f"role {ROLE}gone", f"role {ROLE}gone-too"]


def test_everything_that_lacks_is_said_at_once(there: Simulated, api: Served) -> None:
    there.sim.ecr.batch_delete_image({"repositoryName": "api", "imageIds": [{"imageDigest": api.digest}]})
    found = looked(there, api, executionRoleArn=f"{ROLE}gone", **secret("gone-token"))
    assert len(problems(found)) == 3


@pytest.mark.parametrize(
    ("operation", "service"),
    [("BatchGetImage", "ecr"), ("DescribeSecret", "secretsmanager"), ("GetParameters", "ssm"), ("GetRole", "iam")],
)
def test_not_being_allowed_to_look_is_a_warning_only(
    there: Simulated, api: Served, operation: str, service: str
) -> None:
    there.sim.faults.deny(operation, service=service)
    secrets = [
        {"name": "KEY", "valueFrom": f"{SECRETS}shop/api-AbCdEf"},
        {"name": "TOKEN", "valueFrom": "shop-token"},
    ]
    found = looked(there, api, executionRoleArn=f"{ROLE}execution", container={"secrets": secrets})
    assert problems(found) == []
    (warning,) = map(one_line, warnings(found))
    assert "could not look" in warning
    assert f"{service}:{operation}" in warning


def test_what_is_in_another_region_or_account_is_a_warning_only(there: Simulated, api: Served) -> None:
    found = looked(
        there,
        api,
        taskRoleArn="arn:aws:iam::210987654321:role/theirs",
        container={
            "image": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/api:1",
            "secrets": [{"name": "K", "valueFrom": f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:a-AbCdEf"}],
        },
    )
    assert problems(found) == []
    assert len(warnings(found)) == 3
    assert {finding.id for finding in found} == {"could-not-look"}


def test_a_parameter_of_another_region_is_named_as_what_it_is(there: Simulated, api: Served) -> None:
    arn = f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/shop/dsn"
    (finding,) = looked(there, api, **secret(arn))
    assert one_line(finding) == f"could not look for SSM parameter {arn}, which api needs: it is in another region"


def test_each_finding_says_what_it_is_who_needs_it_and_how_sure_it_is(there: Simulated, api: Served) -> None:
    there.sim.ecr.batch_delete_image({"repositoryName": "api", "imageIds": [{"imageDigest": api.digest}]})
    there.sim.faults.deny("GetRole", service="iam")
    body = there.sim.state.definitions[api.name][0].body
    names = ("gone-token", f"{SECRETS}gone-AbCdEf")
    secrets = [{"name": "KEY", "valueFrom": name} for name in names]
    content = {
        **body,
        "containerDefinitions": [{**body["containerDefinitions"][0], "secrets": secrets}],
        "taskRoleArn": f"{ROLE}task",
    }
    definitions = {key: Definition("", content, {}) for key in ("web", "api")}
    found = startable(there.aws, definitions, ACCOUNT)
    assert [(finding.id, finding.severity, finding.confidence, finding.subject) for finding in found] == [
        ("image-missing", "error", "high", "api, web"),
        ("secret-missing", "error", "high", "api, web"),
        ("could-not-look", "warning", "low", "api, web"),
        ("parameter-missing", "error", "high", "api, web"),
    ]
    assert found[0].summary == f"image api@{api.digest} is not in ECR any more, and api, web need it"
    assert found[1].hint.startswith("create it")


def test_each_thing_is_asked_for_once_whoever_needs_it(there: Simulated, api: Served) -> None:
    arn = api.task_definition
    definitions, _ = definitions_of(there.aws, {"api": arn, "worker": arn})
    with there.sim.recording() as calls:
        assert startable(there.aws, definitions, ACCOUNT) == ()
    assert [call.operation for call in calls] == ["BatchGetImage"]


def test_a_deleted_task_definition_is_a_problem(there: Simulated, api: Served) -> None:
    definitions, gone = definitions_of(there.aws, {"api": api.task_definition, "web": f"{api.task_definition}99"})
    assert list(definitions) == ["api"]
    assert gone == ["web: task definition api:199 was deleted"]
