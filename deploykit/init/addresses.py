"""The addresses at which users reach what is behind the load balancers, and which service answers a path. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploykit.edges.aws.cloudfront import Distribution, matches
from deploykit.edges.aws.elb import LoadBalancer, Rule
from deploykit.init.seen import SeenCluster, SeenService

_WEB = {
    ("HTTPS", 443): 0,
    ("HTTP", 80): 1,
    ("TLS", 443): 2,
    ("TCP", 80): 3,
}  # what people reach without a port in the URL


@dataclass(frozen=True)
class Address:
    """Where one listener of a load balancer is reached."""

    balancer: LoadBalancer
    url: str
    why: str  # what the URL is; begins with "guessed: " where it is one
    distribution: Distribution | None
    rules: tuple[Rule, ...]  # of the listener, in order

    @property
    def host(self) -> str:
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def public(self) -> bool:
        return self.distribution is not None or not self.balancer.internal

    def receivers(self, path: str) -> tuple[str, ...] | None:
        """The target groups that get a request for ``path``; None where it does not come to this load balancer.

        Conditions on headers and the like are assumed to hold: a distribution often adds the header.
        """
        if self.distribution and self.distribution.origin_of(path) != self.balancer.dns_name.lower():
            return None
        hosts = {self.host.partition(":")[0].lower(), self.balancer.dns_name.lower()}
        for rule in self.rules:
            if rule.hosts and not any(matches(pattern.lower(), host) for pattern in rule.hosts for host in hosts):
                continue
            if not rule.paths or any(matches(pattern, path) for pattern in rule.paths):
                return rule.target_groups
        return ()


def address_of(service: SeenService, seen: SeenCluster) -> tuple[Address, str] | None:
    """Where a service is reached, and its target group there; None for a worker, or where that could not be read.

    Of several target groups, the first that is public, else the first.
    """
    found: list[tuple[Address, str]] = []
    for group in service.state.target_groups:
        check = seen.health_checks.get(group.arn)
        # with the rules, because a local AWS may only name the load balancers whose default action forwards to it
        using = [rule.balancer for rule in seen.rules if group.arn in rule.target_groups]
        for arn in dict.fromkeys([*(check.balancers if check else ()), *using]):
            address = _address(arn, group.arn, seen)
            if address is not None:
                found.append((address, group.arn))
    return next((pair for pair in found if pair[0].public), found[0] if found else None)


def routes(service: SeenService, seen: SeenCluster) -> tuple[str, ...]:
    """The path patterns whose requests a service gets; none where it gets all requests, or all others."""
    groups = {group.arn for group in service.state.target_groups}
    mine = [rule for rule in seen.rules if groups.intersection(rule.target_groups)]
    if any(not rule.paths or {"*", "/*"}.intersection(rule.paths) for rule in mine):
        return ()
    return tuple(dict.fromkeys(path for rule in mine for path in rule.paths))


def in_front(seen: SeenCluster) -> list[Distribution]:
    """The distributions that have one of the load balancers as an origin; those with an alias first."""
    hosts = {balancer.dns_name.lower() for balancer in seen.balancers.values()}
    found = [d for d in seen.distributions or () if d.enabled and hosts.intersection(d.origins)]
    return sorted(found, key=lambda distribution: not distribution.aliases)


def _address(arn: str, group: str, seen: SeenCluster) -> Address | None:
    balancer = seen.balancers.get(arn)
    if balancer is None:
        return None
    listener = _listener([rule for rule in seen.rules if rule.balancer == arn], group)
    mine = [rule for rule in listener if group in rule.target_groups]
    hosts = [host for rule in mine for host in rule.hosts]
    named = next((host for host in hosts if "*" not in host and "?" not in host), None)
    for distribution in in_front(seen):
        if balancer.dns_name.lower() in distribution.origins:
            url, why = _of_distribution(distribution, named)
            return Address(balancer, url, why, distribution, listener)
    protocol, port = (listener[0].protocol, listener[0].port) if listener else ("HTTP", 80)
    secure = protocol in ("HTTPS", "TLS")
    usual = port == (443 if secure else 80)
    address = f"{'https' if secure else 'http'}://{named or balancer.dns_name}{'' if usual else f':{port}'}"
    if not listener:
        why = "guessed: the load balancer's own name; its listeners could not be read"
    elif seen.distributions is None:
        why = "guessed: the load balancer's; distributions could not be read"
    elif named:
        why = "the host that the load balancer's rule requires"
    elif secure:
        why = "guessed: the load balancer's own name; write one that its certificate covers"
    else:
        why = "the load balancer's own name; no distribution has it as its origin"
    if balancer.internal:
        why = "guessed: the load balancer is internal; this name is reached from inside the VPC only"
    return Address(balancer, address, why, None, listener)


def _listener(rules: Sequence[Rule], group: str) -> tuple[Rule, ...]:
    """The rules of the listener that forwards to ``group``; of several, the one reached without a port in the URL."""
    using = {(rule.protocol, rule.port) for rule in rules if group in rule.target_groups}
    best = min(using, key=lambda where: (_WEB.get(where, len(_WEB)), where), default=None)
    return tuple(rule for rule in rules if (rule.protocol, rule.port) == best)


def _of_distribution(distribution: Distribution, named: str | None) -> tuple[str, str]:
    """Its URL and what that is. ``named``: the host that a load balancer's rule requires."""
    plain = [alias for alias in distribution.aliases if "*" not in alias]
    if named in plain:
        return f"https://{named}", f"an alias of distribution {distribution.id}, and the host its rule requires"
    if len(plain) > 1:
        return f"https://{plain[0]}", f"guessed: an alias of {distribution.id}; others: {', '.join(plain[1:])}"
    if plain:
        return f"https://{plain[0]}", f"the alias of distribution {distribution.id}"
    if distribution.aliases:
        text = f"guessed: distribution {distribution.id} has the alias {distribution.aliases[0]} only"
        return f"https://{distribution.domain}", text
    return f"https://{distribution.domain}", f"the domain of distribution {distribution.id}, which has no alias"
