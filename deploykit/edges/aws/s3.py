"""Objects in S3, written with conditional requests.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError

from deploykit.edges.aws.session import Aws, AwsRefused, AwsUnreachable, NotAllowed
from deploykit.edges.objects import AgedObject, AlreadyExists, Conflict, NotFound, StoredObject
from deploykit.errors import FailedBefore

# 412: the condition was not met. 409: another write of the same object was in progress:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
_CONFLICTS = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_ABSENT = frozenset({"NoSuchKey", "404"})
# S3 operations whose IAM action has another name:
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
        return list(self.versions(under))

    def versions(self, under: str) -> dict[str, str]:
        asked = {"Bucket": self.bucket, "Prefix": self._prefix + under}
        with self._explained("ListObjectsV2"):
            listed = list(self._aws.pages("s3", "ListObjectsV2", "Contents", **asked))
        return {str(item["Key"]).removeprefix(self._prefix): str(item["ETag"]) for item in listed}

    def read(self, name: str) -> StoredObject:
        body, answer = self._get(name)
        return StoredObject(body, str(answer["ETag"]))

    def read_aged(self, name: str) -> AgedObject:
        body, answer = self._get(name)
        written: datetime = answer["LastModified"]
        # RFC 9110: Date is when the answer was made, by the clock that Last-Modified is of; both are whole seconds
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return AgedObject(body, str(answer["ETag"]), written, (now - written).total_seconds())

    def _get(self, name: str) -> tuple[bytes, Mapping[str, Any]]:
        try:
            answer = self._call("GetObject", name)
        except AwsRefused as error:
            if error.error in _ABSENT:
                raise NotFound(f"{self._address(name)} does not exist") from error
            raise
        try:
            return answer["Body"].read(), answer
        except BotoCoreError as error:  # the body is read after the call has returned
            raise AwsUnreachable(f"{self._address(name)} could not be read completely: {error}") from error

    def create(self, name: str, body: bytes) -> str:
        try:
            with self._explained("PutObject"):
                return str(self._aws.call("s3", "PutObject", IfNoneMatch="*", **self._object(name, body))["ETag"])
        except AwsRefused as error:
            if error.error not in _CONFLICTS:
                raise
            return self._ours(name, body) or self._raise(AlreadyExists, name, "already exists")

    def replace(self, name: str, body: bytes, version: str) -> str:
        try:
            with self._explained("PutObject"):
                return str(self._aws.call("s3", "PutObject", IfMatch=version, **self._object(name, body))["ETag"])
        except AwsRefused as error:
            if error.error in _ABSENT:
                raise NotFound(f"{self._address(name)} no longer exists") from error
            if error.error not in _CONFLICTS:
                raise
            return self._ours(name, body) or self._raise(Conflict, name, "was changed by another run")

    def delete(self, name: str, version: str) -> None:
        try:
            self._call("DeleteObject", name, IfMatch=version)
        except AwsRefused as error:
            if error.error in _CONFLICTS:
                self._raise(Conflict, name, "was changed by another run")
            if error.error not in _ABSENT:
                raise

    def _object(self, name: str, body: bytes) -> dict[str, Any]:
        key = self._prefix + name
        return {"Bucket": self.bucket, "Key": key, "Body": body, "ContentType": "application/json"}

    def _ours(self, name: str, body: bytes) -> str | None:
        """The object's version where its body is the one just sent: the write arrived and its response was lost."""
        try:
            found = self.read(name)
        except NotFound:
            return None
        return found.version if found.body == body else None

    def _call(self, operation: str, name: str, **parameters: Any) -> dict[str, Any]:
        with self._explained(operation):
            return self._aws.call("s3", operation, Bucket=self.bucket, Key=self._prefix + name, **parameters)

    def _address(self, name: str) -> str:
        return f"s3://{self.bucket}/{self._prefix}{name}"

    def _raise(self, kind: type[AlreadyExists] | type[Conflict], name: str, words: str) -> NoReturn:
        raise kind(f"{self._address(name)} {words}", "run the command again")

    @contextmanager
    def _explained(self, operation: str) -> Iterator[None]:
        """Name the bucket in errors of S3; where it does not exist, add the commands that create it."""
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
    """The commands that create a state bucket, one a line.

    us-east-1 is the one region that must not be named as a location:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    """
    place = "" if region == "us-east-1" else f" --create-bucket-configuration LocationConstraint={region}"
    return (
        f"aws s3api create-bucket --bucket {bucket} --region {region}{place}\n"
        f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
    )
