"""The region meant where no configuration says one."""

from __future__ import annotations

import boto3
from botocore.exceptions import ProfileNotFound

from deploykit.errors import OutOfReach


def configured_region() -> str | None:
    """AWS_DEFAULT_REGION, else that of the profile in use; None where neither says one.

    https://docs.aws.amazon.com/cli/latest/topic/config-vars.html
    Raises: OutOfReach (AWS_PROFILE names no profile).
    """
    try:
        return boto3.Session().region_name
    except ProfileNotFound as error:
        raise OutOfReach(
            f"AWS credentials cannot be read: {error}", "run `aws sso login`, or set AWS_PROFILE"
        ) from None
