"""How long after ECS's COMPLETED `rollout` returns: `python -m tests.benchmarks.bench_rollout_lag`.

One service in a sandbox, rolled out 20 times. A thread asks ECS every 30 ms and notes when the rollout is COMPLETED;
printed is the wall time from then to the command's end. Exits 1 where the median is over 1.5 seconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.flow.e2e import Project, project

REPEATS = 20
ALLOWED = 1.5  # seconds, median
EVERY = 0.03  # seconds between looks
CONFIGURATION = """
[project]
name = "quay"
region = "us-west-2"

[environments.live]
account = "444455556666"
cluster = "quay"
url = "https://harbour.example.net"
state = "s3://quay-deploykit/{env}"

[services.berths]
context = "berths"
repository = "quay/berths"
service = "berths"
release_env = "RELEASE"
build_args = { BASE = "{base}" }

[local.services.berths]
port = 9300
health_check = "/berths/alive"
"""


class Watcher(threading.Thread):
    """Notes when the rollout that follows ``before`` is COMPLETED."""

    def __init__(self, ecs: Any, before: str) -> None:
        super().__init__(daemon=True)
        self.ecs, self.before = ecs, before
        self.completed: float | None = None
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(EVERY):
            rollout = primary(self.ecs)
            if rollout["id"] != self.before and rollout["rolloutState"] == "COMPLETED":
                self.completed = time.monotonic()
                return


def primary(ecs: Any) -> dict[str, Any]:
    service = ecs.describe_services(cluster="quay", services=["berths"])["services"][0]
    return dict(next(each for each in service["deployments"] if each["status"] == "PRIMARY"))


def _lag(platform: Project, ecs: Any, number: int) -> float:
    platform.commit(f"change {number}", berths="well")
    for step in ("build", "push"):
        done = platform.run(step)
        if done.code:
            raise SystemExit(done.people)
    watcher = Watcher(ecs, primary(ecs)["id"])
    watcher.start()
    done = platform.run("rollout")
    ended = time.monotonic()
    watcher.over.set()
    watcher.join()
    if done.code or watcher.completed is None:
        raise SystemExit(done.people)
    return ended - watcher.completed


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, project(Path(folder), CONFIGURATION, ("berths",)) as platform:
        session = boto3.Session(
            platform.environ["AWS_ACCESS_KEY_ID"], platform.environ["AWS_SECRET_ACCESS_KEY"], region_name="us-west-2"
        )
        config = Config(retries={"max_attempts": 0})
        ecs = session.client("ecs", endpoint_url=platform.addresses["endpoint_url"], config=config)
        lags = sorted(_lag(platform, ecs, number) for number in range(REPEATS))
    median = statistics.median(lags)
    print(f"from COMPLETED to the end of `rollout`, {REPEATS} times: {lags[0]:.2f} to {lags[-1]:.2f} s")
    print(f"median {median:.2f} s, {median / ALLOWED:.2f} of the {ALLOWED:g} s allowed")
    return 0 if median <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
