"""Docker, as the container agent of the sandbox's ECS uses it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

import docker
from docker.errors import DockerException, ImageNotFound

from deploykit.sandbox.server.ecs import wording
from deploykit.sandbox.server.ecs.records import Record
from deploykit.sandbox.settings import INSTANCE_LABEL, Settings

Strings = dict[str, str]
DEFAULT_STOP_SECONDS = 30


class CannotStart(Exception):
    """A task cannot start; the message is its stopped reason in ECS's words."""


class Containers:
    """The containers of one sandbox, each labelled with its instance."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = docker.APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto", timeout=60, num_pools=64)
        self.closing = False
        self.starting = 0
        self._gate = threading.Lock()

    def ensure_image(self, reference: str, login: Strings | None, named: str) -> None:
        """Pull ``reference``, ``named`` so in the task definition, unless the engine has it. Raises CannotStart."""
        problem = ""
        try:
            with contextlib.suppress(ImageNotFound):
                self.client.inspect_image(reference)
                return
            lines = self.client.pull(reference, auth_config=login, stream=True, decode=True)
            problem = next((line["error"] for line in lines if "error" in line), "")
        except (DockerException, OSError) as error:
            problem = _explanation(error)
        if problem:
            raise CannotStart(wording.CANNOT_PULL.format(image=named, detail=problem))

    def start(
        self,
        image: str,
        name: str,
        definition: Record,
        environment: Strings,
        labels: Strings,
        share_network_of: str | None,
    ) -> str:
        """Start one container of a task as its container definition says; returns its id. Raises CannotStart.

        ``share_network_of`` is the id of the task's first container: all containers of an awsvpc task share one
        network interface and reach each other on 127.0.0.1.
        """
        linux = definition.get("linuxParameters") or {}
        capabilities = linux.get("capabilities") or {}
        host = self.client.create_host_config(
            network_mode=f"container:{share_network_of}" if share_network_of else "bridge",
            mem_limit=f"{definition['memory']}m" if definition.get("memory") else None,
            read_only=bool(definition.get("readonlyRootFilesystem")),
            privileged=False,
            init=bool(linux.get("initProcessEnabled")) or None,
            cap_add=capabilities.get("add") or None,
            cap_drop=capabilities.get("drop") or None,
        )
        with self._gate:
            if self.closing:
                raise _cannot_start("the sandbox is stopping")
            self.starting += 1
        created = ""
        try:
            made = self.client.create_container(
                image,
                command=definition.get("command"),
                entrypoint=definition.get("entryPoint"),
                user=definition.get("user"),
                working_dir=definition.get("workingDirectory"),
                environment=environment,
                labels={INSTANCE_LABEL: self.settings.instance, **(definition.get("dockerLabels") or {}), **labels},
                name=name,
                host_config=host,
                stop_signal=None,
            )
            created = str(made["Id"])
            self.client.start(created)
        except (DockerException, OSError) as error:
            if created:
                self.remove(created)
            raise _cannot_start(_explanation(error)) from error
        finally:
            with self._gate:
                self.starting -= 1
        return created

    def address(self, container: str) -> str:
        """The container's address on Docker's bridge. Raises CannotStart when the engine does not answer."""
        try:
            settings = self.client.inspect_container(container)["NetworkSettings"]
        except (DockerException, OSError) as error:
            raise _cannot_start(_explanation(error)) from error
        networks = settings.get("Networks") or {}
        return str(settings.get("IPAddress") or next((n["IPAddress"] for n in networks.values()), ""))

    def wait(self, container: str) -> int | None:
        """Wait until the container ends; return its exit code, or None when it was removed."""
        while True:
            try:
                return int(self.client.wait(container, timeout=3600)["StatusCode"])
            except DockerException:
                return None
            except OSError:  # an hour is over, or the engine does not answer (requests' errors are OSErrors): ask again
                if self.closing:
                    return None
                time.sleep(1)

    def follow(self, container: str, line: Callable[[str], None]) -> None:
        """Call ``line`` with each line the container writes, until it ends."""
        rest = b""
        with contextlib.suppress(DockerException, OSError):
            for chunk in self.client.logs(container, stdout=True, stderr=True, stream=True, follow=True):
                *whole, rest = (rest + chunk).split(b"\n")
                for text in whole:
                    line(text.decode("utf-8", "replace").rstrip("\r"))
        if rest:
            line(rest.decode("utf-8", "replace"))

    def stop(self, container: str, seconds: int) -> None:
        """Send SIGTERM (or the image's stop signal), and SIGKILL after ``seconds``."""
        with contextlib.suppress(DockerException, OSError):
            self.client.stop(container, timeout=seconds)

    def remove(self, container: str) -> None:
        """Remove the container with its anonymous volumes."""
        with contextlib.suppress(DockerException, OSError):
            self.client.remove_container(container, force=True, v=True)


def _cannot_start(detail: str) -> CannotStart:
    return CannotStart(wording.CANNOT_START.format(detail=detail))


def _explanation(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error) or type(error).__name__
