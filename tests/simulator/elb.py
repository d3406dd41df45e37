"""The simulated load balancer's API: target groups of the services, their targets' health, rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulator.ecs_state import EcsState, Task
from tests.simulator.errors import AwsError
from tests.simulator.site import Site

Json = dict[str, Any]

DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: [503]",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
}


@dataclass
class TargetGroup:
    arn: str
    name: str
    port: int
    health_check_path: str
    deregistration_delay: float


class Elb:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Operations.html"""

    def __init__(self, state: EcsState, site: Site) -> None:
        self.state, self.site = state, site
        self.groups: dict[str, TargetGroup] = {}
        base = f"arn:aws:elasticloadbalancing:{state.region}:{state.account}"
        self.base = base
        self.balancer = f"{base}:loadbalancer/app/site/50dc6c495c0c9188"
        self.listener = f"{base}:listener/app/site/50dc6c495c0c9188/f2f7dc8efc522ab2"

    def target_group(
        self, name: str, *, port: int = 80, health_check: str = "/", deregistration_delay: float = 15.0
    ) -> str:
        """For tests: make a target group; returns its ARN. The delay is in seconds (AWS's default is 300)."""
        arn = f"{self.base}:targetgroup/{name}/{len(self.groups) + 1:016x}"
        self.groups[arn] = TargetGroup(arn, name, port, health_check, deregistration_delay)
        return arn

    def _group(self, arn: str) -> TargetGroup:
        if arn not in self.groups:
            raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
        return self.groups[arn]

    def targets(self, arn: str) -> list[Task]:
        """The tasks registered in a target group."""
        return [
            task
            for task in self.state.tasks.values()
            if task.service is not None
            and task.target_state is not None
            and any(b.get("targetGroupArn") == arn for b in task.service.body.get("loadBalancers", []))
        ]

    def describe_target_health(self, p: Json) -> Json:
        group = self._group(p["TargetGroupArn"])
        found = []
        for task in self.targets(group.arn):
            health: Json = {"State": task.target_state}
            if task.target_reason:
                health.update(Reason=task.target_reason, Description=DESCRIPTIONS[task.target_reason])
            target = {"Id": task.ip, "Port": group.port, "AvailabilityZone": f"{self.state.region}a"}
            found.append({"Target": target, "HealthCheckPort": str(group.port), "TargetHealth": health})
        return {"TargetHealthDescriptions": found}

    def describe_target_groups(self, p: Json) -> Json:
        wanted = [self._group(arn) for arn in p.get("TargetGroupArns", [])] or list(self.groups.values())
        names = p.get("Names", [])
        missing = [name for name in names if all(g.name != name for g in wanted)]
        if missing:
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        found = [
            {
                "TargetGroupArn": group.arn,
                "TargetGroupName": group.name,
                "Protocol": "HTTP",
                "Port": group.port,
                "HealthCheckProtocol": "HTTP",
                "HealthCheckPath": group.health_check_path,
                "Matcher": {"HttpCode": "200"},
                "LoadBalancerArns": [self.balancer],
                "TargetType": "ip",
            }
            for group in wanted
            if not names or group.name in names
        ]
        return {"TargetGroups": found}

    def describe_target_group_attributes(self, p: Json) -> Json:
        delay = self._group(p["TargetGroupArn"]).deregistration_delay
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": str(int(delay))}]}

    def describe_load_balancers(self, p: Json) -> Json:
        view = {
            "LoadBalancerArn": self.balancer,
            "DNSName": f"site-1.{self.state.region}.elb.amazonaws.com",
            "LoadBalancerName": "site",
            "Scheme": "internet-facing",
            "State": {"Code": "active"},
            "Type": "application",
        }
        return {"LoadBalancers": [view]}

    def describe_listeners(self, p: Json) -> Json:
        view = {"ListenerArn": self.listener, "LoadBalancerArn": self.balancer, "Port": 80, "Protocol": "HTTP"}
        return {"Listeners": [view]}

    def describe_rules(self, p: Json) -> Json:
        rules = []
        for number, route in enumerate(self.site.routes, start=1):
            service = self.state.services.get((route.cluster, route.service))
            balanced = service.body.get("loadBalancers", []) if service else []
            last = route.pattern == "/*"
            rules.append(
                {
                    "RuleArn": f"{self.listener}/{number:016x}".replace(":listener/", ":listener-rule/"),
                    "Priority": "default" if last else str(number),
                    "Conditions": [] if last else [{"Field": "path-pattern", "Values": [route.pattern]}],
                    "Actions": [{"Type": "forward", "TargetGroupArn": b["targetGroupArn"]} for b in balanced],
                    "IsDefault": last,
                }
            )
        return {"Rules": rules}
