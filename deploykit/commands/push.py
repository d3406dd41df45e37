"""``deploykit push``: one step of the runbook by itself, just as ``deploy`` would take it."""

from __future__ import annotations

from deploykit.deploy.images import look, push_images_of
from deploykit.deploy.request import DeployRequest
from deploykit.edges.docker import find_docker
from deploykit.edges.world import World
from deploykit.errors import ExitCode
from deploykit.ledger.journal import Steps
from deploykit.model.hint import Hint
from deploykit.model.release import Outcome, ReleasedService, ReleaseSummary
from deploykit.model.report import RunReport


def push(request: DeployRequest, world: World) -> RunReport:
    """Push what ``build`` made and the registry lacks. Raises as ``build`` does, and where nothing was built."""
    steps, images = Steps(world.clock, world.progress), look(request, world)
    planned, missing = images.planned, list(images.to_build)
    if missing:
        docker = find_docker(world.environ)
        with steps.step("push"):
            planned = push_images_of(docker, request, world, images)
    else:
        steps.skip("push")
    commit = images.source.commit
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, commit.tag),
        services={
            key: ReleasedService(key, commit.tag, s.image.reference, s.image.digest, "", None, changed=False)
            for key, s in planned.items()
        },
        steps=tuple(steps.taken),
        message=f"{commit.short}: pushed {', '.join(missing) or 'nothing: the registry has every image'}",
        hint=Hint(request.then("rollout"), " brings it to ECS"),
    )
