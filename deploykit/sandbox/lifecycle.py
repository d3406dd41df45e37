"""Start, remove, show and reset the sandbox of one configuration. Several can run at the same time."""

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
from deploykit.sandbox.settings import LOOPBACK, Settings

Say = Callable[[str], None]
RECORD = "sandbox.json"


@dataclass(frozen=True)
class Running:
    """How to reach a sandbox that is up. ``load_balancer`` is behind the edge, ``connect_to``; both are host:port."""

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
    """It was up already, and the command changed nothing."""

    def lines(self) -> list[str]:
        """How to reach it, for people."""
        return [
            f"site           {self.url} (connect to {self.connect_to}), or http://{self.connect_to}/ in a browser",
            f"load balancer  http://{self.load_balancer}/ (behind the cache)",
            f"AWS            {self.endpoint_url} (account {self.account}, {self.region})",
            f"registry       {self.registry}",
            'use it with    eval "$(deploykit sandbox env)"',
        ]


def up(configuration: Configuration, say: Say = lambda _: None) -> Running:
    """Start the configuration's sandbox unless it is up; ``say`` gets what it waits for.

    Removes what a killed run left behind first. Raises OutOfReach (no Docker; MiniStack not installed and no network)
    or FailedBefore; both leave nothing running.
    """
    with _held(configuration) as folder:
        return _running(folder) or _bring_up_anew(configuration, folder, say)


def down(configuration: Configuration, say: Say = lambda _: None) -> bool:
    """Remove the sandbox: processes, containers and their volumes, its images' tags, files.

    Removes what a killed ``up`` or a killed server left, too. Returns whether there was anything to remove. Raises
    OutOfReach when the Docker Engine does not answer.
    """
    with _held(configuration) as folder:
        instance = folder.name
        there = (folder / RECORD).exists() or bool(process.running(instance)) or bool(engine.containers(instance))
        if there:
            say("stopping the sandbox")
        _clear(folder)
        shutil.rmtree(folder, ignore_errors=True)
    for parent in (places.state(), places.state().parent):
        with contextlib.suppress(OSError):
            parent.rmdir()
    return there


def reset(configuration: Configuration, say: Say = lambda _: None) -> Running:
    """Remove the sandbox and start it at the same addresses, with nothing released. Raises as ``up`` does."""
    with _held(configuration) as folder:
        return _bring_up_anew(configuration, folder, say)


def status(configuration: Configuration) -> dict[str, Any]:
    """``running``, ``endpoint_url``, ``url``, ``connect_to``, ``load_balancer``, ``registry`` and ``services``.

    Each service has ``service``, ``desired``, ``running`` and ``rollout``. Values are null or empty when it is not up.
    """
    found = _running(_folder(configuration))
    names = ("endpoint_url", "url", "connect_to", "load_balancer", "registry")
    addresses = {name: getattr(found, name, None) for name in names}
    return {"running": bool(found), **addresses, "services": _services(configuration, found) if found else {}}


def env(configuration: Configuration) -> str:
    """Shell commands for ``eval`` that make deploykit and the AWS CLI use the sandbox.

    Raises FailedBefore when it is not up.
    """
    found = _running(_folder(configuration))
    if found is None:
        raise FailedBefore("the sandbox is not up", Hint("start it: ", command("sandbox up")))
    lines = [f"unset {name}" for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables(found).items()]
    return "\n".join(lines) + "\n"


def variables(found: Running) -> dict[str, str]:
    """The environment variables that ``env`` exports, for code that starts processes itself."""
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


def _bring_up_anew(configuration: Configuration, folder: Path, say: Say) -> Running:
    """Remove what is there, then start at the same ports; a failure leaves nothing running."""
    engine.require()
    before = _ports(folder)
    _clear(folder)
    try:
        return _bring_up(configuration, folder, before, say)
    except BaseException:
        _clear(folder)
        raise


def _bring_up(configuration: Configuration, folder: Path, ports: tuple[int, ...], say: Say) -> Running:
    instance = folder.name
    python = environment.python(say)
    placeholder = images.placeholder(say)
    database_image = images.postgresql(say) if configuration.local.database else ""
    say("starting the local AWS")
    sockets = process.listeners(ports)
    try:
        gateway, edge, balancer = (s.getsockname()[1] for s in sockets)
        platform = platforms.of(configuration, edge)
        whose = (platform.account, platform.region, platform.origin_host)
        settings = Settings(instance, *whose, gateway, edge, balancer)
        (folder / "ports.json").write_text(json.dumps([gateway, edge, balancer]), encoding="utf-8")
        pid = process.start(python, settings, folder, sockets, engine.host())
    finally:
        for one in sockets:
            one.close()
    password = secrets.token_hex(16)
    if database_image:
        postgres.start(database_image, instance, platform.database, password)
    from deploykit.sandbox import provision  # importing boto3 takes a third of a second, in which the server starts

    process.await_ready(pid, settings, folder)
    database = None
    if database_image:
        host = postgres.await_ready(instance, platform.database, password)
        database = provision.Database(host, postgres.PORT, platform.database, postgres.USER, password)
    aws = provision.Account(f"http://{settings.registry}", platform.account, platform.region)
    say("creating the cluster, services, load balancer and other resources")
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
    """The ports this sandbox used last, so that addresses stay the same after a kill or a reset."""
    try:
        before = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
        return tuple(int(p) for p in before) or process.PREFERRED
    except (OSError, ValueError, TypeError):
        return process.PREFERRED


def _clear(folder: Path) -> None:
    """Stop the server; remove the sandbox's containers, its images' tags and the content of its ``folder``."""
    ports = _ports(folder) if (folder / "ports.json").exists() else ()
    process.stop(folder.name)
    engine.sweep(folder.name)
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
        for service in aws["ecs"].describe_services(cluster=plan.cluster, services=[plan.name])["services"]:
            shown[plan.key] = {
                "service": plan.name,
                "desired": service["desiredCount"],
                "running": service["runningCount"],
                "rollout": service["deployments"][0]["rolloutState"].lower() if service["deployments"] else None,
            }
    return shown


def _folder(configuration: Configuration) -> Path:
    """The sandbox's folder, which has the instance's name."""
    return places.state() / platforms.instance(configuration)


@contextmanager
def _held(configuration: Configuration) -> Iterator[Path]:
    """The sandbox's folder, locked: one command at a time. The lock is on the folder itself, not on a file in it."""
    folder = _folder(configuration)
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _same(descriptor, folder):  # else the command before this one removed the folder meanwhile
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
