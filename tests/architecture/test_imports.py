"""DESIGN.md's rules hold for every module, and each rule is able to fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import deploykit
from tests.architecture import rules
from tests.architecture.rules import Rule
from tests.architecture.tree import made_up, read_tree

PACKAGE = Path(deploykit.__file__).parent
TESTS = Path(__file__).parents[1]
TREE = read_tree(PACKAGE)


def named(rule: Rule) -> str:
    return str(rule.__name__)


@pytest.mark.parametrize("rule", rules.RULES, ids=named)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    assert rule(TREE) == []


def test_the_simulator_imports_nothing_of_deploykit() -> None:
    assert rules.the_simulator_imports_nothing_of_deploykit(read_tree(TESTS / "simulator")) == []


def test_the_tree_that_is_judged_is_the_whole_package() -> None:
    assert len(TREE) == len(list(PACKAGE.rglob("*.py")))
    assert {"deploykit.__main__", "deploykit.edges.aws.session", "deploykit.model.release"} <= {m.name for m in TREE}


BREACHES: list[tuple[Rule, Mapping[str, str]]] = [
    (rules.imports_point_one_way, {"deploykit/model/a.py": "from deploykit.errors import Refused\n"}),
    (rules.imports_point_one_way, {"deploykit/report/a.py": "from deploykit.deploy import flow\n"}),
    (rules.imports_point_one_way, {"deploykit/report/a.py": "from deploykit import edges\n"}),
    (rules.imports_point_one_way, {"deploykit/edges/a.py": "from ..targets.ecs import stand\n"}),
    (rules.imports_point_one_way, {"deploykit/deploy/a.py": "def f():\n    import deploykit.cli.app\n"}),
    (
        rules.imports_point_one_way,
        {"deploykit/probes/a.py": "if TYPE_CHECKING:\n    from deploykit.deploy.request import DeployRequest\n"},
    ),
    (
        rules.imports_point_one_way,
        {"deploykit/edges/a.py": "import importlib\nimportlib.import_module('deploykit.deploy')\n"},
    ),
    (rules.imports_point_one_way, {"deploykit/brandnew/a.py": "import json\n"}),
    (
        rules.packages_have_no_cycles,
        {
            "deploykit/a/x.py": "from deploykit.b import y\n",
            "deploykit/b/y.py": "def f():\n    from deploykit.c.z import q\n",
            "deploykit/c/z.py": "import deploykit.a.x\n",
        },
    ),
    (
        rules.no_room_reaches_itself,
        {"deploykit/a/x.py": "from deploykit.a.y import q\n", "deploykit/a/y.py": "def q():\n    from . import x\n"},
    ),
    (
        rules.no_room_reaches_itself,
        {
            "deploykit/a/b/x.py": "from deploykit.a import z\n",
            "deploykit/a/b/y.py": "import json\n",
            "deploykit/a/z.py": "from deploykit.a.b.y import q\n",
        },
    ),
    (
        rules.no_room_reaches_itself,
        {
            "deploykit/a/b/__init__.py": "from deploykit.a.b.x import q\n",
            "deploykit/a/b/x.py": "from deploykit.a.b import q\n",
        },
    ),
    (
        rules.no_folder_of_the_sandbox_reaches_itself,
        {
            "deploykit/sandbox/server/run.py": "from deploykit.sandbox.server.ecs.tasks import q\n",
            "deploykit/sandbox/server/ecs/tasks.py": "from deploykit.sandbox.server.settings import r\n",
            "deploykit/sandbox/server/settings.py": "r = 1\n",
        },
    ),
    (rules.only_the_aws_edges_and_the_sandbox_know_boto3, {"deploykit/ledger/a.py": "def f():\n    import boto3\n"}),
    (
        rules.only_the_aws_edges_and_the_sandbox_know_boto3,
        {"deploykit/edges/git.py": "from botocore.exceptions import ClientError\n"},
    ),
    (rules.only_probes_and_the_http_edges_know_requests, {"deploykit/deploy/a.py": "def f():\n    import requests\n"}),
    (rules.only_probes_and_the_http_edges_know_requests, {"deploykit/edges/aws/a.py": "from urllib3 import Retry\n"}),
    (
        rules.only_config_and_the_ledgers_codec_know_pydantic,
        {"deploykit/model/a.py": "from pydantic import BaseModel\n"},
    ),
    (
        rules.only_config_and_the_ledgers_codec_know_pydantic,
        {"deploykit/ledger/store.py": "def f():\n    from pydantic_core import from_json\n"},
    ),
    (rules.only_report_knows_rich, {"deploykit/deploy/a.py": "from rich.console import Console\n"}),
    (rules.nothing_depends_on_being_in_the_sandbox, {"deploykit/deploy/a.py": "import deploykit.sandbox.lifecycle\n"}),
    (rules.nothing_depends_on_being_in_the_sandbox, {"deploykit/cli/deploy.py": "from deploykit import demo\n"}),
    (rules.the_sandbox_shares_no_code_with_the_edges, {"deploykit/sandbox/a.py": "from deploykit.edges import git\n"}),
    (rules.only_main_ends_the_process, {"deploykit/cli/a.py": "import sys\nsys.exit(3)\n"}),
    (rules.only_main_ends_the_process, {"deploykit/cli/a.py": "from sys import exit as leave\nleave(3)\n"}),
    (rules.only_main_ends_the_process, {"deploykit/cli/a.py": "raise SystemExit(3)\n"}),
    (rules.only_the_clock_knows_the_time, {"deploykit/deploy/a.py": "import time\ntime.sleep(1)\n"}),
    (rules.only_the_clock_knows_the_time, {"deploykit/deploy/a.py": "from time import sleep\nsleep(1)\n"}),
    (rules.only_the_clock_knows_the_time, {"deploykit/ledger/a.py": "from datetime import datetime as d\nd.now()\n"}),
    (rules.only_the_clock_knows_the_time, {"deploykit/ledger/a.py": "import datetime\ndatetime.datetime.now()\n"}),
    (rules.packages_stay_small, {f"deploykit/targets/{n}.py": "x = 1\n" * 300 for n in "abcdefghi"}),
    (rules.objects_do_not_change, {"deploykit/deploy/a.py": "class A:\n    def f(self):\n        self.x = 1\n"}),
    (rules.objects_do_not_change, {"deploykit/targets/a.py": "def f(run):\n    run.journal.touched = True\n"}),
    (rules.objects_do_not_change, {"deploykit/judge/a.py": "class A:\n    def f(self):\n        self.x, b = 1, 2\n"}),
    (rules.one_frame_round_a_run, {"deploykit/commands/a.py": "try:\n    f()\nfinally:\n    g()\n"}),
    (rules.words_are_plain_english, {"deploykit/cli/a.py": "HINT = 'mend the file'\n"}),
    (rules.words_are_plain_english, {"deploykit/cli/a.py": "# then it goes on\n"}),
    (rules.every_verb_has_its_story, {"deploykit/cli/lock.py": "", "deploykit/commands/hold.py": ""}),
    (rules.files_stay_short, {"deploykit/deploy/a.py": "x = 1\n" * 401}),
    (rules.words_that_others_own_name_no_class, {"deploykit/model/a.py": "class Deployment: ...\n"}),
    (rules.words_that_others_own_name_no_class, {"deploykit/model/a.py": "class RolloutManager: ...\n"}),
    (rules.words_that_others_own_name_no_class, {"deploykit/model/a.py": "class _Data: ...\n"}),
    (rules.commands_to_type_are_values, {"deploykit/judge/a.py": "hint = 'look, then: deploykit check'\n"}),
    (rules.commands_to_type_are_values, {"deploykit/judge/a.py": "def f(verb):\n    return f'`deploykit {verb}`'\n"}),
    (rules.the_simulator_imports_nothing_of_deploykit, {"simulator/a.py": "from deploykit.model import release\n"}),
]


@pytest.mark.parametrize(("rule", "files"), BREACHES, ids=[named(rule) for rule, _ in BREACHES])
def test_a_breach_of_the_rule_is_found(rule: Rule, files: Mapping[str, str]) -> None:
    assert rule(made_up(files)) != []


def test_every_rule_is_shown_to_be_able_to_fail() -> None:
    assert {rule for rule, _ in BREACHES} >= set(rules.RULES)


SOUND = {
    "deploykit/__main__.py": "import sys\nfrom deploykit.cli import app\nsys.exit(app.go())\n",
    "deploykit/cli/app.py": "def go():\n    try:\n        from deploykit.deploy import flow\n    except SystemExit:\n"
    "        pass\n",
    "deploykit/deploy/flow.py": "from deploykit.edges.clock import Clock\nfrom deploykit.model import a\n",
    "deploykit/edges/clock.py": "import time\n\ndef sleep():\n    time.sleep(1)\n",
    "deploykit/edges/aws/session.py": "import boto3\n",
    "deploykit/judge/a.py": "'''`deploykit check`: the verdict.'''\nhint = Hint('then: ', command('check'))\n",
    "deploykit/config/schema.py": "from pydantic import BaseModel\nfrom deploykit.errors import ConfigError\n",
    "deploykit/ledger/codec.py": "from pydantic import TypeAdapter\n",
    "deploykit/model/a.py": "from deploykit.model.b import B\nclass Rollout: ...\n",
}


@pytest.mark.parametrize("rule", rules.RULES, ids=named)
def test_a_sound_tree_breaks_no_rule(rule: Rule) -> None:
    assert rule(made_up(SOUND)) == []
