"""Secrets that task definitions name: do they exist? No value is ever read.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
"""

from __future__ import annotations

from collections.abc import Sequence

from deploykit.edges.aws.session import Aws, AwsRefused

_PARAMETERS_A_CALL = 10  # GetParameters takes no more


def secret_trouble(aws: Aws, identifier: str) -> str | None:
    """What is wrong with a Secrets Manager secret (an ARN or a name); None where nothing is.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused.
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
    """Those of the SSM parameters (names or ARNs) that do not exist; encrypted ones are not decrypted.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused.
    """
    missing: list[str] = []
    for start in range(0, len(names), _PARAMETERS_A_CALL):
        some = list(names[start : start + _PARAMETERS_A_CALL])
        missing += aws.call("ssm", "GetParameters", Names=some, WithDecryption=False).get("InvalidParameters") or []
    return missing
