"""A SecureString reaches a container decrypted.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-ssm-paramstore.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import ssm

from deploykit.sandbox.server.corrections.parts import Parts

REQUIRES = (("services.ssm", "resolve_parameter_value", "(name_or_arn, version=None, decrypt=False)"),)


def install(_parts: Parts) -> None:
    resolve = ssm.resolve_parameter_value

    def decrypted(name: str, version: Any = None, decrypt: bool = True) -> Any:
        return resolve(name, version, decrypt)

    ssm.resolve_parameter_value = decrypted
