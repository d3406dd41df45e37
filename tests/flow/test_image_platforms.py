"""An image of another architecture than its tasks run on is found by `plan`, and before `deploy` changes anything."""

from __future__ import annotations

import json

import pytest

from tests.flow.ends import refused
from tests.flow.test_preflight import rewritten
from tests.flow.world import Json, World, healthy

ARM = {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
INDEX = "application/vnd.oci.image.index.v1+json"


def commit_for(world: World, platform: str, repository: str = "shop/api") -> str:
    """A commit whose image in ``repository`` somebody built for ``platform``."""
    sha = world.commit(f"for {platform}")
    place = world.sim.ecr.repositories[repository]
    place.images = [image for image in place.images if sha not in image.tags]
    world.sim.image(world.sim.push(repository, sha, platform=platform), healthy())
    return sha


def index_of(world: World, sha: str, *platforms: str) -> None:
    """Put an image for several platforms in the place of the commit's."""
    place = world.sim.ecr.repositories["shop/api"]
    place.images = [image for image in place.images if sha not in image.tags]
    entries = [
        {"digest": f"sha256:{number:064x}", "platform": dict(zip(("os", "architecture"), name.split("/"), strict=True))}
        for number, name in enumerate(platforms, start=1)
    ]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    body = {"repositoryName": "shop/api", "imageManifest": manifest, "imageTag": sha}
    made = world.sim.ecr.put_image(body | {"imageManifestMediaType": INDEX})
    world.sim.image(made["image"]["imageId"]["imageDigest"], healthy())


def set_platform(world: World, platform: str) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(path.read_text().replace('context = "api"', f'context = "api"\nplatform = "{platform}"'))


def arm(body: Json) -> None:
    body["runtimePlatform"] = ARM


def test_an_image_that_somebody_built_for_another_architecture_is_refused(world: World) -> None:
    sha = commit_for(world, "linux/arm64")
    refused(
        world,
        "api",
        f"the image of commit {sha[:7]} in shop/api runs on linux/arm64",
        "linux/amd64 is needed",
        "--rebuild",
    )


def test_the_architecture_of_the_live_task_definition_counts(world: World) -> None:
    rewritten(world, arm)
    commit_for(world, "linux/arm64")
    done = world.run("deploy")
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people


def test_an_image_for_the_former_architecture_is_refused_once_terraform_asks_for_another(world: World) -> None:
    """Under ignore_changes the new revision is registered and runs nowhere; the release is made from it."""
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running("api")})["taskDefinition"]
    kept = ("family", "containerDefinitions", "cpu", "memory", "networkMode")
    world.sim.ecs.register_task_definition({name: live[name] for name in kept} | {"runtimePlatform": ARM})
    world.commit("first")
    refused(world, "api", "runs on linux/amd64", "linux/arm64 is needed")


def test_an_image_for_several_architectures_needs_only_the_one(world: World) -> None:
    index_of(world, world.commit("first"), "linux/arm64", "linux/amd64")
    done = world.run("deploy")
    assert (done.code, done.count("GetDownloadUrlForLayer")) == (0, 1)  # the index itself says it


def test_an_image_for_several_other_architectures_is_refused_with_all_of_them(world: World) -> None:
    index_of(world, world.commit("first"), "linux/arm64", "linux/s390x")
    refused(world, "runs on linux/arm64, linux/s390x")


def test_a_configured_platform_that_the_tasks_do_not_run_on_is_refused_without_docker(world: World) -> None:
    world.commit("first")
    set_platform(world, "linux/arm64")
    world.git("commit", "-qam", "platform")
    world.environ["PATH"] = "/nowhere"
    refused(world, "api: its task definition runs linux/amd64, and deploykit.toml says linux/arm64", "runtimePlatform")


def test_services_that_share_an_image_must_run_on_the_same_architecture(world: World) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(path.read_text().replace('context = "web"\nrepository = "shop/web"', 'image = "api"'))
    rewritten(world, arm)
    world.commit("first")
    refused(world, "web: its task definition runs linux/amd64", "another service with the same image says linux/arm64")


@pytest.mark.parametrize("trouble", ["denied", "gone"])
def test_an_architecture_that_may_not_be_looked_at_is_a_warning_and_never_a_failure(world: World, trouble: str) -> None:
    commit_for(world, "linux/arm64")
    if trouble == "denied":
        world.sim.faults.deny("GetDownloadUrlForLayer", service="ecr")
    else:
        world.sim.ecr.blobs.clear()
    plan = world.run("plan")
    assert plan.document["refusals"] == []
    assert [text for text in plan.document["warnings"] if "what api's image" in text]
    done = world.run("deploy")
    assert done.code == 0
    assert "what api's image" in done.people


def test_an_image_that_runs_already_is_not_looked_at_again(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").count("GetDownloadUrlForLayer") == 2
    done = world.run("deploy")
    assert done.document["outcome"] == "unchanged"
    assert done.count("GetDownloadUrlForLayer") == done.count("GetRepositoryPolicy") == 0
