"""``deploykit build``: one step of the runbook by itself, just as ``deploy`` would take it."""

from __future__ import annotations

from deploykit.deploy.images import build_images_of, look
from deploykit.deploy.request import DeployRequest
from deploykit.edges.docker import find_docker
from deploykit.edges.world import World
from deploykit.errors import ExitCode
from deploykit.ledger.journal import Steps
from deploykit.model.hint import Hint
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import RunReport


def build(request: DeployRequest, world: World) -> RunReport:
    """Build the images that the registry lacks; they stay on this machine.

    Raises: Refused (uncommitted), FailedBefore (an image that cannot be used, a build), OutOfReach.
    """
    steps, images = Steps(world.clock, world.progress), look(request, world)
    missing = list(images.to_build)
    if missing:
        docker = find_docker(world.environ)
        with steps.step("build"):
            build_images_of(docker, request, world, images)
    else:
        steps.skip("build")
    commit = images.source.commit
    push_it = request.then("push", *(["--rebuild"] if request.rebuild else []))
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, commit.tag),
        steps=tuple(steps.taken),
        message=f"{commit.short}: built {', '.join(missing) or 'nothing: the registry has every image'}",
        hint=Hint(push_it, " brings it to the registry") if missing else "",
    )
