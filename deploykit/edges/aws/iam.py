"""Do the IAM roles that task definitions name exist?"""

from __future__ import annotations

from deploykit.edges.aws.session import Aws, AwsRefused


def role_exists(aws: Aws, name: str) -> bool:
    """Whether the account has a role of this name (without its path).

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused.
    """
    try:
        aws.call("iam", "GetRole", RoleName=name)
    except AwsRefused as error:
        if error.error != "NoSuchEntity":
            raise
        return False
    return True
