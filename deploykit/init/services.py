"""The tables of the services: image, container, and what is worth knowing before the first release. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploykit.init.containers import Running, release_variable, running
from deploykit.init.folders import Place, Wanted, places
from deploykit.init.naming import service_keys, with_placeholder, words
from deploykit.init.seen import SeenCluster, SeenService
from deploykit.init.starter import FoundService
from deploykit.init.text import GUESSED, Block, Line, quoted, remark


@dataclass(frozen=True)
class Adopted:
    """A service that goes into the file."""

    key: str
    seen: SeenService
    runs: Running
    repository: str
    doubt: str  # about the repository; empty where the live image names it
    owner: str | None  # the key of the service whose image it runs

    @property
    def port(self) -> int | None:
        """The container's port that requests come to; None for a worker."""
        groups = self.seen.state.target_groups
        mine = [group.port for group in groups if group.container == self.runs.container]
        return next(iter([*mine, *(group.port for group in groups)]), None)


@dataclass(frozen=True)
class LeftOut:
    """A service that does not go into the file, and why."""

    service: str
    reason: str


def adopt(
    seen: SeenCluster, project: str, folders: Sequence[FoundService]
) -> tuple[tuple[Adopted, ...], tuple[LeftOut, ...]]:
    """Which services go into the file, those behind a load balancer first, and which do not."""
    left_out: list[LeftOut] = []
    found: list[SeenService] = []
    for service in sorted(seen.services, key=lambda s: (not s.state.target_groups, s.state.name)):
        if service.state.controller != "ECS":
            why = f"it is under the {service.state.controller} controller; deploykit rolls out ECS's own services only"
            left_out.append(LeftOut(service.state.name, why))
        else:
            found.append(service)
    runs = {service.state.name: running(service, seen) for service in found}
    keys = service_keys({name: one.container for name, one in runs.items()}, seen.name, project)
    taken = {one.reference.repository for one in runs.values() if one.reference}
    adopted: list[Adopted] = []
    for service in found:
        name = service.state.name
        named = _repository(keys[name], runs[name], project, seen, folders, taken)
        if named is None:
            what = f"its container {runs[name].container} runs {runs[name].image}, which is not from ECR"
            left_out.append(LeftOut(name, f"{what}, and no folder or repository here has its name"))
            continue
        taken.add(named[0])
        adopted.append(Adopted(keys[name], service, runs[name], *named, None))
    return _with_owners(adopted), tuple(left_out)


def service_blocks(
    adopted: Sequence[Adopted], seen: SeenCluster, environment: str, folders: Sequence[FoundService]
) -> list[Block]:
    """A table for each service."""
    owners = {one.key: one for one in adopted if one.owner is None}
    wanted = {key: Wanted(_names(one), one.port) for key, one in owners.items()}
    found = places(wanted, folders)
    return [Block(f"[services.{one.key}]", tuple(_lines(one, owners, seen, environment, found))) for one in adopted]


def _lines(
    one: Adopted, owners: Mapping[str, Adopted], seen: SeenCluster, environment: str, found: Mapping[str, Place]
) -> list[Line]:
    if one.owner is not None:
        lines = [Line("image", quoted(one.owner), _same_image(one, owners[one.owner]))]
    else:
        place = found.get(one.key)
        nothing = "no folder with a Dockerfile looks like it; write its own"
        lines = [
            Line("context", quoted(place.context if place else one.key), GUESSED + (place.why if place else nothing)),
            Line("repository", quoted(one.repository), one.doubt or _missing(one.repository, seen)),
        ]
    lines.append(Line("service", quoted(with_placeholder(one.seen.state.name, environment))))
    lines += _container(one)
    variable = release_variable(one.runs)
    if variable:
        lines.append(Line("release_env", quoted(variable[0]), f"{GUESSED}{variable[1]}"))
    else:
        known = "; no variable it has looks like one" if one.runs.spec else ""
        note = f"its own commit under this name{known}"
        lines.append(Line("release_env", '"GIT_SHA"', note, off=True))
    if one.runs.log_group:
        lines.append(remark(f"its logs: {one.runs.log_group}"))
    if one.seen.state.desired == 0:
        lines.append(remark("its desired count is 0 now: a release of it starts no task"))
    return lines


def _container(one: Adopted) -> list[Line]:
    name = one.runs.container
    if name is None:
        note = "which container runs the image could not be read"
        return [Line("container", quoted(one.key), f"{GUESSED}{note}")]
    lines = []
    if name != one.key or one.runs.doubt:
        lines.append(Line("container", quoted(name), f"{GUESSED}{one.runs.doubt}" if one.runs.doubt else ""))
    if one.runs.sidecars:
        lines.append(remark(f"beside it, left alone: {', '.join(one.runs.sidecars)}"))
    return lines


def _repository(
    key: str, runs: Running, project: str, seen: SeenCluster, folders: Sequence[FoundService], taken: set[str]
) -> tuple[str, str] | None:
    """Its repository, and what is doubtful about that; None where nothing speaks for an image of its own."""
    if runs.reference and runs.ours:
        return runs.reference.repository, ""
    if runs.reference:
        where = f"account {runs.reference.account}, {runs.reference.region}"
        return runs.reference.repository, f"{GUESSED}the image that runs is from {where}; releases go to this account's"
    there = [name for name in seen.repositories or () if name not in taken]
    names = {key, *([runs.container] if runs.container else [])}
    alike = [name for name in there if name.split("/")[-1] in names or "-".join(words(name)[1:]) in names]
    what = f"{runs.image} runs now" if runs.image else "the image that runs could not be read"
    if alike:
        return alike[0], f"{GUESSED}{what}; this repository has the service's name"
    if runs.image and not any(folder.key in names for folder in folders):
        return None
    unknown = "no repository in ECR has its name" if seen.repositories is not None else "ECR's could not be listed"
    return f"{project}/{key}", f"{GUESSED}{what}, and {unknown}"


def _missing(repository: str, seen: SeenCluster) -> str:
    gone = seen.repositories is not None and repository not in seen.repositories
    return "the image that runs is from here, but the repository is gone: create it first" if gone else ""


def _with_owners(adopted: Sequence[Adopted]) -> tuple[Adopted, ...]:
    """Of the services with one repository, one builds the image, and the others run it: the one with its name."""
    first: dict[str, Adopted] = {}
    for one in sorted(adopted, key=lambda one: not {*_names(one)[:2]}.intersection(words(one.repository)[-1:])):
        first.setdefault(one.repository, one)
    changed = [one if first[one.repository] is one else _run_by(one, first[one.repository]) for one in adopted]
    return tuple(changed)


def _run_by(one: Adopted, owner: Adopted) -> Adopted:
    return Adopted(one.key, one.seen, one.runs, one.repository, one.doubt, owner.key)


def _same_image(one: Adopted, owner: Adopted) -> str:
    if one.runs.image == owner.runs.image:
        return f"both run {one.repository}"
    return (
        f"{GUESSED}both run images of {one.repository}, now of different tags; if they are built from different "
        "folders, give each a repository of its own"
    )


def _names(one: Adopted) -> tuple[str, ...]:
    """What its folder could be called, the most telling first."""
    return tuple(dict.fromkeys((one.key, one.runs.container or one.key, one.repository.split("/")[-1])))
