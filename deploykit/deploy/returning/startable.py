"""Would these task definitions start? Their images, secrets and roles are looked for before anything is touched."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from deploykit.deploy.returning.choose import NoTarget, Target
from deploykit.edges.aws.ecr import missing_images
from deploykit.edges.aws.ecr_names import parse_reference
from deploykit.edges.aws.ecs import describe_definition
from deploykit.edges.aws.iam import role_exists
from deploykit.edges.aws.secrets import missing_parameters, secret_trouble
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError, FailedBefore, OutOfReach
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import Definition
from deploykit.model.release import Verdict

_SECRET = re.compile(r"(arn:[\w-]+:secretsmanager:(?P<region>[\w-]+):\d+:secret:[^:]+)(?::.*)?")
_ROLE = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):role/(?:.+/)?(?P<name>[^/]+)")


@dataclass(frozen=True)
class Startable:
    """``problems``: what lacks, so that tasks would not start. ``warnings``: what could not be looked at."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Needs:
    """What the definitions name; every value lists the services that need it."""

    # account ("" where the host does not say), repository, digest or tag
    images: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    secrets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    parameters: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    roles: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    # what only another region's or account's AWS could answer for
    elsewhere: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def definitions_of(aws: Aws, revisions: Mapping[str, str]) -> tuple[dict[str, Definition], list[str]]:
    """The definitions of revisions by service, and a sentence for each that ECS does not know any more.

    Deregistered revisions are described still; deleted ones are not:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/delete-task-definition-v2.html
    """

    def describe(arn: str) -> Definition | None:
        try:
            return describe_definition(aws, arn)
        except AwsRefused as error:
            if error.error != "ClientException":
                raise
            return None

    asks = {key: partial(aws.remember, ("definition", arn), partial(describe, arn)) for key, arn in revisions.items()}
    found = side_by_side(asks)
    gone = [
        f"{key}: task definition {revisions[key].rpartition('/')[2]} was deleted"
        for key, definition in found.items()
        if definition is None
    ]
    return {key: definition for key, definition in found.items() if definition is not None}, gone


def choose_untagged(
    aws: Aws, entries: Sequence[LedgerEntry], pick: Callable[[Sequence[LedgerEntry]], Target | NoTarget]
) -> Target | NoTarget:
    """What ``pick`` chooses of ``entries``, passing over releases whose revisions are tagged as withdrawn.

    A rollback that could not reach the ledger has withdrawn what it left by tag only.
    """
    while True:
        picked = pick(entries)
        if isinstance(picked, NoTarget):
            return picked
        definitions, _ = definitions_of(aws, picked.revisions)
        own = [definition for definition in definitions.values() if definition.release == picked.release]
        if not any(definition.verdict == Verdict.WITHDRAWN for definition in own):
            return picked
        tagged = picked.release
        entries = [replace(entry, withdrawn_by="a tag") if entry.id == tagged else entry for entry in entries]


def startable(aws: Aws, definitions: Mapping[str, Definition], account: str, registry: str | None = None) -> Startable:
    """Look for everything that tasks of ``definitions`` (by service) need to start; all reads side by side.

    ``registry`` stands in for ECR's own host name in image references. What may not be read, or does not answer, is a
    warning: it may well be there.
    """
    needs = _needs(definitions, aws.region, account, registry)
    calls: dict[str, Callable[[], list[str]]] = {}
    repositories: dict[tuple[str, str], list[str]] = {}
    for owner, repository, image in needs.images:
        repositories.setdefault((owner, repository), []).append(image)
    for (owner, repository), images in repositories.items():
        calls[f"images of {repository}"] = partial(_images, aws, owner, repository, images, needs)
    for secret, services in needs.secrets.items():
        calls[f"secret {secret}"] = partial(_secret, aws, secret, services)
    for role, services in needs.roles.items():
        calls[f"role {role}"] = partial(_role, aws, role, services)
    if needs.parameters:
        calls["SSM parameters"] = partial(_parameters, aws, needs.parameters)
    found = side_by_side({what: partial(_looked, call) for what, call in calls.items()})
    warnings = [f"could not look for {what}: {it.message}" for what, it in found.items() if isinstance(it, Exception)]
    warnings += [f"could not look for {what}, which {_who(services)}" for what, services in needs.elsewhere.items()]
    problems = [problem for it in found.values() if not isinstance(it, Exception) for problem in it]
    return Startable(tuple(problems), tuple(warnings))


def _looked(call: Callable[[], list[str]]) -> list[str] | DeploykitError:
    try:
        return call()
    except (OutOfReach, FailedBefore) as error:
        return error


