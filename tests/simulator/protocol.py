"""The wire formats: which call a request is, and how its answer looks (json 1.1, query and rest-xml)."""

from __future__ import annotations

import json
import re
import urllib.parse
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import botocore.session

Json = dict[str, Any]

SIGNING_NAMES = {"elasticloadbalancing": "elbv2"}
QUERY_VERSIONS = {"2011-06-15": "sts", "2010-05-08": "iam", "2015-12-01": "elbv2"}
_SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclass
class Request:
    """One HTTP request, read whole. Header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Response:
    """One HTTP answer, sent whole."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@lru_cache(maxsize=32)
def model(service: str) -> Any:
    """botocore's own description of ``service``: the shapes that its parsers expect."""
    return _session().get_service_model(service)


@lru_cache(maxsize=1)
def _targets() -> dict[str, str]:
    names = ("ecs", "ecr", "logs", "secretsmanager", "ssm")
    return {model(name).metadata["targetPrefix"]: name for name in names}


def service_of(request: Request) -> str | None:
    """The AWS service a request is for, or None when it is for the site."""
    target = request.headers.get("x-amz-target")
    if target:
        return _targets().get(target.rpartition(".")[0])
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    if scope:
        return SIGNING_NAMES.get(scope[2], scope[2])
    # AssumeRoleWithWebIdentity is the one call that is sent unsigned.
    if request.method == "POST" and b"Version=" in request.body and b"Action=" in request.body:
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        return QUERY_VERSIONS.get(form.get("Version", ""))
    return None


def region_of(request: Request) -> str:
    """The region that a request is signed for; empty where it is not signed."""
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    return scope[1] if scope else ""


def decode_json(request: Request) -> tuple[str, Json]:
    operation = request.headers["x-amz-target"].rpartition(".")[2]
    return operation, json.loads(request.body or b"{}")


def decode_query(service: str, request: Request) -> tuple[str, Json]:
    """``A.member.1=x`` back into nested values, guided by the operation's input shape."""
    form = dict(urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True))
    operation = form["Action"]
    shape = model(service).operation_model(operation).input_shape
    return operation, _from_form(shape, form, "") if shape is not None else {}


def _from_form(shape: Any, form: dict[str, str], prefix: str) -> Any:
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            at = f"{prefix}.{name}" if prefix else name
            if any(key == at or key.startswith(at + ".") for key in form):
                found[name] = _from_form(member, form, at)
        return found
    if shape.type_name == "list":
        items: list[Any] = []
        while any(key.startswith(f"{prefix}.member.{len(items) + 1}") for key in form):
            items.append(_from_form(shape.member, form, f"{prefix}.member.{len(items) + 1}"))
        return items
    return int(form[prefix]) if shape.type_name in ("integer", "long") else form[prefix]


def encode_json(answer: Json) -> Response:
    return Response(200, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def encode_query(service: str, operation: str, answer: Json) -> Response:
    shape = model(service).operation_model(operation).output_shape
    wrapper = shape.serialization.get("resultWrapper", f"{operation}Result") if shape is not None else ""
    inner = "".join(_member(shape, key, value) for key, value in answer.items()) if shape is not None else ""
    body = f"<{operation}Response>" + (f"<{wrapper}>{inner}</{wrapper}>" if wrapper else "")
    body += f"<ResponseMetadata><RequestId>simulated</RequestId></ResponseMetadata></{operation}Response>"
    return Response(200, body.encode(), {"Content-Type": "text/xml"})


def encode_payload(service: str, operation: str, answer: Json, status: int) -> Response:
    """rest-xml: ``answer`` is the payload member's value."""
    output = model(service).operation_model(operation).output_shape
    name = output.serialization["payload"]
    return Response(status, element(name, output.members[name], answer).encode(), {"Content-Type": "text/xml"})


def decode_payload(service: str, operation: str, body: bytes) -> Json:
    """rest-xml: the value of the request's payload member."""
    shape = model(service).operation_model(operation).input_shape
    found: Json = _from_element(shape.members[shape.serialization["payload"]], ElementTree.fromstring(body))
    return found


def _from_element(shape: Any, node: ElementTree.Element) -> Any:
    if shape.type_name == "structure":
        children = {child.tag.rpartition("}")[2]: child for child in node}
        tags = {name: member.serialization.get("name", name) for name, member in shape.members.items()}
        return {
            name: _from_element(shape.members[name], children[tag]) for name, tag in tags.items() if tag in children
        }
    if shape.type_name == "list":
        return [_from_element(shape.member, child) for child in node]
    text = node.text or ""
    if shape.type_name == "boolean":
        return text == "true"
    return int(text) if shape.type_name in ("integer", "long") else text


def _member(shape: Any, key: str, value: Any) -> str:
    member = shape.members[key]
    return element(member.serialization.get("name", key), member, value)


def element(tag: str, shape: Any, value: Any) -> str:
    """``value`` as one XML element, by its shape."""
    return f"<{tag}>{_inner(shape, value)}</{tag}>"


def _inner(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(_member(shape, key, item) for key, item in value.items() if item is not None)
    if shape.type_name == "list":
        tag = shape.member.serialization.get("name", "member")
        return "".join(element(tag, shape.member, item) for item in value)
    if shape.type_name == "timestamp":
        return iso(value)
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return escape(str(value))


def iso(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def error_response(service: str, method: str, code: str, message: str, status: int) -> Response:
    """An error in the form of its service."""
    if service == "s3":
        body = "" if method == "HEAD" else f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return Response(status, body.encode(), {"Content-Type": "application/xml"})
    if service in ("sts", "iam", "elbv2", "cloudfront"):
        kind = "Sender" if status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            "<RequestId>simulated</RequestId></ErrorResponse>"
        )
        return Response(status, body.encode(), {"Content-Type": "text/xml"})
    body = json.dumps({"__type": code, "message": message})
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
    return Response(status, body.encode(), headers)
