"""The registry, asked over HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from deploykit.edges.aws import ecr
from deploykit.edges.aws.ecr_names import image_uri
from deploykit.edges.aws.ecr_platforms import image_platforms
from deploykit.edges.aws.session import Aws, AwsRefused, AwsUnreachable
from deploykit.errors import FailedBefore
from tests.simulator import Simulator, clients

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"
MANIFESTS = [
    {"digest": "sha256:" + "1" * 64, "platform": {"os": "linux", "architecture": "amd64"}},
    {"digest": "sha256:" + "2" * 64, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
    {"digest": "sha256:" + "3" * 64, "platform": {"os": "unknown", "architecture": "unknown"}},  # an attestation
]


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


def test_an_image_is_found_with_both_its_digests(sim: Simulator, aws: Aws) -> None:
    digest = sim.ecr.push("shop/web", "one", config_digest="sha256:" + "c" * 64)
    found = ecr.find_images(aws, "shop/web", ["one", "two"], URI)["one"]
    assert (found.reference, found.tag) == (f"{URI}@{digest}", "one")
    assert found.config_digest == "sha256:" + "c" * 64
    assert ecr.find_images(aws, "shop/web", ["two"], URI) == {}


def test_an_index_has_no_config(sim: Simulator, aws: Aws) -> None:
    sim.ecr.push("shop/web", "one")
    kind = "application/vnd.oci.image.index.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": MANIFESTS})
    clients(sim, "ecr")[0].put_image(
        repositoryName="shop/web", imageManifest=manifest, imageManifestMediaType=kind, imageTag="many"
    )
    found = ecr.find_images(aws, "shop/web", ["many"], URI)["many"]
    assert found.config_digest is None
    assert image_platforms(aws, found) == ("linux/amd64", "linux/arm64/v8")
    assert aws.calls == {"ecr:BatchGetImage": 1}


def test_an_image_says_in_its_configuration_what_it_runs_on(sim: Simulator, aws: Aws) -> None:
    sim.ecr.push("shop/web", "one", platform="linux/arm64")
    found = ecr.find_images(aws, "shop/web", ["one"], URI)["one"]
    assert image_platforms(aws, found) == ("linux/arm64",)


@pytest.mark.parametrize("body", [None, b"{}", b"another blob"])
def test_a_configuration_that_cannot_be_had_is_not_guessed(sim: Simulator, aws: Aws, body: bytes | None) -> None:
    sim.ecr.push("shop/web", "one")
    found = ecr.find_images(aws, "shop/web", ["one"], URI)["one"]
    assert found.config_digest is not None
    del sim.ecr.blobs[found.config_digest]
    if body is not None:
        sim.ecr.blobs[found.config_digest] = body
    with pytest.raises((AwsRefused, AwsUnreachable)):
        image_platforms(aws, found)


def test_a_configuration_without_a_platform_says_nothing(sim: Simulator, aws: Aws) -> None:
    body = b'{"architecture": "amd64"}'
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    sim.ecr.blobs[digest] = body
    sim.ecr.push("shop/web", "one", config_digest=digest)
    assert image_platforms(aws, ecr.find_images(aws, "shop/web", ["one"], URI)["one"]) == ()


def test_a_missing_repository_says_how_to_make_it(aws: Aws) -> None:
    with pytest.raises(FailedBefore) as caught:
        ecr.find_images(aws, "shop/web", ["one"], URI)
    assert "the ECR repository shop/web does not exist in us-east-1" in caught.value.message
    line = "aws ecr create-repository --repository-name shop/web --image-tag-mutability IMMUTABLE --region us-east-1"
    assert f"`{line}`" in caught.value.hint
    assert ecr.missing_images(aws, "shop/web", ["one"]) == ["one"]


def test_a_second_tag_names_the_same_image_and_may_be_asked_for_twice(sim: Simulator, aws: Aws) -> None:
    digest = sim.ecr.push("shop/web", "one")
    first = ecr.find_images(aws, "shop/web", ["one"], URI)["one"]
    for _ in range(2):
        second = ecr.retag(aws, first, "two")
        assert (second.digest, second.tag) == (digest, "two")
    assert ecr.find_images(aws, "shop/web", ["two"], URI) == {"two": second}


def test_a_tag_that_is_another_images_is_not_taken(sim: Simulator, aws: Aws) -> None:
    sim.ecr.push("shop/web", "one")
    other = sim.ecr.push("shop/web", "two")
    first = ecr.find_images(aws, "shop/web", ["one"], URI)["one"]
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
        ("eusc-de-east-1", None, "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/shop/web"),
        ("us-gov-west-1", None, "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/shop/web"),
        ("us-isob-east-1", None, "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/shop/web"),
        ("cn-new-9", None, "123456789012.dkr.ecr.cn-new-9.amazonaws.com.cn/shop/web"),  # newer than botocore
        ("moon-base-1", None, "123456789012.dkr.ecr.moon-base-1.amazonaws.com/shop/web"),
        ("us-east-1", "127.0.0.1:4566", "127.0.0.1:4566/shop/web"),
    ],
)
def test_images_are_at_ecr_or_where_the_configuration_says(region: str, registry: str | None, uri: str) -> None:
    assert image_uri("123456789012", region, "shop/web", registry) == uri
