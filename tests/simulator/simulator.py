"""The simulator: all services over one virtual clock, and what a test may script."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from tests.simulator import protocol
from tests.simulator.clock import VirtualClock
from tests.simulator.cloudfront import CloudFront
from tests.simulator.ecr import Ecr
from tests.simulator.ecs_api_tasks import EcsApi
from tests.simulator.ecs_rollout import Scheduler
from tests.simulator.ecs_state import Behaviour, EcsState, TaskDefinition
from tests.simulator.ecs_tasks import Tasks
from tests.simulator.elb import Elb
from tests.simulator.errors import AwsError, ConnectionCut
from tests.simulator.faults import Faults
from tests.simulator.protocol import Request, Response
from tests.simulator.s3 import S3
from tests.simulator.server import HttpServer
from tests.simulator.site import Handler, Route, Site
from tests.simulator.small import Iam, Logs, Secrets, Ssm, Sts

Json = dict[str, Any]
REGISTRY = re.compile(r"^(\d{12}\.dkr\.ecr\.[^/]+|127\.0\.0\.1:\d+|localhost:\d+)/")


@dataclass
class Call:
    """One call as it came in: ``at`` is the virtual time, ``error`` the code it ended with.

    ``region`` is the one it was signed for.
    """

    service: str
    operation: str
    params: Json
    at: float
    error: str | None = None
    region: str = ""


class Simulator:
    """A stateful AWS on loopback. Use as a context manager, or ``start()`` and ``stop()``.

    ``url`` is boto3's endpoint_url and, for requests without AWS's signature, the site. ``clock`` is the only time
    there is. ``calls`` lists every AWS call; ``faults`` plans failures.
    """

    def __init__(self, *, account: str = "108581769167", region: str = "us-east-1", seed: int = 1) -> None:
        self.account, self.region = account, region
        self.clock = VirtualClock()
        self.calls: list[Call] = []
        self.faults = Faults(account)
        self.behaviours: dict[str, Behaviour] = {}
        self.default_behaviour = Behaviour()
        self.state = EcsState(self.clock, region, account)
        self.ecr = Ecr(self.clock, region, account)
        self.secrets, self.logs = Secrets(self.clock, region, account), Logs(self.clock, region, account)
        self._logs = {region: self.logs}
        self.iam, self.ssm, self.sts = Iam(self.clock, account), Ssm(), Sts(self.clock, account)
        self.tasks = Tasks(self.state, self)
        self.scheduler = Scheduler(self.state, self.tasks)
        self.ecs = EcsApi(self.state, self.tasks, self.scheduler)
        self.data_plane = Site(self.state, seed, self._secret_value)
        self.elb = Elb(self.state, self.data_plane)
        self.s3, self.cloudfront = S3(self.clock), CloudFront(self.clock, account)
        self._server = HttpServer(self.handle, self.clock)
        self._table: dict[str, Any] = {
            "ecs": self.ecs,
            "ecr": self.ecr,
            "secretsmanager": self.secrets,
            "ssm": self.ssm,
            "sts": self.sts,
            "iam": self.iam,
            "elbv2": self.elb,
        }

    # -- running ---------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> Simulator:
        self._server.start()
        self.ecr.base_url = self.url
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- scripting -------------------------------------------------------------------------------------------------

    def image(self, reference: str, behaviour: Behaviour) -> None:
        """Containers of this image behave so. ``reference``: a digest, a whole image name, or a repository."""
        with self.clock.lock:
            self.behaviours[reference] = behaviour

    def push(
        self, repository: str, tag: str | None, *, config_digest: str | None = None, platform: str = "linux/amd64"
    ) -> str:
        """Put an image into ECR (the repository is created, immutable, when it is missing); returns its digest."""
        with self.clock.lock:
            return self.ecr.push(repository, tag, config_digest=config_digest, platform=platform)

    def route(self, pattern: str, service: str, cluster: str = "default") -> None:
        """Requests to paths of this pattern go to healthy tasks of ``service``; the first match wins."""
        with self.clock.lock:
            self.data_plane.routes.append(Route(pattern, service, cluster))

    def site(self, handler: Handler) -> None:
        """``handler`` sees every request to the site first; None from it means the rules decide."""
        self.data_plane.handler = handler

    def logs_in(self, region: str) -> Logs:
        """CloudWatch Logs of any region: the one service that tasks reach outside their own."""
        return self._logs.setdefault(region, Logs(self.clock, region, self.account))

    def count(self, operation: str | None = None) -> int:
        """How many calls there were (of one operation)."""
        return sum(operation in (None, call.operation) for call in self.calls)

    @contextlib.contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """The calls made inside the block."""
        start = len(self.calls)
        found: list[Call] = []
        try:
            yield found
        finally:
            found.extend(self.calls[start:])

    # -- what starting tasks ask -----------------------------------------------------------------------------------

    def behaviour(self, image: str) -> Behaviour:
        digest, _ = self.resolve_image(image)
        name = REGISTRY.sub("", image)
        plain = re.sub(r"(@sha256:.*|:[^/:]+)$", "", name)
        for key in (image, name, digest, plain):
            if key in self.behaviours:
                return self.behaviours[key]
        return self.default_behaviour

    def resolve_image(self, image: str) -> tuple[str, str | None]:
        """The digest of an image, and why it cannot be pulled (None when it can).

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
        """
        name, at, digest = image.partition("@")
        plain, _, tag = REGISTRY.sub("", name).partition(":")
        place = self.ecr.repositories.get(plain)
        if place is None or not (REGISTRY.match(image) or at):
            made_up = digest or "sha256:" + f"{sum(map(ord, image)):064x}"
            return made_up, "repository does not exist" if REGISTRY.match(image) else None
        found = place.find({"imageDigest": digest} if at else {"imageTag": tag or "latest"})
        if found is None:
            text = f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {image}: not found"
            return digest or "sha256:" + "0" * 64, text
        return found.digest, None

    def missing_secret(self, definition: TaskDefinition) -> str | None:
        for container in definition.containers:
            for entry in container.get("secrets", []):
                source = entry["valueFrom"]
                if ":secretsmanager:" in source and self.secrets.name_of(source) is None:
                    return str(source)
        return None

    def deregistration_delay(self, target_group: str) -> float:
        group = self.elb.groups.get(target_group)
        return group.deregistration_delay if group else 15.0

    def write_log(self, definition: TaskDefinition, container: str, task_id: str, lines: list[str]) -> None:
        spec = next(c for c in definition.containers if c["name"] == container)
        options = spec.get("logConfiguration", {}).get("options", {})
        if "awslogs-group" in options:
            stream = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container}/{task_id}"
            self.logs_in(options.get("awslogs-region", self.region)).write(options["awslogs-group"], stream, lines)

    def _secret_value(self, reference: str) -> str | None:
        name = self.secrets.name_of(reference)
        return self.secrets.values[name] if name is not None else self.ssm.values.get(reference.rpartition(":")[2])

    # -- answering -------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """One request, under the clock's lock: so every call sees one moment of the world."""
        service = protocol.service_of(request)
        with self.clock.lock:
            if service is None and (layer := self.ecr.download(request.path)) is not None:
                return Response(200, layer)
            if service is None:
                return self.data_plane.answer(request)
            call = Call(service, "?", {}, self.clock.now, region=protocol.region_of(request))
            try:
                return self._call(service, request, call)
            except AwsError as problem:
                call.error = problem.code
                return protocol.error_response(service, request.method, problem.code, problem.message, problem.status)
            except ConnectionCut:
                call.error = "ConnectionCut"
                raise

    def _call(self, service: str, request: Request, call: Call) -> Response:
        rest: S3 | CloudFront | None = {"s3": self.s3, "cloudfront": self.cloudfront}.get(service)  # type: ignore[assignment]
        if rest is not None:
            call.operation = rest.operation(request)
            call.params = {"path": request.path, **request.query, "body": request.body}
        elif "x-amz-target" in request.headers:
            call.operation, call.params = protocol.decode_json(request)
        else:
            call.operation, call.params = protocol.decode_query(service, request)
        self.calls.append(call)
        cut = self.faults.before(service, call.operation, request.path)
        if rest is not None:
            answer = rest.call(call.operation, request)
        else:
            asked = self.logs_in(call.region) if service == "logs" else self._table.get(service)
            method = getattr(asked, xform_name(call.operation), None)
            if method is None:
                raise AwsError("InvalidAction", f"The simulator has no {service}.{call.operation}.", 501)
            found = method(call.params)
            if "x-amz-target" in request.headers:
                answer = protocol.encode_json(found)
            else:
                answer = protocol.encode_query(service, call.operation, found)
        if cut is not None:
            answer.status = 0
        return answer
