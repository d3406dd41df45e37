"""Where MiniStack differs from AWS in a way that matters to a release: one file for each correction.

Each file's docstring names the behaviour it restores and links AWS's page. Its ``REQUIRES`` lists MiniStack's internal
names that it alone uses, with their signatures. The server compares them all when it starts, so that it refuses a
MiniStack with other internals at once and does not misbehave later.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecs

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.ecs.lookup import Refused

#: The version of MiniStack that the corrections were written for.
VERSION = "1.5.33"

#: ``(module below ministack, name, signature)``; a name that is not called has its type instead.
Requirement = tuple[str, str, str]

#: What the rest of the server uses, or several corrections.
OWN: tuple[Requirement, ...] = (
    ("services.ecs", "_tasks", "AccountRegionScopedDict"),
    ("services.ecs", "_services", "AccountRegionScopedDict"),
    ("services.ecs", "_clusters", "AccountRegionScopedDict"),
    ("services.ecs", "_task_defs", "AccountRegionScopedDict"),
    ("services.ecs", "_tags", "AccountScopedDict"),
    ("services.ecs", "_sanitize", "(obj)"),
    ("services.ecs", "_resolve_td_key", "(ref)"),
    ("services.ecs", "_resolve_cluster_name", "(ref)"),
    ("services.ecs", "_resolve_container_secrets", "(cdef)"),
    ("services.ecs", "_SecretResolutionError", "type"),
    ("services.ecr", "_find_image", "(repo_name, image_id)"),
    ("services.iam", "_roles", "AccountScopedDict"),
    ("services.cloudwatch_logs", "_log_groups", "AccountRegionScopedDict"),
    ("services.cloudwatch_logs", "_create_log_group", "(data)"),
    ("services.cloudwatch_logs", "_create_log_stream", "(data)"),
    ("services.cloudwatch_logs", "_put_log_events", "(data)"),
    ("services.alb", "_tgs", "AccountRegionScopedDict"),
    ("services.alb", "_lbs", "AccountRegionScopedDict"),
    ("services.alb", "_rules", "AccountRegionScopedDict"),
    ("services.alb", "_tg_attrs", "AccountScopedDict"),
    ("services.alb", "_rule_sort_key", "(rule)"),
    ("services.alb", "_match_condition", "(cond, method, path, headers, query_params)"),
    ("services.cloudfront", "_distributions", "AccountScopedDict"),
    ("services.cloudfront", "_cache_policies", "AccountScopedDict"),
    ("services.cloudfront", "_MANAGED_CACHE_POLICIES", "dict"),
    ("services.ecs", "_ACTION_MAP", "dict"),
    ("app", "SERVICE_REGISTRY", "dict"),
    ("app", "app", "(scope, receive, send)"),
    ("core.router", "SERVICE_PATTERNS", "dict"),
    ("services.cloudfront", "_strip_namespace", "(el)"),
)


class Moved(Exception):
    """MiniStack or its internals are not those that the corrections were written for."""


def install(parts: Parts) -> None:
    """Check and install every correction. Raises Moved before it changes anything."""
    if (version := importlib.metadata.version("ministack")) != VERSION:
        raise Moved(f"MiniStack is {version}, but the corrections are for {VERSION}")
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "parts")
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    complaints = _check("the sandbox", OWN)
    for name, module in modules.items():
        complaints += _check(name, module.REQUIRES)
    if complaints:
        raise Moved(f"MiniStack's internals are not those of {VERSION}: " + "; ".join(complaints))
    for module in modules.values():
        module.install(parts)
    for name, handler in list(ecs._ACTION_MAP.items()):
        ecs._ACTION_MAP[name] = _answering(parts, handler)


def _answering(parts: Parts, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Run an ECS operation under the tasks' lock, under which its records change; Refused becomes AWS's error."""

    def answer(data: Any) -> Any:
        with parts.tasks.lock:
            try:
                return handler(data)
            except Refused as refusal:
                return error_response_json(refusal.code, str(refusal), extra=refusal.more)

    return answer


def _check(name: str, requires: tuple[Requirement, ...]) -> list[str]:
    """What of ``requires`` is missing or different, as sentences that name the correction."""
    complaints = []
    for module, attribute, expected in requires:
        owner = importlib.import_module(f"ministack.{module}")
        found: Any = getattr(owner, attribute, None)
        shape = str(inspect.signature(found)) if inspect.isroutine(found) else type(found).__name__
        actual = "missing" if found is None else shape
        if actual != expected:
            complaints.append(f"{name} needs {module}.{attribute} as {expected}, found {actual}")
    return complaints
