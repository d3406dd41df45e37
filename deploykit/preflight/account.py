"""The first check of all: credentials of another account must not read or change anything."""

from __future__ import annotations

from deploykit.config.schema import Configuration
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


def verify_account(configuration: Configuration, aws: Aws) -> None:
    """Raises: Refused for credentials of another account; OutOfReach where AWS cannot be asked."""
    for finding in check_account(configuration, aws):
        raise Refused(finding.summary, finding.hint)
