"""The simulated load balancers' API: target groups, their targets' health, load balancers, listeners, rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.simulator.ecs_state import EcsState, Service, Task
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
    protocol: str = "HTTP"
    check_protocol: str = "HTTP"
    codes: str = "200"


@dataclass
class Listener:
    arn: str
    balancer: str
    protocol: str
    port: int
    default: list[Json]
    rules: list[Json] = field(default_factory=list)


def page(items: list[Json], p: Json, key: str) -> Json:
    """One page of ``items`` under ``key``; the marker is the place to go on from."""
    size, start = int(p.get("PageSize") or 400), int(p.get("Marker") or 0)
    answer: Json = {key: items[start : start + size]}
    if start + size < len(items):
        answer["NextMarker"] = str(start + size)
    return answer


class Elb:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Operations.html

    One load balancer, ``site``, is there from the start: its listener's rules are the site's routes. Those made by
    calls are described as they were made, but no request comes to them.
    """

    def __init__(self, state: EcsState, site: Site) -> None:
        self.state, self.site = state, site
        self.groups: dict[str, TargetGroup] = {}
        base = f"arn:aws:elasticloadbalancing:{state.region}:{state.account}"
        self.base = base
        self.balancer = f"{base}:loadbalancer/app/site/50dc6c495c0c9188"
        self.listener = f"{base}:listener/app/site/50dc6c495c0c9188/f2f7dc8efc522ab2"
        self.balancers: dict[str, Json] = {self.balancer: self._balancer(self.balancer, 1, {"Name": "site"})}
        self.listeners: dict[str, Listener] = {self.listener: Listener(self.listener, self.balancer, "HTTP", 80, [])}

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
            and (
                task.target_group == arn
                if task.deployment is not None and task.deployment.target_group
                else task.target_state is not None
                and any(b.get("targetGroupArn") == arn for b in task.service.body.get("loadBalancers", []))
            )
        ]

    # -- target groups ---------------------------------------------------------------------------------------------

    def create_target_group(self, p: Json) -> Json:
        arn = self.target_group(
            p["Name"], port=p.get("Port", 80), health_check=p.get("HealthCheckPath", "/"), deregistration_delay=300
        )
        group = self.groups[arn]
        group.protocol = p.get("Protocol", "HTTP")
        group.check_protocol = p.get("HealthCheckProtocol") or ("HTTP" if group.protocol != "TCP" else "TCP")
        group.codes = p.get("Matcher", {}).get("HttpCode", "200")
        return {"TargetGroups": [self._group_view(group)]}

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
        found = [self._group_view(group) for group in wanted if not names or group.name in names]
        balancer = p.get("LoadBalancerArn")
        return page([g for g in found if balancer is None or balancer in g["LoadBalancerArns"]], p, "TargetGroups")

    def _group_view(self, group: TargetGroup) -> Json:
        asked = group.check_protocol in ("HTTP", "HTTPS")  # the path and codes of a TCP check are not shown
        web = {"HealthCheckPath": group.health_check_path, "Matcher": {"HttpCode": group.codes}} if asked else {}
        return {
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            "Protocol": group.protocol,
            "Port": group.port,
            "HealthCheckProtocol": group.check_protocol,
            **web,
            "LoadBalancerArns": self._users(group.arn),
            "TargetType": "ip",
        }

    def _users(self, group: str) -> list[str]:
        """The load balancers with a rule that forwards to a group."""
        found = [
            listener.balancer
            for listener in self.listeners.values()
            for rule in self._rules(listener)
            for action in rule["Actions"]
            if group in _forwards(action)
        ]
        return list(dict.fromkeys(found))

    def describe_target_group_attributes(self, p: Json) -> Json:
        delay = self._group(p["TargetGroupArn"]).deregistration_delay
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": str(int(delay))}]}

    # -- load balancers --------------------------------------------------------------------------------------------

    def _balancer(self, arn: str, number: int, p: Json) -> Json:
        internal = "internal-" if p.get("Scheme") == "internal" else ""
        return {
            "LoadBalancerArn": arn,
            "DNSName": f"{internal}{p['Name']}-{number}.{self.state.region}.elb.amazonaws.com",
            "LoadBalancerName": p["Name"],
            "Scheme": p.get("Scheme", "internet-facing"),
            "State": {"Code": "active"},
            "Type": p.get("Type", "application"),
        }

    def create_load_balancer(self, p: Json) -> Json:
        if any(known["LoadBalancerName"] == p["Name"] for known in self.balancers.values()):
            raise AwsError("DuplicateLoadBalancerName", f"A load balancer with the name '{p['Name']}' exists.")
        kind = "net" if p.get("Type") == "network" else "app"
        number = len(self.balancers) + 1
        arn = f"{self.base}:loadbalancer/{kind}/{p['Name']}/{number:016x}"
        self.balancers[arn] = self._balancer(arn, number, p)
        return {"LoadBalancers": [self.balancers[arn]]}

    def describe_load_balancers(self, p: Json) -> Json:
        wanted, names = p.get("LoadBalancerArns", []), p.get("Names", [])
        known = {view["LoadBalancerName"] for view in self.balancers.values()}
        if not (set(wanted) <= set(self.balancers) and set(names) <= known):
            raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
        found = [
            view
            for arn, view in self.balancers.items()
            if (not wanted or arn in wanted) and (not names or view["LoadBalancerName"] in names)
        ]
        return page(found, p, "LoadBalancers")

    # -- listeners and rules ---------------------------------------------------------------------------------------

    def create_listener(self, p: Json) -> Json:
        place = p["LoadBalancerArn"]
        if place not in self.balancers:
            raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
        arn = f"{place.replace(':loadbalancer/', ':listener/')}/{len(self.listeners):016x}"
        made = Listener(arn, place, p.get("Protocol", "HTTP"), int(p.get("Port", 80)), p["DefaultActions"])
        self.listeners[arn] = made
        return {"Listeners": [self._listener_view(made)]}

    def create_rule(self, p: Json) -> Json:
        listener = self._listener(p["ListenerArn"])
        priority = str(p["Priority"])
        if any(rule["Priority"] == priority for rule in listener.rules):
            raise AwsError("PriorityInUse", f"Priority '{priority}' is currently in use")
        rule = {
            "RuleArn": f"{listener.arn}/{len(listener.rules) + 1:016x}".replace(":listener/", ":listener-rule/"),
            "Priority": priority,
            "Conditions": p["Conditions"],
            "Actions": p["Actions"],
            "IsDefault": False,
        }
        listener.rules.append(rule)
        return {"Rules": [rule]}

    def describe_listeners(self, p: Json) -> Json:
        balancer, wanted = p.get("LoadBalancerArn"), p.get("ListenerArns")
        if balancer is not None and balancer not in self.balancers:
            raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
        found = [self._listener(arn) for arn in wanted] if wanted else list(self.listeners.values())
        views = [self._listener_view(item) for item in found if balancer in (None, item.balancer)]
        return page(views, p, "Listeners")

    def describe_rules(self, p: Json) -> Json:
        return page(self._rules(self._listener(p["ListenerArn"])), p, "Rules")

    def _listener(self, arn: str) -> Listener:
        if arn not in self.listeners:
            raise AwsError("ListenerNotFound", "One or more listeners not found")
        return self.listeners[arn]

    def _listener_view(self, listener: Listener) -> Json:
        return {
            "ListenerArn": listener.arn,
            "LoadBalancerArn": listener.balancer,
            "Port": listener.port,
            "Protocol": listener.protocol,
            "DefaultActions": [
                action for rule in self._rules(listener) if rule["IsDefault"] for action in rule["Actions"]
            ],
        }

    def _rules(self, listener: Listener) -> list[Json]:
        """By priority, the default last."""
        if listener.arn == self.listener:
            return self._routes()
        rule = f"{listener.arn}/default".replace(":listener/", ":listener-rule/")
        default = {"RuleArn": rule, "Priority": "default", "Conditions": [], "Actions": listener.default}
        return [*sorted(listener.rules, key=lambda r: int(r["Priority"])), {**default, "IsDefault": True}]

    def _routes(self) -> list[Json]:
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
                    "Actions": _weighted(service)
                    or [{"Type": "forward", "TargetGroupArn": b["targetGroupArn"]} for b in balanced],
                    "IsDefault": last,
                }
            )
        return rules


def _forwards(action: Json) -> list[str]:
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return [*([action["TargetGroupArn"]] if "TargetGroupArn" in action else []), *(g["TargetGroupArn"] for g in groups)]


def _weighted(service: Service | None) -> list[Json]:
    """How ECS sets the production rule of a service whose rollouts move requests between two target groups."""
    if service is None or not service.weights:
        return []
    groups = [
        {"TargetGroupArn": rollout.target_group, "Weight": round(service.weights.get(rollout.id, 0.0))}
        for rollout in service.deployments
        if rollout.target_group
    ]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
