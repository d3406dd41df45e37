"""A project in a git repository and an AWS that is simulated at the wire: whole commands run against both."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from deploykit.__main__ import main
from tests.flow.proof import Proof, Recorder, planned_options
from tests.simulator.ecs_state import Behaviour
from tests.simulator.setup import Served, serve
from tests.simulator.simulator import Call, Simulator

Json = dict[str, Any]
READING = ("Describe", "List", "Get", "BatchGet", "Head", "Filter")


@dataclass
class Done:
    """One command that ended: exit code, the JSON document, what people saw, and the calls it made."""

    code: int
    document: Json
    people: str
    calls: list[str]  # operations, in order, without the heartbeats of the lease
    seconds: float  # virtual
    changed: list[str] = field(default_factory=list)

    def count(self, operation: str) -> int:
        return self.calls.count(operation)

    @property
    def changing(self) -> list[str]:
        """The calls that change something in AWS but the lease and the log of refusals."""
        return self.changed


@dataclass
class World:
    """``deploykit`` in ``folder``, acting on ``sim``."""

    sim: Simulator
    folder: Path
    environ: dict[str, str]
    services: dict[str, Served] = field(default_factory=dict)
    proofs: list[Proof] = field(default_factory=list)
    proving: ClassVar[bool] = False

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str, behaviour: Behaviour | None = None, **only: Behaviour) -> str:
        """A commit whose images are in ECR already (another machine built them); returns its SHA.

        ``behaviour`` is that of every service's new image, ``only`` of single ones.
        """
        (self.folder / "api" / "change.txt").write_text(message)
        self.git("add", "-A")
        self.git("commit", "-m", message)
        sha = self.git("rev-parse", "HEAD")
        for key, served in self.services.items():
            digest = self.sim.push(served.repository, sha)
            wanted = only.get(key, behaviour)
            self.sim.image(digest, wanted or healthy())
        return sha

    def without_state(self) -> None:
        """Take `state` out of the configuration: tags are all that is remembered."""
        config = self.folder / "deploykit.toml"
        config.write_text("".join(line for line in config.read_text().splitlines(True) if "state =" not in line))

    def released(self, *subjects: str) -> list[str]:
        """Healthy releases, one after the other; their commits."""
        shas = []
        for subject in subjects:
            shas.append(self.commit(subject))
            done = self.run("deploy")
            assert done.code == 0, done.people
        return shas

    def run(self, *argv: str) -> Done:
        """``deploykit ARGV --json`` in this process, at the simulator's time.

        While ``proving``, every deploy is held against the plan that was asked for just before.
        """
        return self._proven(*argv) if self.proving and argv[:1] == ("deploy",) else self.command(*argv)

    def interrupted(self, seconds: float, *argv: str) -> Done:
        """``run``, and Ctrl-C after ``seconds`` of the simulator's time."""
        self.sim.clock.after(seconds, interrupt)
        done = self.run(*argv)
        assert done.code == 130, done.people
        return done

    def command(self, *argv: str) -> Done:
        """The same as ``run``, without a plan before."""
        stdout, stderr = io.StringIO(), io.StringIO()
        began = self.sim.clock.now
        with self.sim.recording() as calls:
            code = main(
                [*argv, "--json"], clock=self.sim.clock.wall(), environ=self.environ, stdout=stdout, stderr=stderr
            )
        assert code != 1, stderr.getvalue()  # a traceback: a bug, whatever the test is about
        return Done(
            code,
            json.loads(stdout.getvalue()),
            stderr.getvalue(),
            [call.operation for call in calls if not renews(call)],
            self.sim.clock.now - began,
            [call.operation for call in calls if not (call.operation.startswith(READING) or keeps_apart(call))],
        )

    def _proven(self, *argv: str) -> Done:
        plan = self.foresee(*argv)
        recorder = Recorder(self.sim)
        done = self.command(*argv)
        self.proofs.append(Proof(plan.code, plan.document, recorder.log(), done.code, done.document))
        assert not plan.changing, plan.changing
        found = self.proofs[-1].contradictions()
        assert not found, "\n".join(found)
        unnoticed = self.proofs[-1].unnoticed()
        assert not unnoticed, unnoticed
        return done

    def foresee(self, *argv: str) -> Done:
        """The plan of a deploy, which leaves no trace: what is to fail once, or is counted, is left for the deploy."""
        kept, faults = len(self.sim.calls), self.sim.faults.planned
        self.sim.faults.planned = [fault for fault in faults if fault.times is None and fault.skip == 0]
        try:
            return self.command("plan", *planned_options(argv[1:]))
        finally:
            self.sim.faults.planned = faults
            del self.sim.calls[kept:]

    def behave(self, key: str, digest: str, behaviour: Behaviour) -> None:
        """From now on this image of a service behaves so; its tasks are started anew."""
        served = self.services[key]
        self.sim.image(digest, behaviour)
        self.sim.ecs.update_service({"cluster": "dev", "service": served.name, "forceNewDeployment": True})
        self.sim.clock.advance(300)

    def running(self, key: str) -> str:
        """The task definition that a service is set to run, as ``family:revision``."""
        served = self.services[key]
        state = self.sim.state.services[served.cluster, served.name]
        return state.definition.arn.rsplit("/", 1)[-1]


