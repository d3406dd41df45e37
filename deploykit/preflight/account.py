"""The guard before everything else: credentials of another account never read or change anything."""

from __future__ import annotations

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws, caller_account
from deploykit.errors import Refused


def verify_account(configuration: Configuration, aws: Aws) -> None:
    """Refuse credentials that belong to another account than the environment's.

    Raises: Refused; OutOfReach where the account cannot be asked for.
    """
    account = caller_account(aws)
    if account != configuration.account:
        raise Refused(
            f"these credentials belong to account {account}, but environment {configuration.environment!r} "
            f"is in account {configuration.account}",
            "set AWS_PROFILE to a profile of that account, or choose another environment with --env",
        )
