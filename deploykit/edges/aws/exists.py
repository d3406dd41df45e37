"""Do the roles, secrets and parameters that task definitions name exist? No value is ever read.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
"""

from __future__ import annotations

from collections.abc import Sequence

from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.parallel import portions

_PARAMETERS_A_CALL = 10  # GetParameters takes no more


def role_exists(aws: Aws, name: str) -> bool:
    """Whether the account has a role of this name (without its path).

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
    """
    try:
        aws.call("iam", "GetRole", RoleName=name)
    except AwsRefused as error:
        if error.error != "NoSuchEntity":
            raise
        return False
    return True


def secret_trouble(aws: Aws, identifier: str) -> str | None:
    """What is wrong with a secret in Secrets Manager (an ARN or a name); None where nothing is.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
    """
    try:
        answer = aws.call("secretsmanager", "DescribeSecret", SecretId=identifier)
    except AwsRefused as error:
        if error.error != "ResourceNotFoundException":
            raise
        return "does not exist"
    if deleted := answer.get("DeletedDate"):
        return f"is scheduled for deletion (since {deleted:%Y-%m-%d}): ECS cannot read it"
    return None


def missing_parameters(aws: Aws, names: Sequence[str]) -> list[str]:
    """Those SSM parameters (names or ARNs) that do not exist; nothing is decrypted.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
    """
    missing: list[str] = []
    for some in portions(names, _PARAMETERS_A_CALL):
        missing += aws.call("ssm", "GetParameters", Names=some, WithDecryption=False).get("InvalidParameters") or []
    return missing
