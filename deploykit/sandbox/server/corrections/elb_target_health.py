"""Each target has its own health: initial, healthy, unhealthy or draining, by the target group's check.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from ministack.services import alb

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.data_plane.targets import Target

REQUIRES = (
    ("services.alb", "_ACTION_MAP", "dict"),
    ("services.alb", "_p", "(params, key, default='')"),
    ("services.alb", "_xml", "(status, action, inner)"),
    ("services.alb", "_empty", "(action)"),
    ("services.alb", "_error", "(code, message, status=400)"),
    ("services.alb", "_parse_targets_param", "(params, prefix='Targets')"),
)


def install(parts: Parts) -> None:
    def describe(params: dict[str, Any]) -> Any:
        group = alb._p(params, "TargetGroupArn")
        if group not in alb._tgs:
            return _missing(group)
        asked = {(t["Id"], int(t.get("Port") or alb._tgs[group]["Port"])) for t in alb._parse_targets_param(params)}
        found = [t for t in parts.targets.of(group) if not asked or (t.address, t.port) in asked]
        members = "".join(map(_member, found))
        inner = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        return alb._xml(200, "DescribeTargetHealth", inner)

    def change(params: dict[str, Any], action: str, one: Any) -> Any:
        group = alb._p(params, "TargetGroupArn")
        if group not in alb._tgs:
            return _missing(group)
        for target in alb._parse_targets_param(params):
            one(group, target["Id"], int(target.get("Port") or alb._tgs[group]["Port"]))
        return alb._empty(action)

    alb._ACTION_MAP.update(
        DescribeTargetHealth=describe,
        RegisterTargets=lambda params: change(params, "RegisterTargets", parts.targets.register),
        DeregisterTargets=lambda params: change(params, "DeregisterTargets", parts.targets.remove),
    )


def _missing(group: str) -> Any:
    return alb._error("TargetGroupNotFound", f"Target group '{group}' not found.")


def _member(target: Target) -> str:
    code, description = target.reason
    reason = f"<Reason>{code}</Reason><Description>{escape(description)}</Description>" if code else ""
    return (
        f"<member><Target><Id>{target.address}</Id><Port>{target.port}</Port></Target>"
        f"<HealthCheckPort>{target.port}</HealthCheckPort>"
        f"<TargetHealth><State>{target.state}</State>{reason}</TargetHealth></member>"
    )
