"""The first check of all: credentials of another account must not read or change anything."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from deploykit.config.schema import Configuration
from deploykit.edges.aws.partitions import is_aws
from deploykit.edges.aws.session import Aws, caller_account
from deploykit.errors import Refused
from deploykit.model.finding import Finding


def check_account(configuration: Configuration, aws: Aws) -> tuple[Finding, ...]:
    """``wrong-account`` where the credentials belong to another account than the environment's.

    Raises: OutOfReach where AWS cannot be asked.
    """
    account, own = caller_account(aws), configuration.account
    if account == own:
        return ()
    where = f"environment {configuration.environment!r} is in account {own}"
    summary = f"these credentials belong to account {account}, but {where}"
    hint = "set AWS_PROFILE to a profile of that account, or choose another environment with --env"
    return (Finding("wrong-account", "error", "high", "credentials", summary, hint=hint),)


def refuse_local_ends(configuration: Configuration, aws: Aws) -> None:
    """Raises: Refused where images or checks go to this machine and everything else to AWS itself.

    That is a shell which still points at a local platform in part.
    """
    ends = {"registry": configuration.registry, "connect_to": configuration.connect_to}
    local = {key: value for key, value in ends.items() if value and _is_loopback(value)}
    if not local or not is_aws(host := aws.host_of("ecs")):
        return
    told = " and ".join(f"{key} {value}" for key, value in local.items())
    names = " and ".join(f"DEPLOYKIT_{key.upper()}" for key in local)
    raise Refused(
        f"{told} of environment {configuration.environment} is this machine, but {host} is AWS itself",
        f"unset {names} (or take {' and '.join(local)} out of the configuration) for AWS; "
        "set AWS_ENDPOINT_URL for a local one",
    )


def _is_loopback(end: str) -> bool:
    host = urlsplit(f"//{end}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def verify_account(configuration: Configuration, aws: Aws) -> None:
    """Raises: Refused for credentials of another account; OutOfReach where AWS cannot be asked."""
    for finding in check_account(configuration, aws):
        raise Refused(finding.summary, finding.hint)
