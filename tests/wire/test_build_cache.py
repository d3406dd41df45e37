"""The layer cache: what each builder is told, and that nothing about it can fail a build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import SystemClock
from deploykit.edges.docker import Builder, Docker, exports_cache
from deploykit.edges.git import Source
from deploykit.edges.world import World
from deploykit.images.build import ImageToBuild, build_images
from deploykit.images.cache import LayerCache, cache_troubles, layer_cache, only_the_cache_failed
from tests.flow.shop import Shop, Told
from tests.simulator import Simulator, clients
from tests.unit.config_files import read
from tests.unit.test_build_sources import HEAD, SERVICES

REFERENCE = "ecr/shop/cache:shop-web-linux-amd64"


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator() as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL", simulator.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield simulator


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return read(tmp_path, f'{HEAD}\n    [build]\n    cache = "registry:shop/cache"\n{SERVICES}')


def client(folder: Path, driver: str = "docker-container", store: str = "overlay2") -> Docker:
    """A docker client that answers what it is asked about its builder."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    lines = [
        "#!/bin/sh",
        'case "$1" in',
        f"buildx) printf 'Name:   some\\nDriver: {driver}\\n';;",
        f'info) echo \'[["driver-type","{store}"]]\';;',
        "esac",
    ]
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    return Docker(str(program), "28.2.2", Builder.BUILDX, "linux/amd64", attestations=True)


def opened(docker: Docker, configuration: Configuration, told: Told, tmp_path: Path) -> LayerCache | None:
    environment = {"HOME": str(tmp_path), "PATH": f"{Path(docker.program).parent}:/usr/bin:/bin"}
    with layer_cache(configuration, docker, World(SystemClock(), Aws("us-east-1"), told, environment)) as cache:
        return cache


def test_a_builder_of_its_own_keeps_the_layers_of_every_stage_as_an_image() -> None:
    """ECR takes no index there, and a cache that cannot be written must not fail the build."""
    words = LayerCache("ecr/shop/cache", exports=True).arguments(Builder.BUILDX, REFERENCE, afresh=False)
    kept = f"type=registry,ref={REFERENCE},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
    assert words == ["--cache-from", f"type=registry,ref={REFERENCE}", "--cache-to", kept]


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (Builder.BUILDX, ["--cache-from", f"type=registry,ref={REFERENCE}", "--cache-to", "type=inline"]),
        (Builder.BUILDKIT, ["--cache-from", REFERENCE, "--build-arg", "BUILDKIT_INLINE_CACHE=1"]),
    ],
)
def test_a_builder_inside_the_engine_keeps_them_in_the_image(builder: Builder, words: list[str]) -> None:
    assert LayerCache("ecr/shop/cache", exports=False).arguments(builder, REFERENCE, afresh=False) == words


@pytest.mark.parametrize("builder", [Builder.BUILDX, Builder.BUILDKIT])
def test_what_is_built_afresh_reads_no_cache_and_leaves_one(builder: Builder) -> None:
    words = LayerCache("ecr/shop/cache", exports=False).arguments(builder, REFERENCE, afresh=True)
    assert "--cache-from" not in words
    assert words


def test_every_image_and_platform_has_a_tag_of_its_own() -> None:
    cache = LayerCache("ecr/shop/cache", exports=True, prefix="shop")
    assert cache.reference("web", "linux/amd64") == REFERENCE
    assert cache.reference("web", "linux/arm64/v8") == "ecr/shop/cache:shop-web-linux-arm64-v8"
    assert cache.reference("web", None) == "ecr/shop/cache:shop-web"


@pytest.mark.parametrize(
    ("driver", "store", "exports"),
    [
        ("docker-container", "overlay2", True),
        ("kubernetes", "overlay2", True),
        ("docker", "overlay2", False),
        ("docker", "io.containerd.snapshotter.v1", True),
    ],
)
def test_which_builders_can_write_a_cache_is_found_out(tmp_path: Path, driver: str, store: str, exports: bool) -> None:
    assert exports_cache(client(tmp_path, driver, store), {"PATH": "/usr/bin:/bin"}) is exports


def test_the_cache_is_under_the_environments_registry_and_docker_is_logged_in(
    sim: Simulator, configuration: Configuration, tmp_path: Path
) -> None:
    sim.ecr.create_repository({"repositoryName": "shop/cache", "imageTagMutability": "MUTABLE"})
    told = Told()
    elsewhere = configuration.model_copy(update={"registry": "127.0.0.1:4566"})
    docker = client(tmp_path)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    with layer_cache(elsewhere, docker, World(SystemClock(), Aws("us-east-1"), told, environment)) as cache:
        assert cache is not None
        assert (cache.uri, cache.exports) == ("127.0.0.1:4566/shop/cache", True)
        settings = json.loads((Path(cache.environment["DOCKER_CONFIG"]) / "config.json").read_text())
        assert settings["credHelpers"] == {"127.0.0.1:4566": "deploykit"}
    assert (told.warnings, told.lines) == ([], [])


def test_a_builder_that_keeps_only_the_last_stage_says_so_once(
    sim: Simulator, configuration: Configuration, tmp_path: Path
) -> None:
    sim.ecr.create_repository({"repositoryName": "shop/cache", "imageTagMutability": "MUTABLE"})
    told = Told()
    cache = opened(client(tmp_path, "docker"), configuration, told, tmp_path)
    assert cache is not None
    assert not cache.exports
    assert [line for line in told.lines if "docker buildx create --use" in line] == told.lines != []


