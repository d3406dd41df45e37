"""`logs` as somebody reads it while something goes wrong."""

from __future__ import annotations

import io
import json

import pytest

from deploykit.__main__ import main
from tests.flow.test_accept_streams import EndsAfter
from tests.flow.world import World
from tests.simulator.small import Line

ONE, TWO = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"


def wrote(world: World, text: str, *, task: str = ONE, container: str = "api") -> None:
    world.sim.logs.write("/ecs/api", f"ecs/{container}/{task}", [text])


def seen(world: World, *argv: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(argv, clock=world.sim.clock.wall(), environ=world.environ, stdout=stdout, stderr=stderr)
    return code, stdout.getvalue(), stderr.getvalue()


def with_a_sidecar(world: World) -> None:
    """The API's task gets a proxy beside it, by somebody's hand."""
    served = world.services["api"]
    body = world.sim.state.services[served.cluster, served.name].definition.body
    [own] = body["containerDefinitions"]
    made = world.sim.ecs.register_task_definition(
        {**body, "containerDefinitions": [own, {**own, "name": "proxy", "portMappings": []}]}
    )["taskDefinition"]["taskDefinitionArn"]
    world.sim.ecs.update_service({"cluster": "dev", "service": served.name, "taskDefinition": made})
    world.sim.clock.advance(120)


def test_each_line_says_when_and_which_task(world: World) -> None:
    wrote(world, "listening on 3001")
    wrote(world, "ready", task=TWO)
    code, out, err = seen(world, "logs", "api")
    assert code == 0
    assert out.splitlines() == ["06:01:02 0a1b2c3d  listening on 3001", "06:01:02 9f8e7d6c  ready"]
    assert "06:01" not in err


def test_a_line_of_another_day_says_which(world: World) -> None:
    wrote(world, "a day ago")
    world.sim.clock.advance(86400)
    assert seen(world, "logs", "api", "--since", "2d")[1] == "2026-11-21 06:01:02 0a1b2c3d  a day ago\n"


def test_in_json_a_line_has_all_its_parts(world: World) -> None:
    wrote(world, "ready")
    [line] = world.run("logs", "api").document["lines"]
    assert line.pop("id")
    assert line == {
        "time": "2026-11-21T06:01:02.000Z", "service": "api", "container": "api", "task": ONE, "text": "ready",
        "stream": f"ecs/api/{ONE}",
    }  # fmt: skip


def test_following_in_json_is_one_document_a_line_and_ends_at_ctrl_c(world: World) -> None:
    wrote(world, "one")
    world.sim.clock.after(3, lambda: wrote(world, "two"))
    stdout = io.StringIO()
    code = main(
        ["logs", "api", "-f", "--json"], clock=EndsAfter(world, 4), environ=world.environ, stdout=stdout,
        stderr=io.StringIO(),
    )  # fmt: skip
    documents = [json.loads(line) for line in stdout.getvalue().splitlines()]
    assert code == 130
    assert [document.get("text") for document in documents] == ["one", "two", None]
    assert [document["command"] for document in documents] == ["logs"] * 3
    assert documents[-1]["error"]["message"] == "interrupted: nothing was changed"


def test_nothing_written_is_said_where_lines_do_not_go(world: World) -> None:
    code, out, err = seen(world, "logs", "api", "--since", "1h")
    assert (code, out) == (0, "")
    assert "no line in the last 1h" in err


def test_of_several_containers_ours_is_shown_and_the_others_are_named(world: World) -> None:
    with_a_sidecar(world)
    wrote(world, "ours")
    wrote(world, "GET / 200", container="proxy")
    code, out, err = seen(world, "logs", "api")
    assert (code, out.splitlines()) == (0, ["06:03:02 0a1b2c3d  ours"])
    assert "container api; beside it: proxy (--container proxy)" in err
    assert seen(world, "logs", "api", "--container", "proxy")[1].splitlines() == ["06:03:02 0a1b2c3d  GET / 200"]
    code, out, err = seen(world, "logs", "api", "--container", "prox")
    assert (code, out) == (2, "")
    assert "service api has no container 'prox'" in err
    assert "its containers: api, proxy" in err


def test_a_line_that_the_terminal_cannot_write_is_written_as_it_can(world: World) -> None:
    wrote(world, "café geöffnet")
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    code = main(
        ["logs", "api"], clock=world.sim.clock.wall(), environ=world.environ, stdout=stdout, stderr=io.StringIO()
    )
    assert code == 0
    assert raw.getvalue().endswith(b"caf? ge?ffnet\n")


class Gone(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_a_reader_that_leaves_ends_the_following(world: World) -> None:
    wrote(world, "one")
    code = main(
        ["logs", "api", "--follow"], clock=EndsAfter(world, 50), environ=world.environ, stdout=Gone(),
        stderr=io.StringIO(),
    )  # fmt: skip
    assert code == 0


@pytest.mark.parametrize("since", ["0s", "10", "999999999h", "-5m", "1d1d"])
def test_a_time_that_cannot_be_meant_is_refused(world: World, since: str) -> None:
    done = world.run("logs", "api", f"--since={since}")
    assert (done.code, done.calls) == (2, [])
    assert "--since 10m" in done.document["error"]["hint"]


def test_a_time_of_a_line_that_is_late_is_its_own(world: World) -> None:
    stamp = int(world.sim.clock.stamp * 1000) - 1500
    world.sim.logs.lines.append(Line("/ecs/api", f"ecs/api/{ONE}", stamp, "late", 7))
    assert world.run("logs", "api").document["lines"][0]["time"] == "2026-11-21T06:01:00.500Z"
