"""Do the secrets of containers exist, in Secrets Manager and SSM Parameter Store? No value is read.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

from deploykit.edges.aws.exists import missing_parameters, secret_trouble
from deploykit.edges.aws.session import Aws
from deploykit.model.finding import Finding
from deploykit.model.observed import Definition
from deploykit.preflight.looking import elsewhere, look, look_for_each, missing, verb

# After the ARN, ":key:version-stage:version-id" may choose a part of the secret.
_SECRET = re.compile(r"(arn:[\w-]+:secretsmanager:[\w-]+:\d+:secret:[^:]+)(?::.*)?")


def check_secrets(aws: Aws, definitions: Mapping[str, Definition]) -> tuple[Finding, ...]:
    """``secret-missing`` or ``secret-deleted`` for each secret in Secrets Manager that tasks could not read.

    A registry's credentials are such a secret too, named by ARN or by name. One call for each, side by side.
    """
    needed: dict[str, set[str]] = defaultdict(set)
    unseen: dict[str, set[str]] = defaultdict(set)
    for key, definition in definitions.items():
        for reference in _references(definition):
            if secret := _SECRET.fullmatch(reference):
                there = _other_region(reference, aws.region)
                (unseen[reference] if there else needed[secret[1]]).add(key)
        for container in definition.containers:
            if credentials := (container.get("repositoryCredentials") or {}).get("credentialsParameter"):
                needed[credentials].add(key)
    return look_for_each("secret", needed, partial(_secret, aws), unseen, "region")


def check_parameters(aws: Aws, definitions: Mapping[str, Definition]) -> tuple[Finding, ...]:
    """``parameter-missing`` for each SSM parameter that ``definitions`` name and that does not exist.

    A name without an ARN is a parameter in the region of the tasks. One call for ten parameters.
    """
    needed: dict[str, set[str]] = defaultdict(set)
    unseen: dict[str, set[str]] = defaultdict(set)
    for key, definition in definitions.items():
        for reference in _references(definition):
            if not _SECRET.fullmatch(reference):
                (unseen if _other_region(reference, aws.region) else needed)[reference].add(key)
    users = set().union(*needed.values())
    found = look("SSM parameters", users, partial(_parameters, aws, needed)) if needed else ()
    return (*found, *elsewhere("SSM parameter", unseen, "region"))


def _references(definition: Definition) -> Iterator[str]:
    for container in definition.containers:
        logging = container.get("logConfiguration") or {}
        named = (*(container.get("secrets") or ()), *(logging.get("secretOptions") or ()))
        yield from (str(secret["valueFrom"]) for secret in named if secret.get("valueFrom"))


def _other_region(reference: str, region: str) -> bool:
    parts = reference.split(":")
    return parts[0] == "arn" and len(parts) > 3 and parts[3] != region


def _secret(aws: Aws, secret: str, services: Collection[str]) -> Iterable[Finding]:
    trouble = aws.remember(("secret", secret), partial(secret_trouble, aws, secret))
    if not trouble:
        return
    summary = f"secret {secret} {trouble}, and {verb(services, 'need')} it"
    if "deletion" in trouble:
        command = f"`aws secretsmanager restore-secret --secret-id {secret} --region {aws.region}`"
        yield missing("secret-deleted", services, summary, command)
    else:
        # A secret created again gets another ARN, because ARNs end in six random characters.
        remedy = "create it, and set its new ARN in the task definition (in Terraform, where that registers them)"
        yield missing("secret-missing", services, summary, remedy)


def _parameters(aws: Aws, needed: Mapping[str, set[str]]) -> Iterable[Finding]:
    for name in aws.remember(("parameters", *sorted(needed)), partial(missing_parameters, aws, sorted(needed))):
        short = name.partition(":parameter")[2] or name
        services = needed.get(name, set())
        yield missing(
            "parameter-missing",
            services,
            f"SSM parameter {name} does not exist, and {verb(services, 'need')} it",
            f"`aws ssm put-parameter --name {short} --type SecureString --value … --region {aws.region}`",
        )
