"""One sandbox for all tests of the sandbox, and a small application to release into it."""

from __future__ import annotations

import base64
import functools
import http.client
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from deploykit.config.load import load
from deploykit.config.schema import Configuration
from deploykit.sandbox import images, lifecycle
from deploykit.sandbox.lifecycle import Running

ACCOUNT = "210987654321"
REGION = "eu-central-1"
HOST = "shop.example"
DISTRIBUTION = "E1SANDBOXTEST"

TOML = f"""
[project]
name = "shop"
region = "{REGION}"

[environments.test]
account = "{ACCOUNT}"
cluster = "shop-test"
url = "https://{HOST}"
state = "s3://shop-test-state/test"

[services.api]
context = "api"
repository = "shop/api"
service = "{{env}}-api"

[services.site]
context = "site"
repository = "shop/site"
service = "{{env}}-site"

[services.worker]
context = "worker"
repository = "shop/worker"
service = "{{env}}-worker"

[cdn.shop]
distribution = "{DISTRIBUTION}"

[local.services.api]
port = 8000
routes = ["/api/*"]
health_check = "/api/health"
count = 2
environment = {{ COLOUR = "blue" }}
secrets = {{ API_KEY = "shop/keys:api", OTHER = "shop/keys:other" }}

[local.services.site]
port = 8001
health_check = "/health"

[local.database]
name = "shop"
"""


def configuration(folder: Path, text: str = TOML) -> Configuration:
    """The configuration ``text``, written into ``folder``."""
    path = folder / "deploykit.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, None, {})


class Sandbox:
    """A sandbox that is up, with what tests do to it."""

    def __init__(self, running: Running, settings: Configuration) -> None:
        self.running = running
        self.configuration = settings

    @functools.cache  # noqa: B019 (one sandbox for the whole run)
    def client(self, service: str) -> Any:
        session = boto3.Session(ACCOUNT, "any", region_name=REGION)
        options = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
        return session.client(service, endpoint_url=self.running.endpoint_url, config=options)  # type: ignore[call-overload]

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    def own(self, method: str, page: str, body: object = None) -> Any:
        """Ask one of the sandbox's own pages."""
        return json.loads(self.request(self.running.registry, method, f"/_deploykit/{page}", body=body)[2])

    def request(self, address: str, method: str, path: str, *, host: str = "", body: object = None) -> tuple[
        int, dict[str, str], str]:  # fmt: skip
        """Status, headers (lower case) and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection(address, timeout=20)
        data = json.dumps(body) if body is not None else None
        connection.request(method, path, data, {"Host": host or address, "Connection": "close"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, text

    def edge(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        return self.request(self.running.connect_to, method, path, host=HOST)

    def direct(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        return self.request(self.running.load_balancer, method, path, host=HOST)

    def password(self) -> str:
        data = self.client("ecr").get_authorization_token()["authorizationData"][0]
        return base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:")

    @functools.cache  # noqa: B019
    def pushed(self, repository: str, tag: str, note: str = "") -> str:
        """Build the application with ``note`` as its only difference, push it, return ``REPOSITORY@DIGEST``."""
        name = f"{self.running.registry}/{repository}"
        context = Path(__file__).with_name("sandbox_app")
        docker("build", "--quiet", "--build-arg", f"BASE={images.python_base(lambda _: None)}", "--label",
               f"note={note}", "--tag", f"{name}:{tag}", str(context))  # fmt: skip
        with tempfile.TemporaryDirectory() as home:
            docker("login", "--username", "AWS", "--password-stdin", self.running.registry, home=home,
                   text=self.password())  # fmt: skip
            docker("push", f"{name}:{tag}", home=home)
        found = self.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        return f"{name}@{found['imageDetails'][0]['imageDigest']}"

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster="shop-test", services=[name])["services"][0]
        return found

    def registered(self, name: str, image: str, **variables: str) -> str:
        """A new revision of a service's task definition with this image and these variables; its ARN."""
        live = self.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
        container = live["containerDefinitions"][0]
        kept = [
            e for e in container["environment"] if e["name"] not in (*variables, "MODE", "BOOT", "CACHE", "VERSION")
        ]
        container["environment"] = kept + [{"name": k, "value": v} for k, v in variables.items()]
        container["image"] = image
        fields = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn",
                  "taskRoleArn", "containerDefinitions", "runtimePlatform")  # fmt: skip
        made = self.ecs.register_task_definition(**{f: live[f] for f in fields})
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def roll_out(self, name: str, image: str, **variables: str) -> dict[str, Any]:
        """Begin a deployment; returns it."""
        definition = self.registered(name, image, **variables)
        updated = self.ecs.update_service(cluster="shop-test", service=name, taskDefinition=definition)
        deployment: dict[str, Any] = updated["service"]["deployments"][0]
        return deployment

    def until(self, name: str, done: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """Poll a service until ``done``; it, or AssertionError with its latest events."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            service = self.service(name)
            if done(service):
                return service
            time.sleep(0.05)
        raise AssertionError("\n".join(e["message"] for e in self.service(name)["events"][:10]))

    def steady(self, name: str) -> dict[str, Any]:
        return self.until(name, lambda s: [d["rolloutState"] for d in s["deployments"]] == ["COMPLETED"]
                          and s["runningCount"] == s["desiredCount"])  # fmt: skip

    def well(self, name: str, **variables: str) -> dict[str, Any]:
        """The service steady on the application that works."""
        image = self.pushed({"test-api": "shop/api", "test-site": "shop/site", "test-worker": "shop/worker"}[name], "1")
        self.roll_out(name, image, **variables)
        return self.steady(name)

    def tasks(self, name: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster="shop-test", serviceName=name, desiredStatus=status)["taskArns"]
        return list(self.ecs.describe_tasks(cluster="shop-test", tasks=arns)["tasks"]) if arns else []

    def group(self, name: str) -> str:
        return str(self.service(name)["loadBalancers"][0]["targetGroupArn"])

    def health(self, name: str) -> list[str]:
        found = self.client("elbv2").describe_target_health(TargetGroupArn=self.group(name))
        return sorted(t["TargetHealth"]["State"] for t in found["TargetHealthDescriptions"])


def docker(*arguments: str, text: str = "", home: str = "") -> str:
    """Run docker and return what it printed; ``home`` is a folder for its configuration."""
    environment = {**os.environ, **({"DOCKER_CONFIG": home} if home else {})}
    done = subprocess.run(
        ["docker", *arguments], input=text, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def _shared(config: pytest.Config) -> Sandbox:
    folder = tempfile.TemporaryDirectory(prefix="deploykit-test-")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = f"{folder.name}/state"
    settings = configuration(Path(folder.name))

    def end() -> None:
        lifecycle.down(settings)
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before
        folder.cleanup()

    config.add_cleanup(end)
    return Sandbox(lifecycle.up(settings), settings)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The sandbox all tests of one run share; faults a test sets end with it."""
    shared = _shared(request.config)
    yield shared
    shared.own("PUT", "faults", {})
