"""The tables of the services: image, container, and what to know before the first release. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deploykit.init.containers import RunningContainer, release_variable, running
from deploykit.init.folders import ImageClues, Place, places
from deploykit.init.naming import service_keys, with_placeholder, words
from deploykit.init.seen import SeenCluster, SeenService
from deploykit.init.starter import FoundService
from deploykit.init.text import GUESSED, Block, Line, quoted, remark


@dataclass(frozen=True)
class Adopted:
    """A service that the file has."""

    key: str
    seen: SeenService
    runs: RunningContainer
    repository: str
    doubt: str  # about the repository; empty where the live image names it
    owner: str | None  # the key of the service whose image it runs

    @property
    def port(self) -> int | None:
        """The container's port that gets the requests; None for a worker."""
        groups = self.seen.state.target_groups
        mine = [group.port for group in groups if group.container == self.runs.container]
        return next(iter([*mine, *(group.port for group in groups)]), None)


@dataclass(frozen=True)
class LeftOut:
    """A service that the file does not have, and why."""

    service: str
    reason: str


def adopt(
    seen: SeenCluster, project: str, folders: Sequence[FoundService]
) -> tuple[tuple[Adopted, ...], tuple[LeftOut, ...]]:
    """The services that the file has, those behind a load balancer first, and those it has not."""
    left_out: list[LeftOut] = []
    found: list[SeenService] = []
    for service in sorted(seen.services, key=lambda s: (not s.state.target_groups, s.state.name)):
        if service.state.controller != "ECS":
            why = (
                f"it is under the {service.state.controller} controller; deploykit rolls out services under ECS's only"
            )
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
    wanted = {key: ImageClues(_names(one), one.port) for key, one in owners.items()}
    found = places(wanted, folders)
    return [Block(f"[services.{one.key}]", tuple(_lines(one, owners, seen, environment, found))) for one in adopted]


def _lines(
    one: Adopted, owners: Mapping[str, Adopted], seen: SeenCluster, environment: str, found: Mapping[str, Place]
) -> list[Line]:
    if one.owner is not None:
        lines = [Line("image", quoted(one.owner), _same_image(one, owners[one.owner]))]
    else:
        place = found.get(one.key)
        nothing = "no folder with a Dockerfile has a similar name; write the right one"
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
        known = "; none of its variables looks like one" if one.runs.spec else ""
        lines.append(Line("release_env", '"GIT_SHA"', f"the variable that gets its own commit{known}", off=True))
    if one.runs.log_group:
        lines.append(remark(f"its logs: {one.runs.log_group}"))
    if one.seen.state.desired == 0:
        lines.append(remark("its desired count is 0 now, so a release starts no task"))
    return lines


def _container(one: Adopted) -> list[Line]:
    name = one.runs.container
    if name is None:
        return [Line("container", quoted(one.key), f"{GUESSED}which container runs the image could not be read")]
    lines = []
    if name != one.key or one.runs.doubt:
        lines.append(Line("container", quoted(name), f"{GUESSED}{one.runs.doubt}" if one.runs.doubt else ""))
    if one.runs.sidecars:
        lines.append(remark(f"beside it, left alone: {', '.join(one.runs.sidecars)}"))
    return lines


def _repository(
    key: str, runs: RunningContainer, project: str, seen: SeenCluster, folders: Sequence[FoundService], taken: set[str]
) -> tuple[str, str] | None:
    """Its repository, and what is doubtful about that; None where nothing suggests an image of its own."""
    if runs.reference and runs.ours:
        return runs.reference.repository, ""
    if runs.reference:
        where = f"account {runs.reference.account}, {runs.reference.region}"
        return runs.reference.repository, f"{GUESSED}the image that runs is from {where}; releases use this account's"
    there = [name for name in seen.repositories or () if name not in taken]
    names = {key, *([runs.container] if runs.container else [])}
    alike = [name for name in there if name.split("/")[-1] in names or "-".join(words(name)[1:]) in names]
    what = f"{runs.image} runs now" if runs.image else "the image that runs could not be read"
    if alike:
        return alike[0], f"{GUESSED}{what}; this repository has the service's name"
    if runs.image and not any(folder.key in names for folder in folders):
        return None
    unknown = (
        "no repository in ECR has its name" if seen.repositories is not None else "repositories could not be listed"
    )
    return f"{project}/{key}", f"{GUESSED}{what}, and {unknown}"


def _missing(repository: str, seen: SeenCluster) -> str:
    gone = seen.repositories is not None and repository not in seen.repositories
    return "the image that runs is from this repository, which no longer exists: create it first" if gone else ""


def _with_owners(adopted: Sequence[Adopted]) -> tuple[Adopted, ...]:
    """Of the services with the same repository, the one with its name builds the image, and the others run it."""
    first: dict[str, Adopted] = {}
    for one in sorted(adopted, key=lambda one: not {*_names(one)[:2]}.intersection(words(one.repository)[-1:])):
        first.setdefault(one.repository, one)
    owners = [(one, first[one.repository]) for one in adopted]
    return tuple(one if owner is one else replace(one, owner=owner.key) for one, owner in owners)


def _same_image(one: Adopted, owner: Adopted) -> str:
    if one.runs.image == owner.runs.image:
        return f"both run {one.repository}"
    return (
        f"{GUESSED}both run images of {one.repository}, with different tags now; if they are built from different "
        "folders, give each its own repository"
    )


def _names(one: Adopted) -> tuple[str, ...]:
    """Possible names of its folder, the likeliest first."""
    return tuple(dict.fromkeys((one.key, one.runs.container or one.key, one.repository.split("/")[-1])))
