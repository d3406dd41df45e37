"""Are the images still in ECR? A lifecycle rule may have deleted them since they last ran.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial

from deploykit.edges.aws.ecr import missing_images
from deploykit.edges.aws.ecr_names import parse_reference
from deploykit.edges.aws.session import Aws
from deploykit.model.finding import Finding
from deploykit.model.observed import Definition
from deploykit.preflight.looking import all_findings, elsewhere, look, missing, verb


def check_images(aws: Aws, definitions: Mapping[str, Definition], registry: str | None = None) -> tuple[Finding, ...]:
    """``image-missing`` for each image of ``definitions`` (by service) that ECR does not hold.

    ``registry`` stands in for ECR's own host name in image references. One call for each repository, side by side.
    """
    # account (None where the host does not say) and repository → digest or tag → the services that need it
    needed: dict[tuple[str | None, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    unseen: dict[str, set[str]] = defaultdict(set)
    for key, definition in definitions.items():
        for image in (str(container.get("image") or "") for container in definition.containers):
            place = parse_reference(image, registry)
            if place is None:
                continue  # in another registry, which perhaps only the cluster can reach
            if place.region not in (None, aws.region):
                unseen[image].add(key)
            else:
                needed[place.account, place.repository][place.digest or place.tag or "latest"].add(key)
    looks = [
        partial(look, f"images of {name}", set().union(*images.values()), partial(_missing, aws, account, name, images))
        for (account, name), images in needed.items()
    ]
    return (*all_findings(looks), *elsewhere("image", unseen, "region"))


def _missing(aws: Aws, account: str | None, repository: str, images: Mapping[str, set[str]]) -> Iterable[Finding]:
    for image in missing_images(aws, repository, list(images), account):
        name = f"{repository}{'@' if image.startswith('sha256:') else ':'}{image}"
        summary = f"image {name} is not in ECR any more, and {verb(images[image], 'need')} it"
        yield missing("image-missing", images[image], summary)
