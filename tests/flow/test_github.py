"""Whole commands in a step of GitHub Actions: job summary, outputs, annotations, and groups in the log."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from deploykit.__main__ import main
from tests.flow.world import World, crashing, shop, sick
from tests.unit.github_kit import outputs, runner_finds_a_command

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass
class Step:
    """The shop in a step of a workflow: the files that the runner gives it."""

    world: World
    summary_file: Path
    output_file: Path

    @property
    def summary(self) -> str:
        return self.summary_file.read_text()

    @property
    def outputs(self) -> dict[str, str]:
        return outputs(self.output_file.read_text())

    @property
    def verdicts(self) -> list[str]:
        return [line for line in self.summary.splitlines() if line.startswith("### ")]

    def log_of(self, *argv: str) -> tuple[int, str, str]:
        """A command without ``--json``: its code, stdout and stderr."""
        out, err = io.StringIO(), io.StringIO()
        code = main(argv, clock=self.world.sim.clock.wall(), environ=self.world.environ, stdout=out, stderr=err)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Step]:
    with shop(tmp_path / "shop", monkeypatch) as world:
        made = Step(world, tmp_path / "summary.md", tmp_path / "output")
        world.environ |= {
            "GITHUB_ACTIONS": "true",
            "CI": "true",
            "GITHUB_STEP_SUMMARY": str(made.summary_file),
            "GITHUB_OUTPUT": str(made.output_file),
            "GITHUB_WORKSPACE": str(tmp_path),
        }
        yield made


def workflow_commands(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("::")]


def test_a_good_deploy_is_summed_up_with_its_proof_and_its_outputs(step: Step) -> None:
    first, second = step.world.released("first", "second")
    assert step.verdicts == [f"### ✅ deploy `{sha[:7]}` on `dev`: deployed, healthy" for sha in (first, second)]
    last = step.summary.rpartition("### ")[2]
    served = step.world.services["api"]
    digest = step.world.sim.state.services[served.cluster, served.name].definition.containers[0]["image"]
    assert f"- **runs**: api `{digest.partition('@')[2][:19]}`, web `sha256:" in last
    assert f"- **commit seen** at `{step.world.sim.url}`: api `{second[:7]}`, home `{second[:7]}`" in last
    assert re.search(r"- \*\*way back\*\*: ready, release `\w+-" + first[:7], last)
    assert re.search(r"- \*\*took\*\*: 2 min \d+ s\n- \*\*AWS calls\*\*: \d+\n", last)
    assert "| api | ok | 0 of 9 | 0 of 18 | – |" in last
    found = step.outputs
    assert (found["outcome"], found["sha"], found["previous"]) == ("deployed", second, first)
    assert found["url"] == step.world.sim.url
    assert found["release"].endswith(second[:7])
    assert not re.search(r"arn:|\.dkr\.ecr|108581769167", step.output_file.read_text())


def test_the_log_has_a_group_for_each_step_and_is_closed_before_the_result(step: Step) -> None:
    step.world.commit("first")
    code, out, err = step.log_of("deploy")
    assert (code, err) == (0, "")
    told = workflow_commands(out)
    assert told == [
        word for name in ("baseline", "rollout", "invalidate", "check") for word in (f"::group::{name}", "::endgroup::")
    ]
    after = out.rpartition("::endgroup::\n")[2]
    assert "deploy: deployed" in after or "healthy" in after
    assert "== " not in out


def test_with_json_every_workflow_command_goes_to_stderr(step: Step) -> None:
    step.world.commit("first", api=crashing())
    done = step.world.command("deploy")  # which reads all of stdout as one document
    assert done.code == 10
    assert "::group::rollout" in workflow_commands(done.people)
    assert workflow_commands(done.people)[-1].startswith("::error title=deploykit deploy::api: the program exits")


def test_an_undone_deploy_says_what_runs_and_quotes_what_went_wrong(step: Step) -> None:
    (first,) = step.world.released("first")
    hostile = ("##[error]x", "::set-output name=sha::evil", "```", "</details> @octocat <script>")
    second = step.world.commit("second", api=crashing(1, 3.0, *hostile))
    code, out, _ = step.log_of("deploy")
    assert code == 10
    said = "failed and rolled back; what runs is as healthy as before"
    assert step.verdicts[-1] == f"### ❌ deploy `{second[:7]}` on `dev`: {said}"
    last = step.summary.rpartition("### ")[2]
    assert "::set-output name=sha::evil\n" in last
    assert "\n````text\n" in last
    tokens = MARKDOWN.parse(step.summary)
    assert not [token for token in tokens if token.type == "html_block"]
    assert f"| {first[:7]}" not in last  # commits are code
    assert f"`{first[:7]}` | kept |" in last
    assert step.outputs["outcome"] == "rolled_back"
    ours = re.compile(r"^::(group|endgroup|error)\b")
    assert not runner_finds_a_command("\n".join(line for line in out.splitlines() if not ours.match(line)))


def test_a_regression_shows_the_checks_before_and_after(step: Step) -> None:
    step.world.released("first")
    second = step.world.commit("second", api=sick())
    assert step.world.command("deploy").code == 10
    last = step.summary.rpartition("### ")[2]
    assert "| api | regression | 0 of 9 | 6 of 6 | status is 500, not 200;" in last
    assert f"home `{second[:7]}` (not what runs now)" in last
    assert "→ `deploykit logs api --since 10m`" in last


def test_a_refused_deploy_says_why_and_what_to_type(step: Step) -> None:
    step.world.released("first")
    assert step.world.command("lock", "hold", "--reason", "db | moves @all ::error::x").code == 0
    step.world.commit("second")
    code, out, err = step.log_of("deploy", "--env", "dev")
    assert code == 4
    assert step.verdicts[-2:] == [
        "### ✅ lock hold on `dev`: deploys are frozen",
        "### ❌ deploy on `dev`: refused; nothing that runs was touched",
    ]
    last = step.summary.rpartition("### ")[2]
    assert "db &#124; moves `@all`" in last
    assert re.search(r"→ `deploykit lock [^`]*--env dev[^`]*` ends the freeze", last)
    (error,) = workflow_commands(out.replace("::group::", "").replace("::endgroup::", ""))
    assert error.startswith("::error title=deploykit deploy::environment dev is frozen by ")
    assert workflow_commands(err) == []
    assert step.outputs["outcome"] == "refused"
    assert step.outputs["sha"] == ""


def test_an_interrupted_deploy_says_what_was_left_and_what_continues(step: Step) -> None:
    step.world.released("first")
    second = step.world.commit("second")
    done = step.world.interrupted(10, "deploy")
    assert step.verdicts[-1] == f"### ⚠️ deploy `{second[:7]}` on `dev`: interrupted"
    assert "→ `deploykit deploy` continues; `deploykit status` shows what runs" in step.summary
    assert workflow_commands(done.people)[-2] == "::endgroup::"
    assert workflow_commands(done.people)[-1].startswith(
        "::error title=deploykit deploy::interrupted; api is on its way"
    )
    assert (step.outputs["outcome"], step.outputs["sha"]) == ("interrupted", second)


def test_a_plan_shows_what_would_change_and_what_deploy_would_refuse(step: Step) -> None:
    (first,) = step.world.released("first")
    second = step.world.commit("second")
    (step.world.folder / "web" / "half.txt").write_text("x")
    done = step.world.command("plan")
    assert done.code == 0
    assert step.verdicts[-1] == f"### ⚠️ plan `{second[:7]}` on `dev`: deploy would refuse, for 1 reason"
    last = step.summary.rpartition("### ")[2]
    assert "**Deploy would refuse**\n\n- " in last
    assert "web/half.txt" in last
    assert f"| api | `containerDefinitions.api.environment.GIT_SHA` | `{first[:12]}` | `{second[:12]}` |" in last
    assert re.search(r"\| api \| `containerDefinitions.api.image` \| `sha256:\w{12}` \| `sha256:\w{12}` \|", last)
    assert "- `/*` on `E1SHOP`" in last
    assert "**way back**: " in last
    assert [line.partition(" ")[0] for line in workflow_commands(done.people)] == ["::warning"]


def test_a_wrong_configuration_is_marked_in_its_file(step: Step) -> None:
    config = step.world.folder / "deploykit.toml"
    config.write_text(config.read_text().replace("[cdn.site]", "[cdn.site]\npathz = 1"))
    code, out, err = step.log_of("deploy")
    assert code == 2
    line = config.read_text().splitlines().index("pathz = 1") + 1
    assert any(
        told.startswith(f"::error file=shop/deploykit.toml,line={line},title=deploykit deploy::")
        for told in workflow_commands(out)
    )
    assert "error:" in err
    assert step.verdicts == ["### ❌ deploy: not begun: the command line or the configuration is wrong"]
    assert f"- `deploykit.toml:{line}` " in step.summary


def test_reading_commands_are_summed_up_as_well(step: Step) -> None:
    (first,) = step.world.released("first")
    for argv in (("status",), ("check",), ("lock", "show"), ("history",)):
        assert step.world.command(*argv).code == 0
    assert step.verdicts[1:] == [
        f"### ✅ status on `dev`: `{first[:7]}` runs, healthy",
        "### ✅ check on `dev`: healthy",
        "### ✅ lock show on `dev`: free",
    ]


def test_a_summary_that_cannot_be_written_changes_nothing_but_a_warning(step: Step) -> None:
    step.world.environ["GITHUB_STEP_SUMMARY"] = str(step.world.folder)
    step.world.commit("first")
    done = step.world.command("deploy")
    assert done.code == 0
    assert done.people.count("warning: GITHUB_STEP_SUMMARY could not be written") == 1
    assert step.outputs["outcome"] == "deployed"


def test_elsewhere_nothing_is_written_and_the_log_has_no_groups(world: World) -> None:
    world.commit("first")
    done = world.command("deploy")
    assert workflow_commands(done.people) == []
    assert "== rollout" in done.people
