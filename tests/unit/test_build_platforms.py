"""What an image is built for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploykit.config.schema import Configuration
from deploykit.images.lookup import NeededImage, needed_images, platform_of
from deploykit.model.observed import Definition
from tests.unit.config_files import read
from tests.unit.test_build_sources import HEAD, SERVICES


@pytest.mark.parametrize(
    ("content", "platform"),
    [
        ({"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}, "linux/arm64"),
        ({"runtimePlatform": {"cpuArchitecture": "X86_64"}}, "linux/amd64"),
        ({"requiresCompatibilities": ["FARGATE"]}, "linux/amd64"),  # Fargate's default
        ({"requiresCompatibilities": ["EC2"]}, None),  # whatever the instances are
        ({"requiresCompatibilities": ["EC2", "FARGATE"]}, None),
        ({"runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}, None),
        ({}, None),
    ],
)
def test_a_task_definition_says_what_its_tasks_run_on(content: dict[str, Any], platform: str | None) -> None:
    assert platform_of(Definition("arn", content, {})) == platform


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return read(tmp_path, HEAD + SERVICES)


def test_the_live_platform_is_taken_where_none_is_set_and_else_amd64(configuration: Configuration) -> None:
    assert needed_images(configuration, ["web", "worker"], {"web": "linux/arm64"}) == [
        NeededImage("web", ("web",), "linux/arm64"),
        NeededImage("api", ("worker",), "linux/amd64"),
    ]


def test_users_of_one_image_that_run_on_different_platforms_are_named(configuration: Configuration) -> None:
    (needed,) = needed_images(configuration, ["api", "worker"], {"api": "linux/amd64", "worker": "linux/arm64"})
    assert needed.platform == "linux/amd64"
    assert needed.differing == (
        "worker: its task definition runs linux/arm64, and another service with the same image says linux/amd64",
    )


def test_a_variant_that_only_one_side_names_is_no_difference(tmp_path: Path) -> None:
    services = SERVICES.replace('context = "../web"', 'context = "../web"\n    platform = "linux/arm64/v8"')
    (needed,) = needed_images(read(tmp_path, HEAD + services), ["web"], {"web": "linux/arm64"})
    assert (needed.platform, needed.differing) == ("linux/arm64/v8", ())
