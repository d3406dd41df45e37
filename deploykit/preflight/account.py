"""The guard before everything else: credentials of another account never read or change anything."""

from __future__ import annotations

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws, caller_account
from deploykit.errors import Refused
from deploykit.model.finding import Finding


def check_account(configuration: Configuration, aws: Aws) -> tuple[Finding, ...]:
    """``wrong-account`` where the credentials belong to another account than the environment's.

    Raises: OutOfReach where AWS cannot be asked whose they are.
    """
    account = caller_account(aws)
    if account == configuration.account:
        return ()
    return (
        Finding(
            "wrong-account",
            "error",
            "high",
            "credentials",
            f"these credentials belong to account {account}, but environment {configuration.environment!r} "
            f"is in account {configuration.account}",
            hint="set AWS_PROFILE to a profile of that account, or choose another environment with --env",
        ),
    )


def verify_account(configuration: Configuration, aws: Aws) -> None:
    """Raises: Refused for credentials of another account; OutOfReach where AWS cannot be asked whose they are."""
    for finding in check_account(configuration, aws):
        raise Refused(finding.summary, finding.hint)
