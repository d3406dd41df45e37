"""One script of raw boto3 calls that must end the same way wherever it runs: simulator, sandbox, AWS.

``run`` returns what it saw, state names and error codes, as (label, word) pairs; ``EXPECTED`` is what AWS's
documentation says. It leaves one service (deleted), its task definitions, some objects and two tags behind.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from tests.simulator.conformance_ecs import EcsScript
from tests.simulator.conformance_world import Seen, World, word

__all__ = ["EXPECTED", "World", "run"]

Json = dict[str, Any]

EXPECTED: Seen = [
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
    ("a registered revision", "ACTIVE"),
    ("an unknown revision", "ClientException"),
    ("an unknown family", "ClientException"),
    ("tags of a revision, set later", "sha=abc"),
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html (rolloutState)
    ("first rollout", "IN_PROGRESS COMPLETED"),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
    ("a missing service", "MISSING"),
    ("update of a missing service", "ServiceNotFoundException"),
    ("a missing cluster", "ClusterNotFoundException"),
    ("eleven services in one call", "InvalidParameterException"),
    ("update to an unknown revision", "ClientException"),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister-task-definition-v2.html
    ("a deregistered revision", "INACTIVE"),
    ("the family goes on with", "the newest active"),
    ("update to a deregistered revision", "ClientException"),
    ("second rollout", "IN_PROGRESS COMPLETED"),
    ("its service deployment", "SUCCESSFUL"),
    ("its tasks were started by", "the deployment"),
    ("its tasks' group", "the service"),
    ("its tasks show a digest", "yes"),
    ("the old tasks' stop code", "ServiceSchedulerInitiated"),
    ("deployments left", "1"),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    ("crash loop under a breaker", "IN_PROGRESS FAILED"),
    ("who is PRIMARY then", "the one before"),
    ("its service deployment ends", "ROLLBACK_SUCCESSFUL"),
    ("the crashed tasks' stop code", "EssentialContainerExited"),
    ("the crashed tasks' exit code", "3"),
    ("failed deployments left", "0"),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
    ("stopping a finished service deployment", "ConflictException"),
    ("stopping an unknown one", "ServiceDeploymentNotFoundException"),
    ("stopping one under way", "ROLLBACK_SUCCESSFUL"),
    ("what runs after the stop", "the one before"),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
    ("a superseded service deployment", "STOPPED"),
    ("what superseded it", "IN_PROGRESS COMPLETED"),
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
    ("stopping an unknown task", "InvalidParameterException"),
    ("a missing task", "MISSING"),
    ("a task stopped by hand", "UserInitiated"),
    ("its replacement makes", "as many as desired"),
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    ("a missing image", "ImageNotFoundException"),
    ("images of a missing repository", "RepositoryNotFoundException"),
    ("a missing repository", "RepositoryNotFoundException"),
    ("a missing image in a batch", "ImageNotFound"),
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    ("a second tag on an image", "the same digest"),
    ("an immutable tag for another image", "ImageTagAlreadyExistsException"),
    ("an immutable tag for its own image", "exists already"),
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
    ("the platform in an image's configuration", "linux"),
    ("a missing layer", "LayersNotFoundException"),
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRepositoryPolicy.html
    ("no repository policy", "RepositoryPolicyNotFoundException"),
    ("a repository policy", "as it was set"),
    ("the policy of a missing repository", "RepositoryNotFoundException"),
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    ("first write, If-None-Match", "done"),
    ("second write, If-None-Match", "PreconditionFailed"),
    ("write with the right If-Match", "done"),
    ("write with an old If-Match", "PreconditionFailed"),
    ("write with If-Match where nothing is", "NoSuchKey"),
    ("delete with an old If-Match", "PreconditionFailed"),
    ("delete with the right If-Match", "done"),
    ("delete with If-Match where nothing is", "NoSuchKey"),
    ("eight first writes at once", "one done"),
    # https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
    ("Date, of what was just written", "as Last-Modified"),
    ("Date, after a while", "later by as much"),
    ("reading what is gone", "NoSuchKey"),
    ("asking for what is gone", "404"),
    ("listing after a key", "b c"),
    # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_InvalidationBatch.html
    ("a new invalidation", "InProgress"),
    ("same reference, same paths", "the same one"),
    ("same reference, other paths", "InvalidationBatchAlreadyExists"),
    ("a path without a slash", "InvalidArgument"),
    ("an unknown distribution", "NoSuchDistribution"),
    ("an unknown invalidation", "NoSuchInvalidation"),
    ("the invalidation in the end", "Completed"),
    ("same reference after the end", "the same one"),
]


def run(ecs: Any, ecr: Any, s3: Any, cloudfront: Any, world: World) -> Seen:
    """Every step, in the order of ``EXPECTED``. The clients must not retry."""
    seen: Seen = []
    EcsScript(ecs, world, seen).run()
    images(ecr, world, seen)
    objects(s3, world, seen)
    invalidations(cloudfront, world, seen)
    return seen


def images(ecr: Any, world: World, seen: Seen) -> None:
    name, missing = world.repository, [{"imageTag": f"{world.prefix}-nothing"}]
    nowhere = f"{world.prefix}-nowhere"
    seen.append(("a missing image", word(lambda: ecr.describe_images(repositoryName=name, imageIds=missing))))
    seen.append(("images of a missing repository", word(lambda: ecr.describe_images(repositoryName=nowhere))))
    seen.append(("a missing repository", word(lambda: ecr.describe_repositories(repositoryNames=[nowhere]))))
    failure = ecr.batch_get_image(repositoryName=name, imageIds=missing)["failures"][0]
    seen.append(("a missing image in a batch", failure["failureCode"]))

    image = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": world.tag}])["images"][0]
    kind = {"imageManifestMediaType": image["imageManifestMediaType"]} if "imageManifestMediaType" in image else {}

    def put(manifest: str, tag: str) -> Any:
        return ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=tag, **kind)

    put(image["imageManifest"], f"{world.prefix}-second")
    again = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": f"{world.prefix}-second"}])
    same = again["imageDetails"][0]["imageDigest"] == image["imageId"]["imageDigest"]
    seen.append(("a second tag on an image", "the same digest" if same else "another digest"))
    # Other white space makes other bytes, so another digest, of an image that is just as valid.
    manifest = json.dumps(json.loads(image["imageManifest"]), indent=7)
    seen.append(("an immutable tag for another image", word(lambda: put(manifest, world.tag))))
    own = word(lambda: put(image["imageManifest"], world.tag))
    # The API reference lists both for this case, and both are reported of immutable repositories.
    either = own in ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException")
    seen.append(("an immutable tag for its own image", "exists already" if either else own))
    layers(ecr, name, json.loads(image["imageManifest"])["config"]["digest"], seen)
    policies(ecr, name, nowhere, seen)


def layers(ecr: Any, name: str, digest: str, seen: Seen) -> None:
    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest)["downloadUrl"]
    with urllib.request.urlopen(url, timeout=20) as answer:
        body = answer.read()
    whole = f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
    seen.append(("the platform in an image's configuration", json.loads(body)["os"] if whole else "another blob"))
    none = f"sha256:{0:064x}"
    missing = word(lambda: ecr.get_download_url_for_layer(repositoryName=name, layerDigest=none))
    seen.append(("a missing layer", missing))


def policies(ecr: Any, name: str, nowhere: str, seen: Seen) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": []})
    seen.append(("no repository policy", word(lambda: ecr.get_repository_policy(repositoryName=name))))
    ecr.set_repository_policy(repositoryName=name, policyText=text)
    same = json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"]) == json.loads(text)
    seen.append(("a repository policy", "as it was set" if same else "another one"))
    ecr.delete_repository_policy(repositoryName=name)
    there = word(lambda: ecr.get_repository_policy(repositoryName=nowhere))
    seen.append(("the policy of a missing repository", there))


def objects(s3: Any, world: World, seen: Seen) -> None:
    place: Json = {"Bucket": world.bucket, "Key": f"{world.prefix}/lease"}
    seen.append(("first write, If-None-Match", word(lambda: s3.put_object(**place, Body=b"1", IfNoneMatch="*"))))
    seen.append(("second write, If-None-Match", word(lambda: s3.put_object(**place, Body=b"2", IfNoneMatch="*"))))
    old = s3.head_object(**place)["ETag"]
    seen.append(("write with the right If-Match", word(lambda: s3.put_object(**place, Body=b"3", IfMatch=old))))
    seen.append(("write with an old If-Match", word(lambda: s3.put_object(**place, Body=b"4", IfMatch=old))))
    nothing = {**place, "Key": f"{world.prefix}/nothing"}
    missing = word(lambda: s3.put_object(**nothing, Body=b"5", IfMatch=old))
    seen.append(("write with If-Match where nothing is", missing))
    new = s3.head_object(**place)["ETag"]
    seen.append(("delete with an old If-Match", word(lambda: s3.delete_object(**place, IfMatch=old))))
    seen.append(("delete with the right If-Match", word(lambda: s3.delete_object(**place, IfMatch=new))))
    missing = word(lambda: s3.delete_object(**nothing, IfMatch=old))
    seen.append(("delete with If-Match where nothing is", missing))
    ages(s3, world, seen)
    seen.append(("reading what is gone", word(lambda: s3.get_object(**place))))
    seen.append(("asking for what is gone", word(lambda: s3.head_object(**place))))
    listed = f"{world.prefix}/list/"
    for name in "abc":
        s3.put_object(Bucket=world.bucket, Key=listed + name, Body=b"")
    found = s3.list_objects_v2(Bucket=world.bucket, Prefix=listed, StartAfter=f"{listed}a")["Contents"]
    seen.append(("listing after a key", " ".join(entry["Key"].removeprefix(listed) for entry in found)))


def ages(s3: Any, world: World, seen: Seen) -> None:
    """Of several runs one gets a name, and how old its object is, the service's clock alone tells, in whole seconds."""
    place: Json = {"Bucket": world.bucket, "Key": f"{world.prefix}/turn"}
    with ThreadPoolExecutor() as threads:
        done = [
            threads.submit(word, partial(s3.put_object, **place, Body=f"{number}", IfNoneMatch="*"))
            for number in range(8)
        ]
    won = [each.result() for each in done].count("done")
    seen.append(("eight first writes at once", "one done" if won == 1 else f"{won} done"))

    def age() -> float:
        answer = s3.get_object(**place)
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return float((now - answer["LastModified"]).total_seconds())

    new = age()
    seen.append(("Date, of what was just written", "as Last-Modified" if new in (0, 1) else f"{new} s off"))
    world.pass_time(3)
    old = age()
    seen.append(("Date, after a while", "later by as much" if old in (3, 4) else f"{old} s later"))


