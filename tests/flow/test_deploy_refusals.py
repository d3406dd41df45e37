"""What is missing, out of reach or not allowed: a clear message, the right code, nothing changed."""

from __future__ import annotations

import subprocess

import pytest

from tests.flow.world import World, healthy


def mentions(text: str, *words: str) -> bool:
    return all(word in text for word in words)


@pytest.mark.parametrize(
    ("action", "service"),
    [
        ("DescribeServices", "ecs"),
        ("DescribeTaskDefinition", "ecs"),
        ("RegisterTaskDefinition", "ecs"),
        ("UpdateService", "ecs"),
        ("BatchGetImage", "ecr"),
        ("PutObject", "s3"),
        ("ListObjectsV2", "s3"),
    ],
)
def test_a_missing_permission_is_named_and_nothing_that_runs_is_touched(
    world: World, action: str, service: str
) -> None:
    world.commit("first")
    world.sim.faults.deny(action, service=service)
    done = world.run("deploy")
    assert done.code == 3
    assert mentions(done.document["error"]["message"] + done.document["error"]["hint"], "not allowed", f"{service}:")
    assert (world.running("api"), world.running("web")) == ("dev-api:1", "dev-web:1")
    assert "Traceback" not in done.people


def test_a_refused_invalidation_makes_the_release_inconclusive_and_keeps_it(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("CreateInvalidation", service="cloudfront")
    done = world.run("deploy")
    assert (done.code, done.document["outcome"]) == (12, "inconclusive")
    assert "cloudfront:CreateInvalidation" in done.people
    assert world.running("web") == "dev-web:2"


def test_a_permission_that_goes_missing_on_the_way_is_put_back_not_called_out_of_reach(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("RegisterTaskDefinition", skip=1, times=1)
    done = world.run("deploy")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back")
    assert "ecs:RegisterTaskDefinition" in done.people
    assert (world.running("api"), world.running("web")) == ("dev-api:1", "dev-web:1")


def test_a_missing_service_is_5_and_named_with_what_to_type(world: World) -> None:
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace("dev-api", "dev-ape"))
    world.commit("first")
    done = world.run("deploy")
    assert done.code == 5
    assert mentions(done.people, "dev-ape", "aws ecs list-services --cluster dev")
    assert done.changing == []


def test_a_missing_cluster_is_5_and_named(world: World) -> None:
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace('cluster = "dev"', 'cluster = "def"'))
    world.commit("first")
    done = world.run("deploy")
    assert done.code == 5
    assert mentions(done.people, "cluster def does not exist", "aws ecs list-clusters")


def test_a_missing_repository_is_5_with_the_command_that_makes_it(world: World) -> None:
    world.commit("first")
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace("shop/api", "shop/ape"))
    world.git("commit", "-qam", "another repository")
    done = world.run("deploy", "api")
    assert done.code == 5
    assert mentions(done.people, "shop/ape", "aws ecr create-repository")
    assert done.changing == []


def test_a_missing_state_bucket_is_5_with_the_command_that_makes_it(world: World) -> None:
    del world.sim.s3.buckets["shop-state"]
    world.commit("first")
    done = world.run("deploy")
    assert done.code == 5
    assert mentions(done.people, "shop-state", "aws s3")
    assert world.running("api") == "dev-api:1"


def test_another_account_is_refused_also_when_only_looking(world: World) -> None:
    world.commit("first")
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace("108581769167", "999999999999"))
    for command in (["deploy", "--allow-dirty"], ["status"], ["history"], ["rollback"]):
        done = world.run(*command)
        assert done.code == 4, command
        assert mentions(done.people, "108581769167", "999999999999")


def test_no_credentials_is_3_with_what_to_type(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.commit("first")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    done = world.run("deploy")
    assert done.code == 3
    assert mentions(done.people, "credentials", "aws sts get-caller-identity")


def test_no_network_is_3_and_for_check_12(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.commit("first")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = world.run("deploy")
    assert done.code == 3
    assert "AWS_ENDPOINT_URL" in done.people


def test_a_service_under_codedeploy_is_refused(world: World) -> None:
    service = world.sim.state.services["dev", "dev-api"]
    service.body["deploymentController"] = {"type": "CODE_DEPLOY"}
    world.commit("first")
    done = world.run("deploy")
    assert done.code == 5
    assert mentions(done.people, "api", "CODE_DEPLOY")


def test_a_service_of_another_environment_is_refused(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace("[environments.dev]", "[environments.prod]"))
    world.commit("second")
    done = world.run("deploy")
    assert done.code == 4
    assert mentions(done.people, "dev-api", "environment dev", "prod")


def test_uncommitted_changes_are_refused_and_listed(world: World) -> None:
    world.commit("first")
    (world.folder / "api" / "half-finished.py").write_text("x = ")
    done = world.run("deploy")
    assert done.code == 4
    assert mentions(done.people, "api/half-finished.py", "--allow-dirty")
    assert done.changing == []


def test_an_older_commit_is_refused_unless_insisted_on(world: World) -> None:
    first = world.commit("first")
    second = world.commit("second")
    assert world.run("deploy").code == 0
    done = world.run("deploy", "--sha", first)
    assert done.code == 4
    assert mentions(done.people, first[:7], second[:7], "deploykit rollback", "--allow-older")
    assert world.run("deploy", "--sha", first, "--allow-older").code == 0


def test_a_desired_count_of_zero_is_said_to_prove_nothing(world: World) -> None:
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "desiredCount": 0})
    world.sim.clock.advance(60)
    world.commit("first", healthy())
    done = world.run("rollout", "api")
    assert "desired count is 0" in done.people


def test_a_folder_without_git_is_5(world: World) -> None:
    world.commit("first")
    subprocess.run(["rm", "-rf", str(world.folder / ".git")], check=True)
    done = world.run("deploy")
    assert done.code == 5
    assert "git" in done.people
