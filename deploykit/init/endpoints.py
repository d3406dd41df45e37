"""The first endpoints, from the load balancer's health checks; and the tables of the local platform. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from deploykit.init.addresses import Address, address_of, routes
from deploykit.init.containers import local_secrets
from deploykit.init.naming import words
from deploykit.init.seen import SeenCluster
from deploykit.init.services import Adopted
from deploykit.init.starter import CATCH_ALL
from deploykit.init.text import GUESSED, Block, Line, listed, quoted, remark
from deploykit.model.hint import command

_VERSION = "proves each release, where the answer shows the commit"


def endpoint_blocks(adopted: Sequence[Adopted], seen: SeenCluster, main: Address | None) -> list[Block]:
    """An endpoint for each service behind a load balancer; commented out where another service would answer."""
    blocks = [block for one in adopted if (block := _endpoint(one, adopted, seen, main))]
    if blocks:  # only the first one that is not commented out explains `version`
        first = next((i for i, block in enumerate(blocks) if not block.off), 0)
        return [block if i == first else _unexplained(block) for i, block in enumerate(blocks)]
    return [
        Block(
            "[[checks.endpoints]]",
            (Line("id", '"home"'), Line("path", '"/"')),
            off=True,
            above=("No load balancer checks the health of a service. Without an endpoint a release is not checked "
                   "(UNCHECKED): only ECS says whether it is stable.",),
        )
    ]  # fmt: skip


def local_blocks(adopted: Sequence[Adopted], seen: SeenCluster) -> list[Block]:
    """How each service runs on a local platform."""
    blocks: list[Block] = []
    rest = _takes_the_rest(adopted, seen)
    for one in adopted:
        lines: list[Line] = []
        if one.port is not None:
            lines.append(Line("port", str(one.port)))
            patterns = routes(one.seen, seen)
            if patterns:
                lines.append(Line("routes", listed(patterns)))
            elif one.key != rest:
                note = f"{GUESSED}{rest} takes all other paths; here they share one load balancer"
                lines.append(Line("routes", listed([f"/{one.key}/*"]), note))
            path = _health_path(one, seen)
            if path:
                lines.append(Line("health_check", quoted(path)))
        if one.seen.state.desired > 1:
            lines.append(Line("count", str(one.seen.state.desired)))
        secrets = {k: v for k, v in local_secrets(one.runs).items() if re.fullmatch(r"[A-Za-z_]\w*", k, re.ASCII)}
        if secrets:
            values = ", ".join(f"{name} = {quoted(value)}" for name, value in secrets.items())
            lines.append(Line("secrets", f"{{ {values} }}", "their values are random"))
        if one.runs.variables:
            lines.append(remark(f"its variables, values not copied: {', '.join(sorted(one.runs.variables))}"))
        if lines:
            blocks.append(Block(f"[local.services.{one.key}]", tuple(lines)))
    if not blocks:
        return []
    up = command("sandbox up").text()
    said = f"What Terraform decides on AWS, and what a local platform ({up}) must be told."
    return [replace(blocks[0], above=(said,)), *blocks[1:]]


def _takes_the_rest(adopted: Sequence[Adopted], seen: SeenCluster) -> str | None:
    """Of the services without paths of their own, the one with a name that sites often have, else the first."""
    without = [one.key for one in adopted if one.port is not None and not routes(one.seen, seen)]
    return next(iter(sorted(without, key=lambda key: CATCH_ALL.isdisjoint(words(key)))), None)


def _endpoint(one: Adopted, adopted: Sequence[Adopted], seen: SeenCluster, main: Address | None) -> Block | None:
    def block(asked: str, note: str = "", why: str = "", *, own: bool = False) -> Block:
        """``why`` it is commented out, if it is; ``own``: ``asked`` is a whole URL instead of a path."""
        above = (f"{one.key}: {why}",) if why else ()
        return Block("[[checks.endpoints]]", _lines(one, quoted(asked), note, seen, own), off=bool(why), above=above)

    path, reached = _health_path(one, seen), address_of(one.seen, seen)
    if path is None:
        why = "its load balancer's health check is not an HTTP request, or could not be read."
        return block("/", why=why) if one.seen.state.target_groups else None
    if reached is None or main is None:
        return block(path, why="its address could not be read.")
    address, group = reached
    own = address.url != main.url
    base = address.url if own else ""
    if not address.public:
        return block(
            base + path, why="its load balancer is internal, so it can be reached from inside the VPC only.", own=own
        )
    if not address.rules:
        note = f"{GUESSED}its load balancer asks this; the rules by which users get there could not be read"
        return block(base + path, note, own=own)
    receivers = address.receivers(path)
    if receivers is not None and group in receivers:
        note = f"{GUESSED}{address.why.removeprefix(GUESSED)}" if own else "what its load balancer asks"
        return block(base + path, note, own=own)
    why = f"its load balancer asks each task for {path}, but {path} at {address.url} is answered by "
    why += f"{_who(receivers, adopted)}. Write a path that {one.key} answers."
    patterns = routes(one.seen, seen)
    better = patterns[0].split("*")[0].rstrip("/") + path if patterns and patterns[0].startswith("/") else path
    return block(base + better, why=why, own=own)


def _lines(one: Adopted, shown: str, note: str, seen: SeenCluster, own: bool = False) -> tuple[Line, ...]:
    lines = [Line("id", quoted(f"{one.key}-health")), Line("url" if own else "path", shown, note)]
    lines.append(Line("service", quoted(one.key)))
    codes = next((c.codes for g in one.seen.state.target_groups if (c := seen.health_checks.get(g.arn))), "200")
    if re.fullmatch(r"\d{3}(,\d{3})*", codes) and codes != "200":
        lines.append(Line("expect", f"{{ status = [{codes.replace(',', ', ')}] }}"))
    elif codes != "200":
        note = f"{GUESSED}the load balancer takes {codes} for healthy"
        lines.append(Line("expect", "{ status = 200 }", note))
    lines.append(Line("version", '{ json = "version" }', _VERSION, off=True))
    return tuple(lines)


def _unexplained(block: Block) -> Block:
    return replace(block, lines=tuple(replace(one, note="") if one.key == "version" else one for one in block.lines))


def _who(receivers: tuple[str, ...] | None, adopted: Sequence[Adopted]) -> str:
    if receivers is None:
        return "another origin of the distribution"
    for one in adopted:
        if {group.arn for group in one.seen.state.target_groups}.intersection(receivers):
            return one.key
    return "something else" if receivers else "no service"


def _health_path(one: Adopted, seen: SeenCluster) -> str | None:
    reached = address_of(one.seen, seen)
    groups = [reached[1]] if reached else [group.arn for group in one.seen.state.target_groups]
    return next((c.path for arn in groups if (c := seen.health_checks.get(arn)) and c.path), None)
