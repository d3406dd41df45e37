"""Up, down, status, reset: the life of one configuration's sandbox. Several may live side by side."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploykit.config.schema import Configuration
from deploykit.errors import FailedBefore
from deploykit.model.hint import Hint, command
from deploykit.sandbox import engine, environment, images, places, postgres, process
from deploykit.sandbox import platform as platforms
from deploykit.sandbox.platform import Platform
from deploykit.sandbox.server.settings import LOOPBACK, Settings

Say = Callable[[str], None]
RECORD = "sandbox.json"


@dataclass(frozen=True)
class Running:
    """How to reach a sandbox that is up. ``connect_to`` is the edge, ``load_balancer`` what stands behind it."""

    instance: str
    environment: str
    account: str
    region: str
    endpoint_url: str
    url: str
    connect_to: str
    load_balancer: str
    registry: str
    services: tuple[str, ...]
    already: bool = False
    """It was up before; nothing was done."""

    def lines(self) -> list[str]:
        """What to tell a person who wants to reach it."""
        return [
            f"site           {self.url} (connect to {self.connect_to}), or http://{self.connect_to}/ in a browser",
            f"load balancer  http://{self.load_balancer}/ (behind the cache)",
            f"AWS            {self.endpoint_url} (account {self.account}, {self.region})",
            f"registry       {self.registry}",
            'use it with    eval "$(deploykit sandbox env)"',
        ]


def up(configuration: Configuration, say: Say = lambda _: None) -> Running:
    """Bring the configuration's sandbox up, or find it up; ``say`` is told what is being waited for.

    What a killed run left behind is swept first. Raises OutOfReach (no Docker, MiniStack not installed and no
    network) or FailedBefore; either way nothing is left running.
    """
    instance = platforms.instance(configuration)
    with _held(instance) as folder:
        if found := _running(folder):
            return found
        engine.require()
        before = _ports(folder)
        _clear(instance, folder)
        try:
            return _bring_up(configuration, instance, folder, before, say)
        except BaseException:
            _clear(instance, folder)
            raise


def down(configuration: Configuration, say: Say = lambda _: None) -> bool:
    """Remove the sandbox: processes, containers with their volumes, its images' names, files.

    Also what a killed ``up`` or a killed server left. Returns whether there was anything. Raises OutOfReach when the
    Docker Engine cannot be asked.
    """
    instance = platforms.instance(configuration)
    with _held(instance) as folder:
        there = (folder / RECORD).exists() or bool(process.running(instance)) or bool(engine.containers(instance))
        if there:
            say("Stopping the sandbox")
        _clear(instance, folder)
        shutil.rmtree(folder, ignore_errors=True)
    for parent in (places.state(), places.state().parent):
        with contextlib.suppress(OSError):
            parent.rmdir()
    return there


def reset(configuration: Configuration, say: Say = lambda _: None) -> Running:
    """The sandbox as it was after its first ``up``, at the same addresses."""
    instance = platforms.instance(configuration)
    with _held(instance) as folder:
        engine.require()
        before = _ports(folder)
        _clear(instance, folder)
        try:
            return _bring_up(configuration, instance, folder, before, say)
        except BaseException:
            _clear(instance, folder)
            raise


def status(configuration: Configuration) -> dict[str, Any]:
    """``running``, ``endpoint_url``, ``url``, ``connect_to``, ``load_balancer``, ``registry`` and ``services``.

    Services by key: ``service``, ``desired``, ``running``, ``rollout``. Null and empty when it is not up.
    """
    found = _running(places.state() / platforms.instance(configuration))
    if found is None:
        nothing = dict.fromkeys(("endpoint_url", "url", "connect_to", "load_balancer", "registry"))
        return {"running": False, **nothing, "services": {}}
    addresses = {k: getattr(found, k) for k in ("endpoint_url", "url", "connect_to", "load_balancer", "registry")}
    return {"running": True, **addresses, "services": _services(configuration, found)}


def env(configuration: Configuration) -> str:
    """Shell commands that point deploykit, the AWS CLI and docker's user at the sandbox, for ``eval``.

    Raises FailedBefore when it is not up.
    """
    found = _running(places.state() / platforms.instance(configuration))
    if found is None:
        raise FailedBefore("The sandbox is not up.", Hint("Run: ", command("sandbox up", ticks=False)))
    lines = [f"unset {name}" for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables(found).items()]
    return "\n".join(lines) + "\n"


def variables(found: Running) -> dict[str, str]:
    """The environment variables that ``env`` exports, for callers that start processes themselves."""
    return {
        "AWS_ENDPOINT_URL": found.endpoint_url,
        "AWS_ACCESS_KEY_ID": found.account,
        "AWS_SECRET_ACCESS_KEY": "deploykit-sandbox",
        "AWS_REGION": found.region,
        "AWS_DEFAULT_REGION": found.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "DEPLOYKIT_ENV": found.environment,
        "DEPLOYKIT_URL": found.url,
        "DEPLOYKIT_REGISTRY": found.registry,
        "DEPLOYKIT_CONNECT_TO": found.connect_to,
        "DEPLOYKIT_SANDBOX": "1",
    }


def _bring_up(configuration: Configuration, instance: str, folder: Path, ports: tuple[int, ...], say: Say) -> Running:
    python = environment.python(say)
    placeholder = images.placeholder(say)
    database_image = images.postgresql(say) if configuration.local.database else ""
    say("Starting the local AWS")
    sockets = process.listeners(ports)
    try:
        gateway, edge, balancer = (s.getsockname()[1] for s in sockets)
        platform = platforms.of(configuration, edge)
        settings = Settings(instance, platform.account, platform.region, platform.url_host, platform.origin_host,
                            gateway, edge, balancer)  # fmt: skip
        (folder / "ports.json").write_text(json.dumps([gateway, edge, balancer]), encoding="utf-8")
        pid = process.start(python, settings, folder, sockets, engine.host())
    finally:
        for one in sockets:
            one.close()
    password = secrets.token_hex(16)
    if database_image:
        postgres.start(database_image, instance, platform.database, password)
    from deploykit.sandbox import provision  # boto3 takes a third of a second: the server starts meanwhile

    process.await_ready(pid, settings, folder)
    database = None
    if database_image:
        host = postgres.await_ready(instance, platform.database, password)
        database = provision.Database(host, postgres.PORT, platform.database, postgres.USER, password)
    aws = provision.Account(f"http://{settings.registry}", platform.account, platform.region)
    say("Creating cluster, services, load balancer and the rest")
    provision.provision(platform, aws, placeholder, database)
    provision.await_steady(platform, aws, say)
    found = _describe(platform, settings)
    record = folder / f"{RECORD}.new"
    record.write_text(json.dumps({"settings": asdict(settings), "running": asdict(found)}), encoding="utf-8")
    record.rename(folder / RECORD)
    return found


def _describe(platform: Platform, settings: Settings) -> Running:
    return Running(
        instance=settings.instance,
        environment=platform.environment,
        account=platform.account,
        region=platform.region,
        endpoint_url=f"http://{settings.registry}",
        url=platform.url,
        connect_to=f"{LOOPBACK}:{settings.edge_port}",
        load_balancer=f"{LOOPBACK}:{settings.balancer_port}",
        registry=settings.registry,
        services=tuple(s.key for s in platform.services),
    )


def _running(folder: Path) -> Running | None:
    """The sandbox recorded in ``folder`` if its server still answers."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        settings = Settings(**record["settings"])
        fields = {**record["running"], "services": tuple(record["running"]["services"]), "already": True}
        found = Running(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if process.healthy(settings) else None


def _ports(folder: Path) -> tuple[int, ...]:
    """The ports this sandbox had the last time, so that addresses outlive a kill or a reset."""
    try:
        before = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
        return tuple(int(p) for p in before) or process.PREFERRED
    except (OSError, ValueError, TypeError):
        return process.PREFERRED


def _clear(instance: str, folder: Path) -> None:
    """End the server, remove all containers of the instance, the names of its images and the folder's content."""
    ports = _ports(folder) if (folder / "ports.json").exists() else ()
    process.stop(instance)
    engine.sweep(instance)
    if ports:
        engine.remove_images(f"{LOOPBACK}:{ports[0]}")
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _services(configuration: Configuration, found: Running) -> dict[str, dict[str, Any]]:
    from deploykit.sandbox import provision

    aws = provision.Account(found.endpoint_url, found.account, found.region)
    shown: dict[str, dict[str, Any]] = {}
    for plan in platforms.of(configuration, 0).services:
        answer = aws["ecs"].describe_services(cluster=plan.cluster, services=[plan.name])["services"]
        for service in answer:
            shown[plan.key] = {
                "service": plan.name,
                "desired": service["desiredCount"],
                "running": service["runningCount"],
                "rollout": service["deployments"][0]["rolloutState"].lower() if service["deployments"] else None,
            }
    return shown


@contextmanager
def _held(instance: str) -> Iterator[Path]:
    """The sandbox's folder, locked: one command at a time. The lock is on the folder itself and leaves no file."""
    folder = places.state() / instance
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _same(descriptor, folder):  # else the one before us removed it while we waited
                yield folder
                return
        finally:
            os.close(descriptor)


def _same(descriptor: int, folder: Path) -> bool:
    try:
        now = folder.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (held.st_dev, held.st_ino) == (now.st_dev, now.st_ino)
