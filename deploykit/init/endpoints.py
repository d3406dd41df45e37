"""The first endpoints, from what the load balancer asks already; and the tables of the local platform. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    """An endpoint for each service behind a load balancer; commented out where it would ask something else."""
    blocks = [block for one in adopted if (block := _endpoint(one, adopted, seen, main))]
    if any("version" in [line.key for line in block.lines] for block in blocks):
        first = next(i for i, block in enumerate(blocks) if not block.off) if not all(b.off for b in blocks) else 0
        blocks = [block if i == first else _without_notes(block) for i, block in enumerate(blocks)]
    if blocks:
        return blocks
    return [
        Block(
            "[[checks.endpoints]]",
            (Line("id", '"home"'), Line("path", '"/"')),
            off=True,
            above=("No service has a health check of a load balancer. Without an endpoint a release is not checked "
                   "(UNCHECKED): ECS's word is all there is.",),
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
                note = f"{GUESSED}{rest} takes the rest of the paths; here they share one load balancer"
                lines.append(Line("routes", listed([f"/{one.key}/*"]), note))
            path = _health_path(one, seen)
            if path:
                lines.append(Line("health_check", quoted(path)))
        if one.seen.state.desired > 1:
            lines.append(Line("count", str(one.seen.state.desired)))
        secrets = {k: v for k, v in local_secrets(one.runs).items() if re.fullmatch(r"[A-Za-z_]\w*", k, re.ASCII)}
        if secrets:
            values = ", ".join(f"{name} = {quoted(value)}" for name, value in secrets.items())
            lines.append(Line("secrets", f"{{ {values} }}", "their values are made up at random"))
        if one.runs.variables:
            lines.append(remark(f"its variables there, values not copied: {', '.join(sorted(one.runs.variables))}"))
        if lines:
            blocks.append(Block(f"[local.services.{one.key}]", tuple(lines)))
    if not blocks:
        return []
    up = command("sandbox up").text()
    said = f"What Terraform decides on AWS and only a local platform ({up}) has to be told."
    first = blocks[0]
    return [Block(first.header, first.lines, above=(said,)), *blocks[1:]]


def _takes_the_rest(adopted: Sequence[Adopted], seen: SeenCluster) -> str | None:
    """Of the services without paths of their own, one: with a name that sites have, else the first."""
    without = [one.key for one in adopted if one.port is not None and not routes(one.seen, seen)]
    return next(iter(sorted(without, key=lambda key: CATCH_ALL.isdisjoint(words(key)))), None)


def _endpoint(one: Adopted, adopted: Sequence[Adopted], seen: SeenCluster, main: Address | None) -> Block | None:
    path = _health_path(one, seen)
    if path is None:
        if not one.seen.state.target_groups:
            return None
        why = f"{one.key}: its load balancer's health check is no HTTP request, or could not be read."
        return Block("[[checks.endpoints]]", _lines(one, '"/"', "", seen), off=True, above=(why,))
    reached = address_of(one.seen, seen)
    if reached is None or main is None:
        why = f"{one.key}: its address could not be read."
        return Block("[[checks.endpoints]]", _lines(one, quoted(path), "", seen), off=True, above=(why,))
    address, group = reached
    own = address.url != main.url
    shown = quoted(f"{address.url}{path}") if own else quoted(path)
    if not address.public:
        why = f"{one.key}: its load balancer is internal, so this can be asked from inside the VPC only."
        return Block("[[checks.endpoints]]", _lines(one, shown, "", seen, own), off=True, above=(why,))
    if not address.rules:
        note = f"{GUESSED}its load balancer asks this; the rules by which users get there could not be read"
        return Block("[[checks.endpoints]]", _lines(one, shown, note, seen, own))
    receivers = address.receivers(path)
    if receivers is not None and group in receivers:
        note = f"{GUESSED}{address.why.removeprefix(GUESSED)}" if own else "what its load balancer asks"
        return Block("[[checks.endpoints]]", _lines(one, shown, note, seen, own))
    why = f"{one.key}: its load balancer asks each task for {path}, but at {address.url} {path} gets to "
    why += f"{_who(receivers, adopted)}. Write a path that gets to {one.key}."
    patterns = routes(one.seen, seen)
    better = patterns[0].split("*")[0].rstrip("/") + path if patterns and patterns[0].startswith("/") else path
    shown = quoted(f"{address.url}{better}") if own else quoted(better)
    return Block("[[checks.endpoints]]", _lines(one, shown, "", seen, own), off=True, above=(why,))


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


def _without_notes(block: Block) -> Block:
    """A block that need not explain again what the first one did."""
    kept = tuple(Line(line.key, line.value, "", line.off) if line.key == "version" else line for line in block.lines)
    return Block(block.header, kept, block.note, block.off, block.above)


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