def _images(aws: Aws, owner: str, repository: str, images: list[str], needs: _Needs) -> list[str]:
    missing = missing_images(aws, repository, images, owner or None)
    return [
        f"image {repository}{'@' if image.startswith('sha256:') else ':'}{image} is not in ECR any more, and "
        f"{_who(needs.images[owner, repository, image])}"
        for image in missing
    ]


def _secret(aws: Aws, secret: str, services: set[str]) -> list[str]:
    trouble = aws.remember(("secret", secret), partial(secret_trouble, aws, secret))
    if not trouble:
        return []
    # A secret made anew has another ARN than the task definition names, which ends in six characters of chance.
    remedy = (
        f"`aws secretsmanager restore-secret --secret-id {secret} --region {aws.region}`"
        if "deletion" in trouble
        else "make it, and name its new ARN in the task definition (in Terraform, where that makes them)"
    )
    return [f"secret {secret} {trouble}, and {_who(services)}: {remedy}"]


def _parameters(aws: Aws, parameters: Mapping[str, set[str]]) -> list[str]:
    missing = aws.remember(("parameters", *sorted(parameters)), partial(missing_parameters, aws, sorted(parameters)))
    return [
        f"SSM parameter {name} does not exist, and {_who(parameters.get(name, ()))}: `aws ssm put-parameter --name "
        f"{name.partition(':parameter')[2] or name} --type SecureString --value … --region {aws.region}`"
        for name in missing
    ]


def _role(aws: Aws, role: str, services: set[str]) -> list[str]:
    name = role.rpartition("/")[2]
    exists = aws.remember(("role", name), partial(role_exists, aws, name))
    if exists:
        return []
    return [
        f"role {role} does not exist, and {_who(services)}: make it again where it came from (Terraform), or `aws iam "
        f"create-role --role-name {name} --assume-role-policy-document …` and give it its policies"
    ]


def _who(services: Iterable[str]) -> str:
    names = sorted(services)
    return f"{', '.join(names)} {'needs' if len(names) == 1 else 'need'} it"


def _needs(definitions: Mapping[str, Definition], region: str, account: str, registry: str | None) -> _Needs:
    needs = _Needs()
    for key, definition in definitions.items():
        for image in _image_names(definition):
            _sort_image(needs, image, key, region, registry)
        for reference in _secret_names(definition):
            _sort_secret(needs, reference, key, region)
        for container in definition.content.get("containerDefinitions") or ():
            credentials = (container.get("repositoryCredentials") or {}).get("credentialsParameter")
            if credentials:  # a secret, by ARN or by name
                needs.secrets[credentials].add(key)
        for name in ("taskRoleArn", "executionRoleArn"):
            _sort_role(needs, definition.content.get(name) or "", key, account)
    return needs


def _image_names(definition: Definition) -> Iterator[str]:
    return (str(c["image"]) for c in definition.content.get("containerDefinitions") or () if c.get("image"))


def _secret_names(definition: Definition) -> Iterator[str]:
    for container in definition.content.get("containerDefinitions") or ():
        named = [
            *(container.get("secrets") or ()),
            *((container.get("logConfiguration") or {}).get("secretOptions") or ()),
        ]
        yield from (str(secret["valueFrom"]) for secret in named if secret.get("valueFrom"))


def _sort_image(needs: _Needs, reference: str, service: str, region: str, registry: str | None) -> None:
    found = parse_reference(reference, registry)
    if found is None:
        return  # another registry's, which only the cluster's own credentials may reach
    if found.region not in (None, region):
        needs.elsewhere[f"image {reference}"].add(service)
    else:
        needs.images[found.account or "", found.repository, found.digest or found.tag or "latest"].add(service)


def _sort_secret(needs: _Needs, reference: str, service: str, region: str) -> None:
    """ARNs say what they are; a bare name is an SSM parameter's of the same region."""
    secret = _SECRET.fullmatch(reference)
    parts = reference.split(":")
    if reference.startswith("arn:") and len(parts) > 3 and parts[3] != region:
        needs.elsewhere[f"secret {reference}"].add(service)
    elif secret:
        needs.secrets[secret[1]].add(service)
    else:
        needs.parameters[reference].add(service)


def _sort_role(needs: _Needs, arn: str, service: str, account: str) -> None:
    role = _ROLE.fullmatch(arn)
    if role and role["account"] != account:
        needs.elsewhere[f"role {arn}"].add(service)
    elif arn:
        needs.roles[arn].add(service)