def test_the_classic_builder_keeps_none_and_says_so_in_one_line(configuration: Configuration, tmp_path: Path) -> None:
    told = Told()
    classic = Docker("/usr/bin/docker", "28.2.2", Builder.CLASSIC, "linux/amd64")
    assert opened(classic, configuration, told, tmp_path) is None
    (warning,) = told.warnings
    assert "no layer cache: /usr/bin/docker (28.2.2) has the classic builder" in warning


def test_a_missing_cache_repository_says_what_to_type(
    sim: Simulator, configuration: Configuration, tmp_path: Path
) -> None:
    told = Told()
    assert opened(client(tmp_path), configuration, told, tmp_path) is None
    (warning,) = told.warnings
    line = "aws ecr create-repository --repository-name shop/cache --image-tag-mutability MUTABLE --region us-east-1"
    assert f"`{line}`" in warning


def test_a_cache_repository_whose_tags_stay_put_says_what_to_type(
    sim: Simulator, configuration: Configuration, tmp_path: Path
) -> None:
    clients(sim, "ecr")[0].create_repository(repositoryName="shop/cache", imageTagMutability="IMMUTABLE")
    told = Told()
    assert opened(client(tmp_path), configuration, told, tmp_path) is None
    assert "put-image-tag-mutability --repository-name shop/cache --image-tag-mutability MUTABLE" in told.warnings[0]


def test_who_may_not_log_in_builds_without(sim: Simulator, configuration: Configuration, tmp_path: Path) -> None:
    sim.ecr.create_repository({"repositoryName": "shop/cache", "imageTagMutability": "MUTABLE"})
    sim.faults.deny("GetAuthorizationToken", service="ecr")
    told = Told()
    assert opened(client(tmp_path), configuration, told, tmp_path) is None
    assert "ecr:GetAuthorizationToken" in told.warnings[0]


def test_who_may_not_look_at_the_repository_tries_it(
    sim: Simulator, configuration: Configuration, tmp_path: Path
) -> None:
    sim.faults.deny("DescribeRepositories", service="ecr")
    told = Told()
    assert opened(client(tmp_path), configuration, told, tmp_path) is not None
    assert told.warnings == []


def test_without_a_configured_cache_nothing_is_asked(sim: Simulator, tmp_path: Path) -> None:
    told, plain = Told(), read(tmp_path, HEAD + SERVICES)
    assert opened(client(tmp_path), plain, told, tmp_path) is None
    assert (sim.count(), told.warnings) == (0, [])


EXPORT_FAILED = """\
#11 ERROR: error writing manifest blob: unexpected status from PUT request to https://ecr/v2/cache: 403 Forbidden
------
 > exporting cache to registry:
------
ERROR: failed to solve: error writing manifest blob
"""
FIRST_TIME = """\
#8 importing cache manifest from ecr/shop/cache:web
#8 ERROR: ecr/shop/cache:web: not found
#9 [2/2] RUN make
------
 > importing cache manifest from ecr/shop/cache:web:
------
"""
PROGRAM_FAILED = f"{FIRST_TIME}------\n > [2/2] RUN make:\n------\nexecutor failed running [make]: exit code: 2\n"
DRIVER = "ERROR: Cache export is not supported for the docker driver.\nSwitch to a different driver.\n"


@pytest.mark.parametrize(
    ("output", "cache_alone"), [(EXPORT_FAILED, True), (DRIVER, True), (PROGRAM_FAILED, False), ("ERROR: no", False)]
)
def test_a_build_that_failed_over_its_cache_alone_is_told_apart(output: str, cache_alone: bool) -> None:
    assert only_the_cache_failed(output) is cache_alone


def test_a_cache_that_is_still_empty_is_no_trouble() -> None:
    assert cache_troubles(FIRST_TIME) == []
    (trouble,) = cache_troubles(EXPORT_FAILED)
    assert "403 Forbidden" in trouble


def test_a_build_that_failed_over_its_cache_is_made_without_it(tmp_path: Path) -> None:
    """Builders before 0.12 do not know `ignore-error`."""
    program = tmp_path / "docker"
    lines = [
        "#!/bin/sh",
        'echo "$@" >> "$0.log"',
        """inspect() { echo '{"Id": "sha256:made", "Os": "linux", "Architecture": "amd64"}'; exit 0; }""",
        '[ "$1" = image ] && inspect',
        'case "$*" in *--cache-to*) cat <<END\n' + EXPORT_FAILED + "END\nexit 1;; esac",
        'while [ "$1" != --iidfile ]; do shift; done',
        'echo sha256:made > "$2"',
    ]
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    shop = Shop(tmp_path / "shop")
    docker = Docker(str(program), "28.2.2", Builder.BUILDX, "linux/amd64", attestations=True)
    source, wanted = Source(shop.repository, shop.identify()), {"web": ImageToBuild("one", "linux/amd64")}
    cache = LayerCache("ecr/shop/cache", exports=True, environment={"PATH": "/usr/bin:/bin"})
    built = build_images(docker, source, shop.configuration, wanted, shop.world(), cache=cache)
    assert built == {"web": "sha256:made"}
    first, second, _ = Path(f"{program}.log").read_text().splitlines()
    assert "--cache-to" in first
    assert "--cache" not in second
    (warning,) = shop.told.warnings
    assert "error writing manifest blob" in warning
