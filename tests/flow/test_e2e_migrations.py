"""Migrations of a real PostgreSQL in the sandbox: applied once, also by a run that is killed on its way."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.demo.repository import copy_driver
from tests.flow.e2e import Project, project
from tests.unit import git_kit

pytestmark = pytest.mark.sandbox
DRIVER = Path(__file__).parents[2] / "deploykit" / "demo" / "platform" / "api" / "requirements.txt"

CONFIGURATION = """
[project]
name = "mill"
region = "eu-west-1"

[environments.live]
account = "555566667777"
cluster = "mill"
state = "s3://mill-deploykit/{env}"

[services.keeper]
context = "keeper"
repository = "mill/keeper"
service = "keeper"
release_env = "RELEASE"
build_args = { BASE = "{base}" }
migrate = { command = ["python3", "/app/migrate.py"], paths = ["keeper/schema"], timeout = "2m" }

[local.services.keeper]
count = 1

[local.database]
name = "mill"
"""

MIGRATE = """
import os, pathlib, sys

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here / "vendor"))
import pg8000.native

database = pg8000.native.Connection(
    os.environ["DB_USERNAME"], host=os.environ["DB_HOST"], port=int(os.environ["DB_PORT"]),
    database=os.environ["DB_NAME"], password=os.environ["DB_PASSWORD"],
)
database.run("create table if not exists applied (name text primary key)")
done = {row[0] for row in database.run("select name from applied")}
for file in sorted((here / "schema").glob("*.sql")):
    if file.name in done:
        continue
    print("applying", file.name, flush=True)
    for statement in filter(str.strip, file.read_text().split(";")):
        database.run(statement)
    database.run("insert into applied values (:name)", name=file.name)
print("grain:", database.run("select count(*) from grain")[0][0], flush=True)
"""


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("mill"), CONFIGURATION, ("keeper",)) as made:
        copy_driver(DRIVER, made.folder / "keeper" / "vendor")
        for cache in (made.folder / "keeper" / "vendor").rglob("__pycache__"):
            shutil.rmtree(cache)
        yield made


def schema(mill: Project, name: str, text: str) -> str:
    files = {f"keeper/schema/{name}": text, "keeper/migrate.py": MIGRATE}
    return git_kit.commit(mill.folder, files, name)


def test_a_migration_is_applied_once_whatever_happens_to_the_run(mill: Project) -> None:
    schema(mill, "001.sql", "create table grain (kind text); insert into grain values ('rye')")
    first = mill.run("deploy")
    assert (first.code, first.steps()["migrate"]) == (0, "done"), first.people
    assert "applying 001.sql" in first.people
    assert "grain: 1" in first.people

    sha = mill.commit("only the program", keeper="well")
    skipped = mill.run("deploy")
    assert (skipped.code, skipped.steps()["migrate"]) == (0, "skipped"), skipped.people
    assert "keeper/schema did not change" in skipped.people

    sha = schema(mill, "002.sql", "insert into grain values ('oats'); select pg_sleep(8)")
    with mill.start("deploy") as running:
        running.hears("applying 002.sql")
        running.end(signal.SIGKILL)
    mill.forget_calls()
    again = mill.run("deploy")
    assert (again.code, again.document["release"]["sha"]) == (0, sha), again.people
    assert "ecs:RunTask" not in mill.calls()
    assert "grain: 2" in again.people

    schema(mill, "003.sql", "insert into chaff values ('?')")
    failed = mill.run("deploy")
    assert (failed.code, failed.steps()["migrate"]) == (6, "failed"), failed.people
    evidence = " ".join(failed.finding("migration-failed")["evidence"])
    assert 'relation "chaff" does not exist' in evidence
    assert failed.document["services"] == {
        "keeper": {**again.document["services"]["keeper"], "changed": False, "previous_task_definition": None}
    }
