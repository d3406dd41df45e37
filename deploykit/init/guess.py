"""The whole file, made from what was seen of a cluster; guesses are marked as such. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deploykit.errors import FailedBefore
from deploykit.init.addresses import Address, address_of, in_front
from deploykit.init.endpoints import endpoint_blocks, local_blocks
from deploykit.init.naming import environment_in
from deploykit.init.seen import SeenCluster
from deploykit.init.services import Adopted, LeftOut, adopt, service_blocks
from deploykit.init.starter import FoundService
from deploykit.init.text import GUESSED, Block, Line, guesses, listed, quoted, remark, render
from deploykit.model.hint import Hint, command

_UNNAMED = "prod"  # the environment of a cluster whose name does not tell
_SHOWN = 5  # distributions that are listed where none is known to be in front


@dataclass(frozen=True)
class Draft:
    """The file's text, and what people should know about it."""

    text: str
    environment: str
    services: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    guesses: int  # comments that begin with "guessed:"


def draft(
    seen: SeenCluster,
    project: str,
    folders: Sequence[FoundService],
    *,
    bucket: str,
    environment: str | None = None,
) -> Draft:
    """The configuration of ``seen``. ``folders`` have a Dockerfile; ``environment``: its name, where it is known.

    Raises: FailedBefore where deploykit can release none of the services.
    """
    adopted, left_out = adopt(seen, project, folders)
    if not adopted:
        raise FailedBefore(
            f"no service of cluster {seen.name} can be configured: "
            + "; ".join(f"{one.service}: {one.reason}" for one in left_out),
            Hint(command("init"), " writes a configuration to fill in by hand"),
        )
    name, why = _environment(seen, environment)
    main = _main(adopted, seen)
    blocks = [
        Block("", (), above=_head(seen)),
        _project(project, seen.region, name),
        _place(seen, name, why, main, bucket),
        *service_blocks(adopted, seen, name, folders),
        *([Block("", tuple(map(_left_out, left_out)))] if left_out else []),
        *_distributions(adopted, seen),
        *endpoint_blocks(adopted, seen, main),
        *local_blocks(adopted, seen),
    ]
    return Draft(render(blocks), name, tuple(one.key for one in adopted), left_out, guesses(blocks))


def _head(seen: SeenCluster) -> tuple[str, ...]:
    said = [
        f"Read from ECS cluster {seen.name} in {seen.region} by {command('init', '--from-cluster').text()}.",
        'Comments with "guessed:" mark what could not be read there: look at those lines first. '
        f"{command('plan').text()} then shows what a release would do, and changes nothing. "
        f"Other keys, such as depends_on and migrate: {command('schema').text()}.",
    ]
    if seen.unseen:
        said += ["Not everything could be read:", *(f"- {text}" for text in seen.unseen)]
    return tuple(said)


def _project(project: str, region: str, environment: str) -> Block:
    values = {"name": project, "region": region, "default_environment": environment}
    return Block("[project]", tuple(Line(key, quoted(value)) for key, value in values.items()))


def _environment(seen: SeenCluster, given: str | None) -> tuple[str, str]:
    """The environment's name, and how it was found."""
    if given:
        return given, ""
    said = environment_in(seen.name, [service.state.name for service in seen.services])
    if said:
        return said, f"{GUESSED}from the names there"
    return _UNNAMED, f"{GUESSED}no name there tells which one it is; --env NAME sets it"


def _main(adopted: Sequence[Adopted], seen: SeenCluster) -> Address | None:
    """The public address of most services; an internal one only where there is no other."""
    found = [pair[0] for one in adopted if (pair := address_of(one.seen, seen))]
    count = Counter(address.url for address in found)
    return min(found, key=lambda address: (not address.public, -count[address.url]), default=None)


def _place(seen: SeenCluster, name: str, why: str, main: Address | None, bucket: str) -> Block:
    lines = [
        Line("account", quoted(seen.account), "of the credentials that read this; refuses to act on any other account"),
        Line("cluster", quoted(seen.name)),
    ]
    if main is not None:
        lines.append(Line("url", quoted(main.url), main.why, off=not main.public))
    else:
        balanced = any(service.state.target_groups for service in seen.services)
        note = "the address people use; it could not be read" if balanced else "no service is behind a load balancer"
        lines.append(Line("url", '"https://example.com"', note, off=True))
    if main is not None and main.distribution and not main.balancer.internal:
        note = "the same site without the CDN"
        lines.append(Line("origin", quoted(f"http://{main.balancer.dns_name}"), note, off=True))
    note = "ledger, lease, health history; without it, only tags"
    lines.append(Line("state", quoted(f"s3://{bucket}/{name}"), note, off=True))
    return Block(f"[environments.{name}]", tuple(lines), why)


def _left_out(one: LeftOut) -> Line:
    return remark(f"left out: {one.service}, because {one.reason}")


def _distributions(adopted: Sequence[Adopted], seen: SeenCluster) -> list[Block]:
    found = in_front(seen)
    if not found:
        return _candidates(seen)
    blocks = []
    for number, distribution in enumerate(found, start=1):
        behind = [
            one.key
            for one in adopted
            if (pair := address_of(one.seen, seen)) and pair[0].balancer.dns_name.lower() in distribution.origins
        ]
        called = distribution.aliases[0] if distribution.aliases else distribution.domain
        lines = [
            Line("distribution", quoted(distribution.id), called),
            Line("paths", '["/*"]', f"{GUESSED}everything it may have cached"),
        ]
        if behind:
            note = f"{GUESSED}those behind its load balancer; leave out what it never caches"
            lines.append(Line("after", listed(behind), note))
        blocks.append(Block(f"[cdn.{'site' if number == 1 else f'site-{number}'}]", tuple(lines)))
    return blocks


def _candidates(seen: SeenCluster) -> list[Block]:
    """A suggestion, where there are distributions but none has a load balancer's own name as its origin."""
    if not seen.balancers or not seen.distributions:
        return []
    known = [f"{d.id} ({(*d.aliases, d.domain)[0]}, origin {', '.join(d.origins)})" for d in seen.distributions]
    more = f", and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    said = (
        "No distribution has the load balancer's own name as its origin. If one reaches it by another name, remove "
        f"the #. There are: {', '.join(known[:_SHOWN])}{more}."
    )
    lines = (Line("distribution", quoted(seen.distributions[0].id)), Line("paths", '["/*"]'))
    return [Block("[cdn.site]", lines, off=True, above=(said,))]
