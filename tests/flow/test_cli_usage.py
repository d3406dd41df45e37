"""What anybody may type: help, version, mistakes. Exit codes, documents, no traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploykit import __version__
from tests.unit.cli_kit import run
from tests.unit.config_files import TEN_LINES

ENVELOPE = {"schema", "command", "environment", "exit_code", "seconds", "api_calls"}
RUN_KEYS = {"outcome", "release", "services", "checks", "findings", "way_back", "steps"}
COMMANDS = ("init", "deploy", "build", "push", "rollout", "invalidate", "check", "rollback", "status", "history")
MORE_COMMANDS = ("logs", "demo", "schema", "sandbox")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploykit.toml").write_text(TEN_LINES, encoding="utf-8")
    return tmp_path


def in_a_process(*argv: str, code: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = ["-c", code, *argv] if code else ["-m", "deploykit", *argv]
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, cwd=cwd, check=False)


def test_the_version_is_printed() -> None:
    ran = run("--version")
    assert (ran.code, ran.out) == (0, f"deploykit {__version__}\n")


def test_help_names_every_command() -> None:
    ran = run("--help")
    assert ran.code == 0
    assert {*COMMANDS, *MORE_COMMANDS} <= set(re.findall(r"^  ([a-z]+)  ", ran.out, re.MULTILINE))


@pytest.mark.parametrize("name", [*COMMANDS, *MORE_COMMANDS, "sandbox up", "sandbox env"])
def test_every_command_explains_itself_before_any_configuration_is_read(name: str) -> None:
    ran = run(*name.split(), "--help")
    assert ran.code == 0
    assert f"Usage: deploykit {name}" in ran.out
    assert "--json" in ran.out


LOADED = """
import sys
from deploykit.__main__ import main
code = main(sys.argv[1:])
heavy = {"boto3", "botocore", "rich", "pydantic", "requests"} & set(sys.modules)
sys.stderr.write(f"{code} {sorted(heavy)}")
"""


@pytest.mark.parametrize(
    "argv", [["--version"], ["--help"], ["deploy", "--help"], ["-e", "dev", "sandbox", "up", "-h"]]
)
def test_help_and_version_load_no_heavy_library(argv: list[str]) -> None:
    assert in_a_process(*argv, code=LOADED).stderr == "0 []"


def test_the_same_look_at_loaded_libraries_finds_a_heavy_one(folder: Path) -> None:
    assert in_a_process("schema", code=LOADED, cwd=folder).stderr == "0 ['pydantic']"


def test_no_command_is_a_usage_error_that_shows_the_help() -> None:
    ran = run()
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: deploykit" in ran.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["deploi"], "Did you mean 'deploy'"),
        (["deploy", "--deadlin", "3m"], "--deadline"),
        (["rollback", "--to"], "--to"),
        (["logs"], "Missing argument"),
        (["history", "--limit", "many"], "--limit"),
        (["sandbox"], "Missing command"),
        (["status", "surplus"], "unexpected extra argument"),
    ],
)
def test_a_mistake_on_the_command_line_is_2_with_what_to_type(argv: list[str], said: str) -> None:
    ran = run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "--help` lists" in ran.err
    document = run("--json", *argv).document
    assert document.keys() >= ENVELOPE
    assert document["exit_code"] == 2
    assert said in document["error"]["message"]


def test_the_document_of_a_mistake_names_its_command_and_has_its_keys() -> None:
    document = run("--json", "deploy", "--wrong").document
    assert document["command"] == "deploy"
    assert document.keys() == ENVELOPE | RUN_KEYS | {"error"}
    assert document["release"] == {"id": None, "sha": None, "previous_sha": None, "verdict": None}
    assert run("sandbox", "status", "--wrong", "--json").document["command"] == "sandbox status"


def test_json_after_the_double_dash_is_not_an_option() -> None:
    ran = run("deploy", "--wrong", "--", "--json")
    assert (ran.code, ran.out) == (2, "")


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--env", "nowhere", "status"],
        ["status", "--json", "--env", "nowhere"],
        ["-e", "nowhere", "status", "--json"],
        ["--env", "prod", "--json", "status", "--env", "nowhere"],
    ],
)
def test_the_shared_options_stand_before_or_after_the_command(folder: Path, argv: list[str]) -> None:
    ran = run(*argv)
    assert ran.code == 2
    assert ran.document["environment"] == "nowhere"
    assert 'no environment "nowhere"' in ran.document["error"]["message"]


def test_the_shared_options_stand_on_a_group_of_commands_too(folder: Path) -> None:
    ran = run("sandbox", "--json", "--config", "other.toml", "status")
    assert (ran.code, ran.document["command"]) == (2, "sandbox status")
    assert "other.toml" in ran.document["error"]["message"]


def test_every_problem_of_the_configuration_is_in_the_document(folder: Path) -> None:
    broken = TEN_LINES.replace("region", "regoin").replace("cluster", "clutser")
    (folder / "deploykit.toml").write_text(broken, encoding="utf-8")
    ran = run("deploy", "--json")
    problems = ran.document["error"]["problems"]
    assert ran.code == 2
    assert {problem["line"] for problem in problems} >= {3, 6}
    assert all(problem.keys() == {"message", "file", "line", "key"} for problem in problems)
    assert "deploykit.toml:3: " in ran.err
    assert "Traceback" not in ran.err


def test_an_unknown_service_is_told_with_the_nearest_known_one(folder: Path) -> None:
    ran = run("deploy", "wep", "--json")
    assert ran.code == 2
    assert ran.document["environment"] == "prod"
    assert ran.document["error"]["message"] == "no service 'wep' (did you mean 'web'?)"


@pytest.mark.parametrize(
    "argv", [["deploy", "--deadline", "soon"], ["logs", "web", "--since", "10"], ["deploy", "--deadline", "0s"]]
)
def test_a_duration_that_is_none_is_told_with_an_example(folder: Path, argv: list[str]) -> None:
    ran = run(*argv)
    assert ran.code == 2
    assert argv[-1] in ran.err
    assert "10m" in ran.err


@pytest.mark.parametrize("argv", [["check", "--rounds", "0"], ["history", "--limit", "0"]])
def test_a_count_of_nothing_is_a_usage_error(folder: Path, argv: list[str]) -> None:
    assert run(*argv).code == 2


def test_the_shell_completes_commands_and_options() -> None:
    for typed, words in (("deploykit roll", {"rollout", "rollback"}), ("deploykit rollback --re", {"--reason"})):
        asked = {"_DEPLOYKIT_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        done = subprocess.run(
            [Path(sys.executable).parent / "deploykit"],
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert set(done.stdout.split()) == words


def test_the_schema_is_the_only_thing_on_stdout_with_or_without_json(folder: Path) -> None:
    assert run("schema").document["title"] == "deploykit.toml"
    assert run("schema", "--json").out == run("schema").out


def test_the_process_ends_with_the_code_and_without_a_traceback(tmp_path: Path) -> None:
    done = in_a_process("status", cwd=tmp_path)
    assert done.returncode == 2
    assert "deploykit init" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "deploykit", "schema"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("verb", "last"), [("deploy", "`deploykit deploy` continues"), ("check", "nothing was changed")]
)
def test_a_signal_ends_in_130_and_a_last_line_that_says_what_continues(
    folder: Path, number: signal.Signals, verb: str, last: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an AWS that takes the call and never answers
        silent.settimeout(30)
        aws = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}", "AWS_ACCESS_KEY_ID": "x"}
        process = subprocess.Popen(
            [sys.executable, "-m", "deploykit", verb, "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **aws, "AWS_SECRET_ACCESS_KEY": "x"},
            text=True,
        )
        call, _ = silent.accept()
        with call:
            call.recv(10)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert last in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert json.loads(out)["exit_code"] == 130
