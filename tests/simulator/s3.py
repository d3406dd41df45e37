"""The simulated S3: path-style buckets with conditional writes."""

from __future__ import annotations

import hashlib
import urllib.parse
from dataclasses import dataclass, field
from email.utils import formatdate
from xml.sax.saxutils import escape

from tests.simulator.clock import VirtualClock
from tests.simulator.errors import AwsError
from tests.simulator.protocol import Request, Response, iso


@dataclass
class Stored:
    body: bytes
    modified: float
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'


class S3:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html"""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.buckets: dict[str, dict[str, Stored]] = {}

    def operation(self, request: Request) -> str:
        """The operation's name, from method and path."""
        _, _, key = request.path.lstrip("/").partition("/")
        if not key:
            listing = "ListObjectsV2" if request.query.get("list-type") == "2" else "ListBuckets"
            return {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}.get(request.method, listing)
        return {"PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(request.method, "GetObject")

    def call(self, operation: str, request: Request) -> Response:
        bucket, _, key = urllib.parse.unquote(request.path.lstrip("/")).partition("/")
        if operation == "CreateBucket":
            if bucket in self.buckets:
                raise AwsError("BucketAlreadyOwnedByYou", "You already own this bucket.", 409)
            self.buckets[bucket] = {}
            return Response(200, b"", {"Location": f"/{bucket}"})
        if bucket not in self.buckets:
            code = "404" if request.method == "HEAD" else "NoSuchBucket"
            raise AwsError(code, "The specified bucket does not exist", 404)
        objects = self.buckets[bucket]
        if operation == "ListObjectsV2":
            return self._list(bucket, objects, request.query)
        if operation in ("HeadBucket", "ListBuckets"):
            return Response(200, b"", {"x-amz-bucket-region": "us-east-1"})
        if operation == "PutObject":
            return self._put(objects, key, request)
        if operation == "DeleteObject":
            return self._delete(objects, key, request)
        return self._get(objects, key, request)

    def _check(self, stored: Stored | None, request: Request) -> None:
        """If-None-Match: * and If-Match on writes.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        failed = AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
        if request.headers.get("if-none-match") == "*" and stored is not None:
            raise failed
        expected = request.headers.get("if-match")
        if expected is None:
            return
        if stored is None:
            # "If the object does not exist: 404 Not Found"
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        if expected not in ("*", stored.etag, stored.etag.strip('"')):
            raise failed

    def _put(self, objects: dict[str, Stored], key: str, request: Request) -> Response:
        self._check(objects.get(key), request)
        body = request.body
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            body = _unchunk(body)
        kept = {n: v for n, v in request.headers.items() if n.startswith("x-amz-meta-") or n == "content-type"}
        objects[key] = Stored(body, self.clock.stamp, kept)
        return Response(200, b"", {"ETag": objects[key].etag})

    def _delete(self, objects: dict[str, Stored], key: str, request: Request) -> Response:
        self._check(objects.get(key), request)
        objects.pop(key, None)
        return Response(204)

    def _get(self, objects: dict[str, Stored], key: str, request: Request) -> Response:
        stored = objects.get(key)
        if stored is None:
            code = "404" if request.method == "HEAD" else "NoSuchKey"
            raise AwsError(code, "The specified key does not exist.", 404)
        headers = {"ETag": stored.etag, "Last-Modified": formatdate(int(stored.modified), usegmt=True)}
        return Response(200, stored.body, {**stored.headers, **headers})

    def _list(self, bucket: str, objects: dict[str, Stored], query: dict[str, str]) -> Response:
        prefix, size = query.get("prefix", ""), min(1000, int(query.get("max-keys", "1000")))
        after = query.get("continuation-token") or query.get("start-after", "")
        delimiter = query.get("delimiter")
        entries: list[tuple[str, bool]] = []
        for key in sorted(objects):
            if not key.startswith(prefix):
                continue
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            entry = (prefix + head + found, True) if found else (key, False)
            if entry[0] > after and entry not in entries[-1:]:
                entries.append(entry)
        shown, more = entries[:size], len(entries) > size
        encode = urllib.parse.quote if query.get("encoding-type") == "url" else escape
        parts = [f"<Name>{bucket}</Name><Prefix>{encode(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount>"]
        parts.append(f"<MaxKeys>{size}</MaxKeys><IsTruncated>{'true' if more else 'false'}</IsTruncated>")
        if query.get("encoding-type"):
            parts.append("<EncodingType>url</EncodingType>")
        if more:
            parts.append(f"<NextContinuationToken>{escape(shown[-1][0])}</NextContinuationToken>")
        for name, common in shown:
            if common:
                parts.append(f"<CommonPrefixes><Prefix>{encode(name)}</Prefix></CommonPrefixes>")
                continue
            stored = objects[name]
            parts.append(
                f"<Contents><Key>{encode(name)}</Key><LastModified>{iso(stored.modified)}</LastModified>"
                f"<ETag>{escape(stored.etag)}</ETag><Size>{len(stored.body)}</Size></Contents>"
            )
        return Response(200, f"<ListBucketResult>{''.join(parts)}</ListBucketResult>".encode())


def _unchunk(body: bytes) -> bytes:
    """The content of an aws-chunked body; trailing checksums are not kept."""
    out, rest = b"", body
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        out, rest = out + rest[:size], rest[size + 2 :]
    return out