def invalidations(cloudfront: Any, world: World, seen: Seen) -> None:
    def create(reference: str, *paths: str, distribution: str = world.distribution) -> Any:
        batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
        return cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch)["Invalidation"]

    reference = f"{world.prefix}-1"
    first = create(reference, "/*")
    seen.append(("a new invalidation", first["Status"]))
    again = create(reference, "/*")
    seen.append(("same reference, same paths", "the same one" if again["Id"] == first["Id"] else "another"))
    seen.append(("same reference, other paths", word(lambda: create(reference, "/other"))))
    seen.append(("a path without a slash", word(lambda: create(f"{world.prefix}-2", "about"))))
    unknown = word(lambda: create(f"{world.prefix}-3", "/*", distribution="E0000000000000"))
    seen.append(("an unknown distribution", unknown))
    place: Json = {"DistributionId": world.distribution}
    missing = word(lambda: cloudfront.get_invalidation(**place, Id="I0000000000000"))
    seen.append(("an unknown invalidation", missing))
    waited, status = 0.0, first["Status"]
    while status != "Completed" and waited < world.patience:
        world.pass_time(world.step)
        waited += world.step
        status = cloudfront.get_invalidation(**place, Id=first["Id"])["Invalidation"]["Status"]
    seen.append(("the invalidation in the end", status))
    again = create(reference, "/*")
    seen.append(("same reference after the end", "the same one" if again["Id"] == first["Id"] else "another"))
