"""The entries of a plan, and those of a log of changing requests: the same words for what is said and what is done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulator.protocol import decode_payload
from tests.simulator.simulator import Call

Json = dict[str, Any]
Entry = tuple[Any, ...]

UPDATED = ("cluster", "service", "taskDefinition")  # all that UpdateService is sent
_NAMED = ("containerDefinitions", "environment", "secrets", "volumes")  # lists that are compared by name


@dataclass(frozen=True)
class Log:
    """The changing requests that AWS carried out, and what there was before them.

    ``running``: by service, the revision and its content when the log begins; ``images``: the digests that the
    registry has by then.
    """

    calls: tuple[Call, ...]
    running: Mapping[tuple[str, str], tuple[int, Json]]
    images: frozenset[str]


# -- what was said -----------------------------------------------------------------------------------------------------


def announced(plan: Json) -> list[Entry]:
    """The entries of a plan, in their order."""
    services: Json = plan["services"]
    named = {("PutImage", service["repository"], tag) for service in services.values() for tag in service["tags"]}
    entries: list[Entry] = sorted(named)  # pushed or tagged, side by side; one image may be several services'
    registered: set[str] = set()

    def register(key: str) -> list[Entry]:
        service = services[key]
        if service["registers"] is None or key in registered:
            return []
        registered.add(key)
        return [("RegisterTaskDefinition", service["registers"], _told(service["diff"]))]

    for task in plan["migrations"]:
        if task["starts"] and task["service"] not in services:
            entries.append(("contradiction", task["service"]))
        elif task["starts"]:
            family = _family(services[task["service"]]["task_definition"])
            entries += register(task["service"])
            entries.append(("RunTask", services[task["service"]]["cluster"], family, *task["command"]))
    for key in plan["order"]:
        entries += register(key)
        entries.append(("UpdateService", services[key]["cluster"], services[key]["service"], UPDATED))
    rolled = {key for key, service in services.items() if service["rolls_out"]}
    entries += [("contradiction", key) for key in sorted(rolled ^ set(plan["order"]))]
    names = {(services[key]["image"], *services[key]["tags"]) for key in rolled}
    entries += [("contradiction", *name) for name in names if any(name[0] == o[0] and name != o for o in names)]
    entries += [("CreateInvalidation", item["distribution"], *item["paths"]) for item in plan["invalidations"]]
    return entries


def _told(diff: list[Json]) -> frozenset[Entry]:
    """The fields of a plan's diff, each with what it was and what it becomes."""
    return _changes(
        {k: v for item in diff for k, v in _leaves(item["before"], item["path"])},
        {k: v for item in diff for k, v in _leaves(item["after"], item["path"])},
    )


# -- what was done -----------------------------------------------------------------------------------------------------


def carried_out(log: Log) -> list[Entry]:
    """The entries of a log, in their order, up to the first request of an undo."""
    entries: list[Entry] = []
    once: set[str] = set()  # what AWS carries out once, however often it is sent: an answer got lost
    for call in log.calls:
        if _undoes(call, log):
            break
        key = idempotency(call)
        if not book_keeping(call) and key not in once:
            entries.append(_entry(call, log))
        once |= {key} - {""}
    images, rest = parted(entries)
    return sorted(images) + rest


def idempotency(call: Call) -> str:
    """What AWS knows a request again by, so that it is carried out once.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
    """
    if call.operation == "CreateInvalidation":
        return str(_batch(call)["CallerReference"])
    return str(call.params.get("clientToken") or "")


def _entry(call: Call, log: Log) -> Entry:
    params = call.params
    if call.operation == "PutImage":
        return (call.operation, params["repositoryName"], params["imageTag"])
    if call.operation == "RegisterTaskDefinition":
        before = next((body for _, body in log.running.values() if body["family"] == params["family"]), {})
        found = _changes(dict(_leaves(_content(before))), dict(_leaves(_by_tag(_content(params), log))))
        return (call.operation, params["family"], found)
    if call.operation == "RunTask":
        (override,) = params["overrides"]["containerOverrides"]
        return (call.operation, params["cluster"], _family(params["taskDefinition"]), *override["command"])
    if call.operation == "UpdateService":
        return (call.operation, params["cluster"], params["service"], tuple(sorted(params)))
    if call.operation == "CreateInvalidation":
        return (call.operation, params["path"].split("/")[-2], *_batch(call)["Paths"]["Items"])
    return (call.operation, str(params))


def _undoes(call: Call, log: Log) -> bool:
    """Going back: a rollout or a task is stopped, a service set to a revision no newer than what it ran, its caches."""
    if call.operation in ("StopServiceDeployment", "StopTask"):
        return True
    if call.operation == "CreateInvalidation":
        return "/undo/" in _batch(call)["CallerReference"]
    if call.operation != "UpdateService":
        return False
    number, _ = log.running.get((call.params["cluster"], call.params["service"]), (0, {}))
    return int(call.params["taskDefinition"].rpartition(":")[2]) <= number


def book_keeping(call: Call) -> bool:
    """What no plan lists, since it changes nothing that runs or is served, and is nothing but deploykit's own."""
    if call.operation in ("PutObject", "DeleteObject"):  # the ledger entry, as the run goes on
        return "/dev/" in call.params["path"]
    if call.operation == "TagResource":  # the verdict; whose a revision is that an earlier run registered
        return all(tag["key"].startswith("deploykit:") for tag in call.params["tags"])
    if call.operation == "CreateInvalidation":  # asked again for an edge that kept the old version: seen only then
        return "/stale/" in _batch(call)["CallerReference"]
    return False


def _batch(call: Call) -> Json:
    found: Json = decode_payload("cloudfront", call.operation, call.params["body"])
    return found


# -- content of task definitions ---------------------------------------------------------------------------------------


def _content(body: Json) -> Json:
    """What is registered, with what ECS puts in where a container says nothing."""
    containers = [{"cpu": 0, "essential": True, **container} for container in body.get("containerDefinitions", ())]
    return {**{k: v for k, v in body.items() if k != "tags"}, "containerDefinitions": containers}


def _by_tag(content: Json, log: Log) -> Json:
    """Images that came with this very log by the tag that they came with: beforehand nobody knows their digest."""
    tags: dict[str, str] = {}
    for call in log.calls:
        if call.operation == "PutImage":
            digest = "sha256:" + hashlib.sha256(call.params["imageManifest"].encode()).hexdigest()
            tags.setdefault(digest, call.params["imageTag"])
    containers = []
    for container in content["containerDefinitions"]:
        name, _, digest = container["image"].partition("@")
        new = digest in tags and digest not in log.images
        containers.append({**container, "image": f"{name}:{tags[digest]}" if new else container["image"]})
    return {**content, "containerDefinitions": containers}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[Entry]:
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return frozenset((name, repr(before.get(name)), repr(after.get(name))) for name in names)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field with its path; secrets by name only. Lists of named things count by name, others as a whole."""
    name = path.rpartition(".")[2]
    if isinstance(value, list) and name in _NAMED:
        value = {item["name"]: _of_list(item, name) for item in value}
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}".lstrip("."))
    elif value not in (None, [], ""):
        yield path, value


def _of_list(item: Json, name: str) -> Any:
    if name == "secrets":
        return "(secret)"
    return item.get("value") if name == "environment" else {k: v for k, v in item.items() if k != "name"}


def _family(arn: str) -> str:
    return arn.rpartition("/")[2].rpartition(":")[0]


def parted(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The images, and the rest."""
    return [e for e in entries if e[0] == "PutImage"], [e for e in entries if e[0] != "PutImage"]
