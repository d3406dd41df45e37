"""CloudFront invalidations.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploykit.edges.aws.session import Aws


@dataclass(frozen=True)
class Invalidation:
    """One invalidation as CloudFront knows it; ``completed`` is its word that every edge has dropped the paths."""

    id: str
    completed: bool


def create_invalidation(aws: Aws, distribution: str, paths: Sequence[str], reference: str) -> Invalidation:
    """Ask for ``paths`` to be dropped. The same reference with the same paths returns the first invalidation again.

    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
    Raises: AwsRefused (NoSuchDistribution, TooManyInvalidationsInProgress, InvalidArgument, …), NotAllowed.
    """
    answer = aws.call(
        "cloudfront",
        "CreateInvalidation",
        DistributionId=distribution,
        InvalidationBatch={"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference},
    )["Invalidation"]
    return Invalidation(answer["Id"], answer["Status"] == "Completed")


def get_invalidation(aws: Aws, distribution: str, identifier: str) -> Invalidation:
    """The invalidation's state now."""
    answer = aws.call("cloudfront", "GetInvalidation", DistributionId=distribution, Id=identifier)["Invalidation"]
    return Invalidation(answer["Id"], answer["Status"] == "Completed")
