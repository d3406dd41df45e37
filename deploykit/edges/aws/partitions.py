"""AWS's partitions (commercial, China, GovCloud, European Sovereign Cloud …): their names and host names.

The table is botocore's own, so a partition that AWS adds comes with an update of boto3:
https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any


def names() -> tuple[str, ...]:
    """Every partition as ARNs name it: ``aws``, ``aws-cn`` …"""
    return tuple(str(partition["id"]) for partition in _partitions())


def dns_suffix(region: str) -> str:
    """What the host names of ``region``'s services end in: ``amazonaws.com``, ``amazonaws.eu`` …

    For a region newer than botocore, the partition is the one whose pattern it matches, else the commercial one.
    """
    partitions = _partitions()
    commercial = next(partition for partition in partitions if partition["id"] == "aws")
    listed = (partition for partition in partitions if region in partition["regions"])
    fitting = (partition for partition in partitions if re.match(partition["regionRegex"], region))
    return str(next(listed, next(fitting, commercial))["outputs"]["dnsSuffix"])


def is_aws(host: str) -> bool:
    """True for a host name of AWS's own, in any partition: ``ecs.us-east-1.amazonaws.com``."""
    outputs = [partition["outputs"] for partition in _partitions()]
    suffixes = {str(each[key]) for each in outputs for key in ("dnsSuffix", "dualStackDnsSuffix") if key in each}
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)


@cache
def _partitions() -> list[dict[str, Any]]:
    """botocore's table, read when first needed: 0.2 ms, and 0.1 s more where botocore must be imported first."""
    from botocore.loaders import Loader

    found: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]
    return found
