"""A registry for tests: what docker pushes to it, with ECR's login, shows up in the simulated ECR.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

from deploykit.config.schema import Configuration
from tests.simulator import Simulator, clients

PutManifest = Callable[[str, str, bytes, str], str | None]


class Registry:
    """Takes pushes on a free port of loopback, from those who send ``AWS:`` and the token.

    ``put`` gets repository, tag, manifest and media type of each image; a text it returns refuses the push. ``blobs``
    are shared with whoever else serves them.
    """

    def __init__(self, token: str, put: PutManifest, blobs: dict[str, bytes] | None = None) -> None:
        self.allowed = "Basic " + base64.b64encode(f"AWS:{token}".encode()).decode()
        self.put = put
        self.blobs: dict[str, bytes] = {} if blobs is None else blobs
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.read: list[str] = []  # paths of the manifests and blobs that somebody fetched
        self.uploads: dict[str, bytes] = {}
        self.refused = 0
        owner = self

        class Handler(_Handler):
            registry = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Registry:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        if self.headers.get("Authorization") != self.registry.allowed:
            self.registry.refused += 1
            challenge = 'Basic realm="https://ecr/",service="ecr.amazonaws.com"'
            self._error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        elif path == "/v2/":
            self._answer(200)
        elif "/blobs/" in path:
            self._blob(path, body)
        elif self.command in ("GET", "HEAD"):
            repository, _, name = path.removeprefix("/v2/").rpartition("/manifests/")
            self._give(path, *self.registry.manifests.get((repository, name), (None, "")))
        elif self.command == "PUT":
            repository, _, tag = path.removeprefix("/v2/").rpartition("/manifests/")
            refusal = self.registry.put(repository, tag, body, self.headers["Content-Type"])
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            if refusal:
                self._error(400, "TAG_INVALID", refusal, {})
            else:
                for name in (tag, digest):
                    self.registry.manifests[repository, name] = body, self.headers["Content-Type"]
                self._answer(201, {"Docker-Content-Digest": digest, "Location": path})
        else:
            self._answer(404)

    def _give(self, path: str, content: bytes | None, kind: str = "application/octet-stream") -> None:
        if content is None:
            self._answer(404)
            return
        if self.command == "GET":
            self.registry.read.append(path)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self._answer(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, content)

    def _blob(self, path: str, body: bytes) -> None:
        place, _, name = path.rpartition("/")
        blobs, uploads = self.registry.blobs, self.registry.uploads
        if self.command in ("GET", "HEAD"):
            self._give(path, blobs.get(name))
        elif self.command == "POST":
            upload = uuid.uuid4().hex
            uploads[upload] = b""
            self._answer(202, {"Location": f"{path.rstrip('/')}/{upload}", "Docker-Upload-UUID": upload})
        elif self.command == "PATCH":
            uploads[name] += body
            last = str(len(uploads[name]) - 1)
            self._answer(202, {"Location": path, "Docker-Upload-UUID": name, "Range": f"0-{last}"})
        else:
            content = uploads.pop(name) + body
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            blobs[digest] = content
            self._answer(201, {"Location": f"{place}/{digest}", "Docker-Content-Digest": digest})

    def _error(self, status: int, code: str, text: str, headers: dict[str, str]) -> None:
        body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
        self._answer(status, {"Content-Type": "application/json", **headers}, body)

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        whole = {"Docker-Distribution-Api-Version": "registry/2.0", "Content-Length": str(len(body)), **(headers or {})}
        for name, value in whole.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class SimulatedEcr:
    """The simulated ECR with a registry in front: what is pushed here is seen there."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.client = clients(sim, "ecr")[0]
        self.lock = threading.Lock()
        self.before_put: Callable[[str, str], None] = lambda repository, tag: None

    def create(self, configuration: Configuration) -> None:
        for name in {service.repository for service in configuration.services.values()}:
            self.client.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")

    def put(self, repository: str, tag: str, manifest: bytes, kind: str) -> str | None:
        with self.lock:
            self.before_put(repository, tag)
            try:
                self.client.put_image(
                    repositoryName=repository,
                    imageManifest=manifest.decode(),
                    imageManifestMediaType=kind,
                    imageTag=tag,
                )
            except self.client.exceptions.ImageTagAlreadyExistsException as error:
                return str(error.response["Error"]["Message"])
            except self.client.exceptions.RepositoryNotFoundException as error:
                return f"name unknown: {error.response['Error']['Message']}"
        return None
