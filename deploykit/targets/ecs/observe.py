"""Look at what runs: every service of the environment with its task definition, before anything is decided."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.aws.ecs import describe_definition, describe_services, list_definitions
from deploykit.edges.aws.session import Aws, NotAllowed
from deploykit.edges.parallel import side_by_side
from deploykit.errors import FailedBefore, Problem
from deploykit.model.observed import Definition, ObservedService, ServiceName, split_revision
from deploykit.model.progress import Progress
from deploykit.targets.ecs.definition import registration, same_content

_REVISIONS = 20  # of a family that are looked at, newest first


def service_names(configuration: Configuration) -> dict[str, ServiceName]:
    """Where each service of the configuration that runs on ECS lives; images without a service are left out."""
    return {
        key: ServiceName(key, service.cluster or configuration.cluster, service.service)
        for key, service in configuration.services.items()
        if service.service
    }


def observe(
    configuration: Configuration, aws: Aws, known: Mapping[str, ObservedService] | None = None
) -> dict[str, ObservedService]:
    """Every service of the environment as ECS describes it now.

    ``known``: what was seen minutes ago; revisions that are still live are not described anew.
    Raises: FailedBefore naming every service that does not exist; NotAllowed, AwsUnreachable.
    """
    names = service_names(configuration)
    found = observe_existing(configuration, aws, names, known)
    missing = [name for key, name in names.items() if key not in found]
    if missing:
        raise FailedBefore(
            f"{len(missing)} of {len(names)} services do not exist in ECS",
            "check `service` and `cluster` in deploykit.toml; `aws ecs list-services --cluster "
            f"{missing[0].cluster}` shows what is there",
            problems=[
                Problem(
                    f"service {name.service} does not exist in cluster {name.cluster}",
                    key=f"services.{name.key}.service",
                )
                for name in missing
            ],
        )
    return found


def observe_existing(
    configuration: Configuration,
    aws: Aws,
    keys: Collection[str] | None = None,
    known: Mapping[str, ObservedService] | None = None,
    *,
    refusing: bool = True,
) -> dict[str, ObservedService]:
    """Those services among ``keys`` (None: of all) that ECS has.

    Under the EXTERNAL controller a service has no task definition: refused (FailedBefore), or, not ``refusing``, left
    out. Raises: NotAllowed, AwsUnreachable.
    """
    names = [name for key, name in service_names(configuration).items() if keys is None or key in keys]
    states = describe_services(aws, names)
    if refusing:
        refuse_controllers({key: state.controller for key, state in states.items() if not state.task_definition})
    states = {key: state for key, state in states.items() if state.task_definition}
    definitions = {service.definition.arn: service.definition for service in (known or {}).values()}
    new = sorted({state.task_definition for state in states.values()} - set(definitions))
    # remembered, since the way back often leads to the very revisions that a release replaces
    definitions |= side_by_side(
        {arn: partial(aws.remember, ("definition", arn), partial(describe_definition, aws, arn)) for arn in new}
    )
    return {
        key: ObservedService(state, definitions[state.task_definition], configuration.services[key].container or key)
        for key, state in states.items()
    }


def with_newer(
    observed: Mapping[str, ObservedService], aws: Aws, keys: Collection[str], progress: Progress
) -> dict[str, ObservedService]:
    """``observed`` with the newest revision of each family that is not live and not deploykit's, for ``keys``.

    And with deploykit's own newest one where it has no verdict: a run that was killed, or `migrate`, registered it.
    """

    def newer(service: ObservedService) -> ObservedService:
        live = split_revision(service.definition.arn)[1]
        listed = itertools.islice(list_definitions(aws, service.definition.family), _REVISIONS)
        arns = itertools.takewhile(lambda arn: split_revision(arn)[1] > live, listed)
        pending: Definition | None = None
        for place, definition in enumerate(describe_definition(aws, arn) for arn in arns):
            if not definition.release:
                return replace(service, newer=definition, pending=pending)
            if place == 0 and not definition.verdict:
                pending = definition
        return replace(service, newer=None, pending=pending)

    try:
        calls = {key: partial(newer, observed[key]) for key in keys if key in observed}
        found = side_by_side(calls)
    except NotAllowed as refusal:
        progress.warn(f"revisions that nothing runs yet are not looked for: {refusal.message}")
        return dict(observed)
    return {**observed, **found}


def active_copy(aws: Aws, definition: Definition) -> Definition | None:
    """The newest revision of the family, where it is ``definition`` registered again, by a run that was cut off."""
    newest = next(iter(list_definitions(aws, definition.family)), None)
    found = describe_definition(aws, newest) if newest else None
    same = found and found.release == definition.release and same_content(found, registration(definition))
    return found if same else None


def refuse_controllers(controllers: Mapping[str, str]) -> None:
    """Raises: FailedBefore for services whose rollouts ECS itself does not make.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentController.html
    """
    others = {key: controller for key, controller in controllers.items() if controller != "ECS"}
    if others:
        raise FailedBefore(
            "; ".join(f"service {key} is under the {controller} controller" for key, controller in others.items()),
            "deploykit rolls out services of the ECS controller, which does blue/green itself; leave these out, or "
            "move them: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/migrate-code-deploy-to-ecs-blue-green.html",
        )
