"""Objects in S3, written under conditions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError

from deploykit.edges.aws.session import Aws, AwsRefused, AwsUnreachable, NotAllowed
from deploykit.edges.objects import Changed, Kept, Missing, Taken
from deploykit.errors import FailedBefore

# 412: the condition did not hold. 409: another write of the same object was under way:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
_CONFLICTS = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_ABSENT = frozenset({"NoSuchKey", "404"})
# S3 names the operation where IAM has another word for it:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_ACTIONS = {"ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject"}


class S3Objects:
    """Objects under ``s3://bucket/prefix``; the version is the ETag."""

    def __init__(self, aws: Aws, bucket: str, prefix: str = "") -> None:
        self._aws = aws
        self.bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self._prefix}".rstrip("/")

    def names(self, under: str) -> list[str]:
        asked = {"Bucket": self.bucket, "Prefix": self._prefix + under}
        with self._explained("ListObjectsV2"):
            listed = [str(item["Key"]) for item in self._aws.pages("s3", "ListObjectsV2", "Contents", **asked)]
        return [key.removeprefix(self._prefix) for key in listed]

    def read(self, name: str) -> Kept:
        try:
            answer = self._call("GetObject", name)
        except AwsRefused as error:
            if error.error in _ABSENT:
                raise Missing(f"{self._address(name)} does not exist") from error
            raise
        try:
            return Kept(answer["Body"].read(), str(answer["ETag"]))
        except BotoCoreError as error:  # the body is read after the call has returned
            raise AwsUnreachable(f"{self._address(name)} could not be read to its end: {error}") from error

    def create(self, name: str, body: bytes) -> str:
        try:
            return self._put(name, body, IfNoneMatch="*")
        except AwsRefused as error:
            if error.error not in _CONFLICTS:
                raise
            return self._ours(name, body) or self._raise(Taken, name, "exists already")

    def replace(self, name: str, body: bytes, version: str) -> str:
        try:
            return self._put(name, body, IfMatch=version)
        except AwsRefused as error:
            if error.error in _ABSENT:
                raise Missing(f"{self._address(name)} does not exist any more") from error
            if error.error not in _CONFLICTS:
                raise
            return self._ours(name, body) or self._raise(Changed, name, "was changed by another run")

    def delete(self, name: str, version: str) -> None:
        try:
            self._call("DeleteObject", name, IfMatch=version)
        except AwsRefused as error:
            if error.error in _CONFLICTS:
                self._raise(Changed, name, "was changed by another run")
            if error.error not in _ABSENT:
                raise

    def _put(self, name: str, body: bytes, **condition: str) -> str:
        answer = self._call("PutObject", name, Body=body, ContentType="application/json", **condition)
        return str(answer["ETag"])

    def _ours(self, name: str, body: bytes) -> str | None:
        """The version, where what stands there is what was just sent: a retry after a lost answer meets itself."""
        try:
            kept = self.read(name)
        except Missing:
            return None
        return kept.version if kept.body == body else None

    def _call(self, operation: str, name: str, **parameters: Any) -> dict[str, Any]:
        with self._explained(operation):
            return self._aws.call("s3", operation, Bucket=self.bucket, Key=self._prefix + name, **parameters)

    def _address(self, name: str) -> str:
        return f"s3://{self.bucket}/{self._prefix}{name}"

    def _raise(self, kind: type[Taken] | type[Changed], name: str, words: str) -> NoReturn:
        raise kind(f"{self._address(name)} {words}", "run the command again")

    @contextmanager
    def _explained(self, operation: str) -> Iterator[None]:
        """Say the bucket's name and what to type, where S3 leaves that out."""
        try:
            yield
        except NotAllowed as error:
            action = _ACTIONS.get(operation, error.action)
            raise NotAllowed(action, f"on bucket {self.bucket}, named by `state` in deploykit.toml") from error
        except AwsRefused as error:
            if error.error != "NoSuchBucket":
                raise
            raise FailedBefore(
                f"the state bucket {self.bucket} does not exist", create_bucket_lines(self.bucket, self._aws.region)
            ) from error


def create_bucket_lines(bucket: str, region: str) -> str:
    """The commands that make a state bucket, to type.

    us-east-1 takes no location: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    """
    place = "" if region == "us-east-1" else f" --create-bucket-configuration LocationConstraint={region}"
    return (
        f"aws s3api create-bucket --bucket {bucket} --region {region}{place}\n"
        f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
    )
