"""Why an image of the registry cannot be used, or a missing one not be made: said before anything is built. Pure."""

from __future__ import annotations

from deploykit.errors import FailedBefore
from deploykit.images.lookup import Stock
from deploykit.model.hint import Hint, command
from deploykit.model.release import Commit


def refuse_differing(stock: Stock) -> list[FailedBefore]:
    """The image of users that run on different platforms, or on another than the configuration says."""
    hint = "mend `platform`, or change runtimePlatform where the task definition comes from (Terraform)"
    return [FailedBefore("; ".join(stock.differing), hint)] if stock.differing else []


def unusable(stock: Stock, commit: Commit, repository: str) -> list[FailedBefore]:
    """What speaks against using, pushing or tagging this image."""
    checks = (_another_image(stock, commit), _another_platform(stock, commit), _denied(stock, repository))
    return [refusal for refusal in checks if refusal is not None]


def _another_image(stock: Stock, commit: Commit) -> FailedBefore | None:
    if not stock.conflict:
        return None
    return FailedBefore(
        f"{stock.owner}: the registry has another image of commit {commit.short}; what differs: "
        f"{', '.join(stock.conflict)}",
        "one commit gives one image: move what differs between environments out of the build, "
        "or give each environment a repository of its own",
    )


def _another_platform(stock: Stock, commit: Commit) -> FailedBefore | None:
    if not stock.platforms or stock.image is None:
        return None
    return FailedBefore(
        f"{stock.owner}: the image of commit {commit.short} in {stock.image.repository} runs on "
        f"{', '.join(stock.platforms)}, and {stock.platform} is asked for",
        Hint(
            command("deploy", "--rebuild"),
            f" builds one for {stock.platform}; or mend `platform`, or runtimePlatform where the task definition comes "
            "from (Terraform)",
        ),
    )


def _denied(stock: Stock, repository: str) -> FailedBefore | None:
    if not stock.denied:
        return None
    return FailedBefore(
        f"{stock.owner}: the policy of repository {repository} denies {', '.join(stock.denied)} to this run",
        f"mend it: `aws ecr get-repository-policy --repository-name {repository}` shows it",
    )
