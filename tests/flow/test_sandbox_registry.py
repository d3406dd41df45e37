"""The sandbox's registry and ECR answer as AWS's do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile

import pytest

from tests.flow.sandbox_kit import Sandbox, docker, sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.sandbox


def test_the_registry_lets_nobody_in_without_a_token_from_ecr(sandbox: Sandbox) -> None:
    status, headers, _ = sandbox.request(sandbox.running.registry, "GET", "/v2/")
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic realm=")
    with tempfile.TemporaryDirectory() as home:
        wrong = ["docker", "--config", home, "login", "--username", "AWS", "--password-stdin", sandbox.running.registry]
        assert subprocess.run(wrong, input="wrong", capture_output=True, text=True, check=False).returncode != 0
        docker("--config", home, "login", "--username", "AWS", "--password-stdin", sandbox.running.registry,
               text=sandbox.password())  # fmt: skip


def test_a_task_runs_an_image_the_engine_has_to_pull(sandbox: Sandbox) -> None:
    image = sandbox.pushed("shop/site", "pulled", "pulled")
    docker("image", "rm", "--force", image.partition("@")[0] + ":pulled", image)
    sandbox.roll_out("test-site", image, VERSION="pulled")
    sandbox.steady("test-site")
    assert '"pulled"' in sandbox.direct("/version")[2]
    sandbox.well("test-site")


def test_an_image_named_by_ecrs_own_host_is_found(sandbox: Sandbox) -> None:
    image = sandbox.pushed("shop/site", "1")
    found = sandbox.client("ecr").describe_repositories(repositoryNames=["shop/site"])["repositories"]
    name = found[0]["repositoryUri"]
    sandbox.roll_out("test-site", f"{name}@{image.partition('@')[2]}", VERSION="by-name")
    sandbox.steady("test-site")
    assert '"by-name"' in sandbox.direct("/version")[2]
    sandbox.well("test-site")


def test_immutable_tags_and_missing_images_are_refused_by_name(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    first = sandbox.pushed("shop/api", "fixed", "first").partition("@")[2]
    other = sandbox.pushed("shop/api", "other", "other").partition("@")[2]
    assert first != other
    with pytest.raises(ecr.exceptions.ImageNotFoundException, match="imageTag:'none'"):
        ecr.describe_images(repositoryName="shop/api", imageIds=[{"imageTag": "none"}])
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_images(repositoryName="shop/none", imageIds=[{"imageTag": "none"}])
    got = ecr.batch_get_image(repositoryName="shop/api", imageIds=[{"imageTag": "fixed"}, {"imageTag": "none"}])
    assert got["images"][0]["imageId"] == {"imageTag": "fixed", "imageDigest": first}
    assert got["failures"][0]["failureCode"] == "ImageNotFound"
    manifest = {"imageManifest": got["images"][0]["imageManifest"],
                "imageManifestMediaType": got["images"][0]["imageManifestMediaType"]}  # fmt: skip
    ecr.put_image(repositoryName="shop/api", imageTag="second-name", **manifest)
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(repositoryName="shop/api", imageTag="fixed", **manifest)
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(repositoryName="shop/api", imageTag="other", **manifest)
    with pytest.raises(ecr.exceptions.ImageDigestDoesNotMatchException):
        ecr.put_image(repositoryName="shop/api", imageTag="new", imageDigest=other, **manifest)
    listed = ecr.list_images(repositoryName="shop/api")["imageIds"]
    assert {"imageDigest": first, "imageTag": "fixed"} in listed
    assert {"imageDigest": first, "imageTag": "second-name"} in listed
    size = ecr.describe_images(repositoryName="shop/api", imageIds=[{"imageTag": "fixed"}])["imageDetails"][0]
    assert size["imageSizeInBytes"] > 1_000_000


def test_an_image_s_configuration_can_be_fetched_by_a_presigned_address(sandbox: Sandbox) -> None:
    ecr = sandbox.client("ecr")
    sandbox.pushed("shop/site", "1")
    got = ecr.batch_get_image(repositoryName="shop/site", imageIds=[{"imageTag": "1"}])["images"][0]
    digest = json.loads(got["imageManifest"])["config"]["digest"]
    url = ecr.get_download_url_for_layer(repositoryName="shop/site", layerDigest=digest)["downloadUrl"]
    path = url.removeprefix(f"http://{sandbox.running.registry}")
    status, _, body = sandbox.request(sandbox.running.registry, "GET", path)
    assert (status, json.loads(body)["os"]) == (200, "linux")
    assert f"sha256:{hashlib.sha256(body.encode()).hexdigest()}" == digest
    assert sandbox.request(sandbox.running.registry, "GET", path.partition("?")[0])[0] == 401
    assert sandbox.request(sandbox.running.registry, "GET", f"{path}x")[0] == 401
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName="shop/site", layerDigest="sha256:" + "0" * 64)


def test_a_repository_has_no_policy_until_it_gets_one(sandbox: Sandbox) -> None:
    ecr, policy = sandbox.client("ecr"), '{"Version": "2012-10-17", "Statement": []}'
    with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
        ecr.get_repository_policy(repositoryName="shop/worker")
    ecr.set_repository_policy(repositoryName="shop/worker", policyText=policy)
    assert ecr.get_repository_policy(repositoryName="shop/worker")["policyText"] == policy
    ecr.delete_repository_policy(repositoryName="shop/worker")