def keeps_apart(call: Call) -> bool:
    """True for what takes the lease or gives it back, and for the log of refusals: no environment is changed by it."""
    path = str(call.params.get("path", ""))
    return call.operation in ("PutObject", "DeleteObject") and ("/lease.json" in path or "/refusals/" in path)


def renews(call: Call) -> bool:
    """True for a heartbeat of the lease, which comes with time and is counted apart."""
    return (
        call.operation == "PutObject"
        and call.params["path"].endswith("/lease.json")
        and b'"beat"' in call.params["body"]
    )


def interrupt() -> None:
    raise KeyboardInterrupt


def healthy(**more: Any) -> Behaviour:
    """An image that starts, and answers its version on every path."""

    def answer(env: Mapping[str, str]) -> tuple[int, Json]:
        return 200, {"status": "ok", "version": env.get("GIT_SHA", "none")}

    return Behaviour(**{"start": 5.0, "healthy_after": 10.0, "answers": {"*": answer}, **more})


def sick(status: int = 500, **more: Any) -> Behaviour:
    """An image that starts, passes the load balancer's check, and answers users wrongly."""
    return healthy(answers={"*": (status, {"status": "down"})}, **more)


def crashing(code: int = 1, after: float = 3.0, *lines: str) -> Behaviour:
    """An image whose program ends by itself."""
    return healthy(exits=(after, code), log_lines=list(lines) or ["Error: DB_HOST is not set"])


CONFIGURATION = """
[project]
name = "shop"
region = "us-east-1"

[environments.dev]
account = "108581769167"
cluster = "dev"
url = "{url}"
state = "{state}"

[services.api]
context = "api"
repository = "shop/api"
service = "dev-api"
release_env = "GIT_SHA"

[services.web]
context = "web"
repository = "shop/web"
service = "dev-web"
release_env = "GIT_SHA"
depends_on = ["api"]

[cdn.site]
distribution = "E1SHOP"
after = ["web"]

[[checks.endpoints]]
id = "api"
path = "/api/health"
service = "api"
expect = {{ json = {{ status = "ok" }} }}
version = {{ json = "version" }}

[[checks.endpoints]]
id = "home"
path = "/"
service = "web"
version = {{ json = "version" }}
"""


@contextmanager
def shop(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    configuration: str = CONFIGURATION,
    state: str = "s3://shop-state/dev",
    breaker: bool | None = None,
    extra: str = "",
    keys: Sequence[str] = ("api", "web"),
    count: int = 2,
    **served: Any,
) -> Iterator[World]:
    """Two services behind a load balancer and a CDN, already running something that deploykit did not release.

    Other keywords go to ``serve``, for each of the services.
    """
    with Simulator() as sim:
        environ = {
            "AWS_ENDPOINT_URL": sim.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "DEPLOYKIT_ENV", "DEPLOYKIT_CONFIG", "GITHUB_ACTIONS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        world = World(sim, folder, environ)
        for key in keys:
            (folder / key).mkdir(parents=True)
            (folder / key / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
            world.services[key] = serve(
                sim,
                f"dev-{key}",
                cluster="dev",
                repository=f"shop/{key}",
                container_name=key,
                count=count,
                breaker=breaker,
                routes=("/api/*",) if key == "api" else ("/*",) if key == "web" else (),
                **served,
            )
            sim.image(world.services[key].digest, healthy())
        sim.cloudfront.add("E1SHOP")
        sim.s3.buckets["shop-state"] = {}
        (folder / "deploykit.toml").write_text(configuration.format(url=sim.url, state=state) + extra)
        (folder / "api").mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("state/\n")
        subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
        monkeypatch.chdir(folder)
        yield world


def operations(done: Done) -> Mapping[str, int]:
    """How often each operation was called."""
    return {operation: done.calls.count(operation) for operation in sorted(set(done.calls))}
