"""Would these task definitions start? The checks of what they name, asked side by side before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from deploykit.edges.aws.session import Aws
from deploykit.model.finding import Finding
from deploykit.model.observed import Definition
from deploykit.preflight.images import check_images
from deploykit.preflight.looking import all_findings
from deploykit.preflight.roles import check_roles
from deploykit.preflight.secrets import check_parameters, check_secrets


def startable(
    aws: Aws, definitions: Mapping[str, Definition], account: str, registry: str | None = None
) -> tuple[Finding, ...]:
    """What tasks of ``definitions`` (by service) need to start and do not find: images, secrets, roles, parameters.

    ``registry`` stands in for ECR's own host name in image references. What cannot be looked at is a warning: it may
    well be there.
    """
    return all_findings(checks(aws, definitions, account, registry))


def checks(
    aws: Aws, definitions: Mapping[str, Definition], account: str, registry: str | None
) -> tuple[Callable[[], tuple[Finding, ...]], ...]:
    """The checks that ``startable`` asks, in the order of their findings."""
    return (
        partial(check_images, aws, definitions, registry),
        partial(check_secrets, aws, definitions),
        partial(check_roles, aws, definitions, account),
        partial(check_parameters, aws, definitions),
    )
