"""The registry, asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from deploykit.build.images import find_images
from deploykit.config.schema import Configuration
from deploykit.edges.aws import ecr
from deploykit.edges.aws.session import Aws
from deploykit.errors import FailedBefore
from deploykit.model.release import Commit
from tests.simulator import Simulator, clients
from tests.unit.config_files import read
from tests.unit.test_build_sources import HEAD, SERVICES

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"
COMMIT = Commit("a" * 40)


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator() as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL", simulator.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield simulator


@pytest.fixture
def aws(sim: Simulator) -> Aws:
    return Aws(sim.region)


@pytest.fixture
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    return read(tmp_path_factory.mktemp("shop"), HEAD + SERVICES)


def test_an_image_is_found_with_both_its_digests(sim: Simulator, aws: Aws) -> None:
    digest = sim.ecr.push("shop/web", "one", config_digest="sha256:" + "c" * 64)
    found = ecr.find_image(aws, "shop/web", "one", URI)
    assert found is not None
    assert (found.reference, found.tag) == (f"{URI}@{digest}", "one")
    assert found.config_digest == "sha256:" + "c" * 64
    assert ecr.find_image(aws, "shop/web", "two", URI) is None


def test_an_index_has_no_config(sim: Simulator, aws: Aws) -> None:
    sim.ecr.push("shop/web", "one")
    kind = "application/vnd.oci.image.index.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": []})
    clients(sim, "ecr")[0].put_image(
        repositoryName="shop/web", imageManifest=manifest, imageManifestMediaType=kind, imageTag="many"
    )
    found = ecr.find_image(aws, "shop/web", "many", URI)
    assert found is not None
    assert found.config_digest is None


def test_a_missing_repository_says_how_to_make_it(aws: Aws) -> None:
    with pytest.raises(FailedBefore) as caught:
        ecr.find_image(aws, "shop/web", "one", URI)
    assert "the ECR repository shop/web does not exist in us-east-1" in caught.value.message
    line = "aws ecr create-repository --repository-name shop/web --image-tag-mutability IMMUTABLE --region us-east-1"
    assert f"`{line}`" in caught.value.hint
    with pytest.raises(FailedBefore, match="does not exist"):
        ecr.find_images(aws, "shop/web", ["one"], URI)


def test_a_second_tag_names_the_same_image_and_may_be_asked_for_twice(sim: Simulator, aws: Aws) -> None:
    digest = sim.ecr.push("shop/web", "one")
    first = ecr.find_image(aws, "shop/web", "one", URI)
    assert first is not None
    for _ in range(2):
        second = ecr.retag(aws, first, "two")
        assert (second.digest, second.tag) == (digest, "two")
    assert ecr.find_image(aws, "shop/web", "two", URI) == second


def test_a_tag_that_is_another_images_is_not_taken(sim: Simulator, aws: Aws) -> None:
    sim.ecr.push("shop/web", "one")
    other = sim.ecr.push("shop/web", "two")
    first = ecr.find_image(aws, "shop/web", "one", URI)
    assert first is not None
    with pytest.raises(FailedBefore) as caught:
        ecr.retag(aws, first, "two")
    assert f"belongs to {other}" in caught.value.message


def test_the_login_is_that_of_the_authorization_token(sim: Simulator, aws: Aws) -> None:
    login = ecr.login(aws)
    assert (login.username, login.password, login.endpoint) == ("AWS", "simulated", f"https://{sim.ecr.host}")


@pytest.mark.parametrize(
    ("region", "registry", "uri"),
    [
        ("us-east-1", None, "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"),
        ("cn-north-1", None, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/web"),
        ("us-east-1", "127.0.0.1:4566", "127.0.0.1:4566/shop/web"),
    ],
)
def test_images_are_at_ecr_or_where_the_configuration_says(region: str, registry: str | None, uri: str) -> None:
    assert ecr.image_uri("123456789012", region, "shop/web", registry) == uri


def test_services_that_share_an_image_find_the_same_one(sim: Simulator, aws: Aws, configuration: Configuration) -> None:
    sim.ecr.push("shop/web", "other")
    sim.ecr.push("shop/api", COMMIT.tag)
    found = find_images(aws, configuration, COMMIT, configuration.services)
    assert found["web"] is None
    assert found["worker"] == found["api"]
    assert found["api"] is not None
    assert aws.calls == {"ecr:BatchGetImage": 2}
    assert find_images(aws, configuration, COMMIT, ["worker"]) == {"worker": found["api"]}
