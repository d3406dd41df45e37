"""``deploykit push``: one step of the runbook by itself, just as ``deploy`` would take it."""

from __future__ import annotations

from deploykit.deploy.images import look, push_images_of, to_build
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
    steps, found = Steps(world.clock, world.progress), look(request, world)
    supplies, missing = found.supplies, list(to_build(found.stock, found.supplies))
    if missing:
        docker = find_docker(world.environ)
        with steps.step("push"):
            supplies = push_images_of(docker, request, world, found.stock, supplies)
    else:
        steps.skip("push")
    commit = found.source.commit
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, commit.tag),
        services={
            key: ReleasedService(key, commit.tag, s.image.reference, s.image.digest, "", None, changed=False)
            for key, s in supplies.items()
        },
        steps=tuple(steps.taken),
        message=f"{commit.short}: pushed {', '.join(missing) or 'nothing: the registry has every image'}",
        hint=Hint(request.then("rollout"), " brings it to ECS"),
    )
