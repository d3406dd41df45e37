"""The registry admits a token from GetAuthorizationToken or a URL from GetDownloadUrlForLayer, and refuses the rest.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
https://distribution.github.io/distribution/spec/api/#api-version-check
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from deploykit.sandbox.server.corrections.parts import Parts

REQUIRES = (
    ("services.ecr", "_get_authorization_token", "(data)"),
    ("services.ecr", "_get_download_url_for_layer", "(data)"),
    ("services.ecr", "_layer_blobs", "AccountRegionScopedDict"),
    ("services.ecr", "_repositories", "AccountRegionScopedDict"),
    ("services.ecr", "handle_registry_request", "(method, path, headers, body, query_params)"),
    ("services.ecr", "_registry_error", "(status, code, message, detail=None)"),
    ("services.ecr", "_query_first", "(query_params, key)"),
    ("services.ecr", "set_request_account_id", "(access_key_id: str) -> None"),
    ("services.ecr", "set_request_region", "(region: str | None) -> None"),
)
TOKEN_SECONDS = 12 * 3600
URL_SECONDS = 600.0
SIGNATURE = "X-Amz-Signature"


def install(parts: Parts) -> None:
    settings = parts.settings
    serve, refuse = ecr.handle_registry_request, ecr._get_download_url_for_layer

    def token(_data: dict[str, Any]) -> Any:
        password = secrets.token_urlsafe(48)
        ends = time.time() + TOKEN_SECONDS
        parts.registry_tokens[password] = ends
        granted = {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": ends,
            "proxyEndpoint": f"https://{settings.account}.dkr.ecr.{settings.region}.amazonaws.com",
        }
        return json_response({"authorizationData": [granted]})

    def address(data: dict[str, Any]) -> Any:
        name, digest = data.get("repositoryName") or "", data.get("layerDigest") or ""
        if name not in ecr._repositories:
            return refuse(data)
        if digest not in ecr._layer_blobs.get(name, {}):
            where = f"in the repository with name '{name}' in registry with id '{settings.account}'"
            return error_response_json("LayersNotFoundException", f"Layer with digest '{digest}' not found {where}")
        signature = secrets.token_urlsafe(32)
        parts.registry_tokens[signature] = time.time() + URL_SECONDS
        url = f"http://{settings.registry}/v2/{name}/blobs/{digest}?{SIGNATURE}={signature}"
        return json_response({"downloadUrl": url, "layerDigest": digest})

    async def guarded(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        signature = str(ecr._query_first(query or {}, SIGNATURE) or "") if "/blobs/" in path else ""
        if parts.registry_tokens.get(signature or _password(headers), 0.0) < time.time():
            status, answer, text = ecr._registry_error(401, "UNAUTHORIZED", "authentication required")
            realm = f'Basic realm="http://{settings.registry}/",service="ecr.amazonaws.com"'
            return status, {**answer, "WWW-Authenticate": realm}, text
        # The registry's protocol carries no AWS credentials: the request acts in the sandbox's account and region.
        ecr.set_request_account_id(settings.account)
        ecr.set_request_region(settings.region)
        return await serve(method, path, headers, body, query)

    ecr._get_authorization_token, ecr._get_download_url_for_layer = token, address
    ecr.handle_registry_request = guarded


def _password(headers: dict[str, str]) -> str:
    """The password of a Basic login as user AWS, empty when there is none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if user == "AWS" else ""
