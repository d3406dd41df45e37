"""GetDownloadUrlForLayer returns a URL that can be fetched without a login, for layers that exist.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from deploykit.sandbox.server.corrections.parts import Parts

REQUIRES = (
    ("services.ecr", "_get_download_url_for_layer", "(data)"),
    ("services.ecr", "_layer_blobs", "AccountRegionScopedDict"),
    ("services.ecr", "_repositories", "AccountRegionScopedDict"),
)
GOOD_FOR = 600.0  # seconds
PARAMETER = "X-Amz-Signature"


def install(parts: Parts) -> None:
    refuse = ecr._get_download_url_for_layer

    def address(data: dict[str, Any]) -> Any:
        name, digest = data.get("repositoryName") or "", data.get("layerDigest") or ""
        if name not in ecr._repositories:
            return refuse(data)
        if digest not in ecr._layer_blobs.get(name, {}):
            return error_response_json(
                "LayersNotFoundException",
                f"Layer with digest '{digest}' not found in the repository with name '{name}' in registry with id "
                f"'{parts.settings.account}'",
                400,
            )
        signature = secrets.token_urlsafe(32)
        parts.registry_tokens[signature] = time.time() + GOOD_FOR
        url = f"http://{parts.settings.registry}/v2/{name}/blobs/{digest}?{PARAMETER}={signature}"
        return json_response({"downloadUrl": url, "layerDigest": digest})

    ecr._get_download_url_for_layer = address
