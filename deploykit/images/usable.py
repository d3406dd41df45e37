"""Why an image in the registry cannot be used, or a missing one pushed: said before anything is built. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deploykit.errors import FailedBefore
from deploykit.images.lookup import FoundImage
from deploykit.model.hint import Hint, command
from deploykit.model.release import Commit


def refuse_differing(found: FoundImage) -> list[FailedBefore]:
    """The image of users that run on different platforms, or on another than the configuration says."""
    hint = "fix `platform`, or change runtimePlatform where the task definition comes from (Terraform)"
    return [FailedBefore("; ".join(found.differing), hint)] if found.differing else []


def unusable(found: FoundImage, commit: Commit) -> Iterator[FailedBefore]:
    """What speaks against using, pushing or tagging this image."""
    if found.conflict:
        yield FailedBefore(
            f"{found.owner}: the registry has another image of commit {commit.short}; what differs: "
            f"{', '.join(found.conflict)}",
            "one commit gives one image: move what differs between environments out of the build, "
            "or give each environment a repository of its own",
        )
    if found.platforms:
        yield FailedBefore(
            f"{found.owner}: the image of commit {commit.short} in {found.repository} runs on "
            f"{', '.join(found.platforms)}, but {found.platform} is needed",
            Hint(
                command("deploy", "--rebuild"),
                f" builds one for {found.platform}; or fix `platform`, or runtimePlatform where the task definition "
                "comes from (Terraform)",
            ),
        )
    if found.denied:
        yield FailedBefore(
            f"{found.owner}: the policy of repository {found.repository} denies {', '.join(found.denied)} to this run",
            f"fix the policy: `aws ecr get-repository-policy --repository-name {found.repository}` shows it",
        )
