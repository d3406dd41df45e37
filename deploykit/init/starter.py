"""The first deploykit.toml of a repository: the annotated example, filled in from the repository's folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploykit.config.example import example_text
from deploykit.config.load import FILE_NAME
from deploykit.errors import UsageError
from deploykit.init.text import COLUMN

_EXAMPLE_NAME = "davidshaevel"
_EXAMPLE_ACCOUNT = "108581769167"
_PLACEHOLDER_ACCOUNT = "123456789012"
CATCH_ALL = frozenset({"frontend", "web", "www", "site", "app", "ui"})  # often take all other paths
_SKIPPED = {"node_modules", "vendor", "target", "dist", "build"}
_DEPTH = 2
_KEPT_AS_COMMENTS = ("contact", "backend-health", "api-projects")  # endpoints that show most of the keys


@dataclass(frozen=True)
class FoundService:
    """A folder with a Dockerfile."""

    key: str
    context: str  # relative to the repository
    port: int | None  # the Dockerfile's first EXPOSE


def new_file(root: Path, file: Path | None) -> Path:
    """Where to write: ``file``, else the usual name in ``root``. Raises: UsageError where it exists."""
    path = root / file if file is not None else root / FILE_NAME
    if path.exists() or path.is_symlink():
        raise _exists(path)
    return path


def write_new(path: Path, text: str) -> None:
    """Write a new file. Raises: UsageError where it exists or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", "name another file with --config FILE"
        ) from None


def project_name(root: Path) -> str:
    """From the remote called origin, else from the folder's name."""
    try:
        text = (root / ".git" / "config").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    remote = re.search(r'^\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', text, re.MULTILINE | re.DOTALL)
    last = re.split(r"[/:]", remote[1].rstrip("/"))[-1].removesuffix(".git") if remote else root.resolve().name
    return _key(last) or "project"


def dockerfile_folders(root: Path, name: str) -> list[FoundService]:
    """The folders with a Dockerfile, at most two deep; ``name`` is the repository's own key."""
    found: list[FoundService] = []
    for depth in range(_DEPTH + 1):
        for dockerfile in sorted(root.glob("*/" * depth + "Dockerfile")):
            folder = dockerfile.parent.relative_to(root)
            if any(part in _SKIPPED or part.startswith(".") for part in folder.parts):
                continue
            key = _key(folder.name) or name
            if key not in {service.key for service in found}:
                found.append(FoundService(key, folder.as_posix(), _port(dockerfile)))
    return found


def starter_text(project: str, services: Sequence[FoundService]) -> str:
    """The example's text for ``services``; the first keeps all comments, and what is unknown is commented out."""
    parts = {_header(part): part for part in example_text().split("\n\n")}
    first, *others = services
    blocks = [_service(parts["services.backend"], "backend", first)]
    for service in others:
        block = _service(parts["services.frontend"], "frontend", service)
        blocks.append(block.replace('depends_on = ["backend"]', f'# depends_on = ["{first.key}"]'))
    replaced = {
        "services.backend": "\n\n".join(blocks),
        "services.frontend": "",
        "cdn.site": _commented(parts["cdn.site"].replace('"frontend"', f'"{services[-1].key}"')),
        "local.services.backend": _local(parts["local.services.backend"], services),
        "local.services.frontend": "",
        "local.database": _commented(parts["local.database"]),
    }
    text = []
    kept_home = False
    for part in example_text().rstrip("\n").split("\n\n"):
        header = _header(part)
        if header == "checks.endpoints":
            if kept_home and not any(f'id = "{shown}"' in part for shown in _KEPT_AS_COMMENTS):
                continue
            part = _commented(_for(part, services)) if kept_home else part.replace(', contains = "<html"', "")
            kept_home = True
        text.append(replaced.get(header, part))
    whole = "\n\n".join(part for part in text if part)
    whole = whole.replace(f"{_EXAMPLE_NAME}.com", f"{project}.example.com").replace(_EXAMPLE_NAME, project)
    whole = whole.replace(_EXAMPLE_ACCOUNT, _PLACEHOLDER_ACCOUNT)
    return "".join(f"{_aligned(line)}\n" for line in whole.split("\n"))


def bucket_commands(bucket: str, region: str = "us-east-1") -> tuple[str, ...]:
    """The commands that make a private, versioned state bucket."""
    # us-east-1 is the one region that must not be named here:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
    elsewhere = "" if region == "us-east-1" else f" --create-bucket-configuration LocationConstraint={region}"
    return (
        f"aws s3api create-bucket --bucket {bucket} --region {region}{elsewhere}",
        f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled",
        f"aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration "
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
    )


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists already and was not changed", "name another file with --config FILE")


def _header(part: str) -> str:
    found = re.search(r"^\[+([^\]]+)\]", part, re.MULTILINE)
    return found[1] if found else ""


def _service(part: str, example: str, service: FoundService) -> str:
    part = part.replace(f'context = "{example}"', f'context = "{service.context}"')
    part = re.sub(rf'(?<=[./"-]){example}(?=["\]])', service.key, part)
    return part.replace('image = "frontend"', 'image = "another"')


def _for(part: str, services: Sequence[FoundService]) -> str:
    part = part.replace('service = "backend"', f'service = "{services[0].key}"')
    return part.replace('service = "frontend"', f'service = "{services[-1].key}"')


def _local(part: str, services: Sequence[FoundService]) -> str:
    with_port = [service for service in services if service.port is not None]
    rest = next((service for service in with_port if service.key in CATCH_ALL), with_port[-1] if with_port else None)
    comment = part.split("\n", 1)[0]
    blocks = []
    for service in services:
        lines = [f"[local.services.{service.key}]"]
        if service.port is None:
            lines.append("# port = 8080  # without a port: a worker behind no load balancer")
        else:
            lines.append(f"port = {service.port}")
            if service is not rest:
                lines.append(f'routes = ["/{service.key}/*"]')
            lines.append('# health_check = "/"  # the load balancer\'s')
        lines.append("# count = 2  # desired tasks")
        blocks.append("\n".join(lines))
    return f"{comment}\n" + "\n\n".join(blocks)


def _commented(part: str) -> str:
    return "\n".join(line if line.startswith("#") or not line else f"# {line}" for line in part.split("\n"))


def _aligned(line: str) -> str:
    """``line`` with its comment in the same column as the others."""
    parts = re.fullmatch(r"(.*?\S)  +(# .*)", line)
    return f"{parts[1].ljust(COLUMN - 2)}  {parts[2]}" if parts else line


def _port(dockerfile: Path) -> int | None:
    try:
        text = dockerfile.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"^\s*EXPOSE\s+(\d{1,5})\b", text, re.MULTILINE | re.IGNORECASE)
    return int(found[1]) if found and 0 < int(found[1]) < 65536 else None


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
