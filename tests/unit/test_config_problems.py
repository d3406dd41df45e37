"""A wrong file is refused with everything that is wrong, each problem with its line and how to fix it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploykit.config.load import load
from deploykit.errors import ConfigError, ExitCode
from tests.unit.config_files import TEN_LINES, refused, said

TEN_MISTAKES = """\
[project]
name = "shop"
regoin = "eu-central-1"

[environments.dev]
account = 123456789012
cluster = "{stage}-shop"
url = "https://dev.example.com"

[environments.prod]
account = "123456789012"
url = "https://example.com"
[environments.prod.services.web]
platform = "arm"

[services.web]
context = "web"
repository = "Shop/web"
service = "web"
depends_on = ["wep"]

[checks]
timeout = 5
samples = "3"

[[checks.endpoints]]
id = "home"
path = "/"
[[checks.endpoints]]
id = "home"
path = "/again"
"""


def test_ten_mistakes_are_ten_messages_each_on_its_line(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_MISTAKES)
    assert said(error) == [
        '3: project.regoin is not a key here; did you mean "region"?',
        '6: environments.dev.account = 123456789012: must be text: write "123456789012"',
        '7: environments.dev.cluster = "{stage}-shop": {stage} is not a placeholder; only {env} and {project} are '
        "filled in",
        "10: environments.prod.cluster is missing: ECS cluster",
        '14: environments.prod.services.web.platform = "arm": must be a platform such as "linux/amd64"',
        '18: services.web.repository = "Shop/web": repositories are lower case: write "shop/web"',
        '20: services.web.depends_on[0] = "wep": no such service; did you mean "web"?',
        '23: checks.timeout = 5: must be a duration such as "30s", "10m" or "1h": write "5s"',
        '24: checks.samples = "3": must be a whole number: write 3, without quotes',
        '30: checks.endpoints[home].id = "home": is already the id of the endpoint in line 27',
    ]
    assert error.code is ExitCode.USAGE
    assert error.message.endswith("deploykit.toml has 10 problems")
    assert {problem.file for problem in error.problems} == {str(tmp_path / "deploykit.toml")}
    assert [problem.key for problem in error.problems][:2] == ["project.regoin", "environments.dev.account"]


def with_endpoint(keys: str) -> str:
    return (
        TEN_LINES.replace('"shop"\n[serv', '"shop"\nurl = "https://a.b"\n[serv')
        + f'[[checks.endpoints]]\nid = "a"\n{keys}\n'
    )


SECOND = '[services.api]\ncontext = "api"\nrepository = "shop/api"\n'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param(
            TEN_LINES.replace("eu-central-1", "eu-central"),
            3,
            'project.region = "eu-central": must be an AWS region, such as "us-east-1"',
            id="region",
        ),
        pytest.param(
            TEN_LINES.replace("123456789012", "12345"),
            5,
            'environments.prod.account = "12345": must be an AWS account number: twelve digits',
            id="account",
        ),
        pytest.param(
            TEN_LINES.replace('context = "."\n', ""),
            7,
            "services.web.context is missing: the folder its image is built from (or image, to run another service's)",
            id="neither context nor image",
        ),
        pytest.param(
            TEN_LINES + SECOND + 'image = "web"\n',
            14,
            "services.api.image cannot be set with context: a service builds its own image or runs another's",
            id="both context and image",
        ),
        pytest.param(
            TEN_LINES.replace('repository = "shop/web"\n', ""),
            7,
            "services.web.repository is missing: the ECR repository of its image",
            id="no repository",
        ),
        pytest.param(
            TEN_LINES + '[services.job]\nimage = "wbe"\n',
            12,
            'services.job.image = "wbe": no such service; did you mean "web"?',
            id="image of nobody",
        ),
        pytest.param(
            TEN_LINES + SECOND.replace("shop/api", "shop/web"),
            13,
            'services.api.repository = "shop/web": services.web is already pushed there; tags are commits, so each '
            'image needs a repository of its own (to run the same image: image = "web")',
            id="shared repository",
        ),
        pytest.param(
            TEN_LINES + 'depends_on = ["api"]\n' + SECOND + 'depends_on = ["web"]\n',
            11,
            "services.web.depends_on is circular: web → api → web",
            id="circle",
        ),
        pytest.param(
            TEN_LINES + 'depends_on = ["web"]\n',
            11,
            "services.web.depends_on is circular: web → web",
            id="circle of one",
        ),
        pytest.param(
            TEN_LINES + 'migrate = { command = "npm run migrate" }\n',
            11,
            'services.web.migrate.command = "npm run migrate": must be a list: write ["npm", "run", "migrate"]',
            id="command",
        ),
        pytest.param(
            TEN_LINES + 'migrate = { command = ["m"], timeout = "10 minutes" }\n',
            11,
            'services.web.migrate.timeout = "10 minutes": must be a duration such as "30s", "10m" or "1h"',
            id="duration",
        ),
        pytest.param(
            TEN_LINES + 'migrate = { command = ["m"], on_rollback = "allwo" }\n',
            11,
            'services.web.migrate.on_rollback = "allwo": must be "allow" or "stop"; did you mean "allow"?',
            id="choice",
        ),
        pytest.param(
            TEN_LINES + 'only = ["prd"]\n[services.b]\ncontext = "b"\nrepository = "b"\n',
            11,
            'services.web.only[0] = "prd": no such environment; did you mean "prod"?',
            id="unknown environment",
        ),
        pytest.param(
            TEN_LINES + '[cdn.site]\npaths = ["/*"]\nafter = ["web"]\n',
            11,
            "cdn.site.distribution is missing: CloudFront distribution id",
            id="distribution",
        ),
        pytest.param(
            TEN_LINES + '[cdn.site]\ndistribution = "E1"\nafter = ["front"]\n',
            13,
            'cdn.site.after[0] = "front": no such service; there is web',
            id="after nobody",
        ),
        pytest.param(
            TEN_LINES + "[checks]\nnoise = 0.5\n",
            12,
            "checks.noise = 0.5: noise (0.5) must be less than detect (0.33)",
            id="noise",
        ),
        pytest.param(
            TEN_LINES + "[checks]\ndetect = 33\n",
            12,
            "checks.detect = 33: must be a share between 0 and 1, such as 0.05",
            id="share",
        ),
        pytest.param(
            TEN_LINES + '[[checks.endpoints]]\nid = "a"\npath = "/"\n',
            4,
            "environments.prod.url is missing: the address under which the endpoints' paths are asked (a)",
            id="url",
        ),
        pytest.param(
            with_endpoint('path = "health"'),
            14,
            'checks.endpoints[a].path = "health": must begin with "/"',
            id="path",
        ),
        pytest.param(
            with_endpoint(""),
            12,
            'checks.endpoints[a].path is missing: where to ask, such as "/health" (or url, for another host)',
            id="no path",
        ),
        pytest.param(
            with_endpoint('path = "/"\nexpect = { status = [200, 999] }'),
            15,
            "checks.endpoints[a].expect.status[1] = 999: must be an HTTP status from 100 to 599",
            id="status",
        ),
        pytest.param(
            with_endpoint('path = "/"\nexpect = { matches = "a(" }'),
            15,
            'checks.endpoints[a].expect.matches = "a(": is not a regular expression: missing ), unterminated '
            "subpattern at character 2",
            id="regex",
        ),
        pytest.param(
            with_endpoint('path = "/"\n[checks.endpoints.expect]\njson.a.b = 3'),
            16,
            "checks.endpoints[a].expect.json.a.b is not a matcher (matches, gt, lt, exists); the path to a value is "
            'one key in quotes: "a.b"',
            id="json path not in quotes",
        ),
        pytest.param(
            with_endpoint('path = "/"\nexpect.json = { a = {} }'),
            15,
            "checks.endpoints[a].expect.json.a = {}: must hold a matcher: matches, gt, lt or exists",
            id="no matcher",
        ),
        pytest.param(
            with_endpoint('path = "/"\nversion = { json = "v" }\n' + SECOND),
            12,
            "checks.endpoints[a].service is missing: whose version it shows, one of web, api",
            id="whose version",
        ),
        pytest.param(
            with_endpoint('path = "/"\nservice = "wep"'),
            15,
            'checks.endpoints[a].service = "wep": no such service; did you mean "web"?',
            id="endpoint of nobody",
        ),
        pytest.param(
            with_endpoint('url = "http://a.b"\nexpect.certificate_days = 9'),
            15,
            "checks.endpoints[a].expect.certificate_days needs https, but the address is http://a.b",
            id="certificate of plain http",
        ),
        pytest.param(
            TEN_LINES + "[[checks.maintenance]]\nfrom = 2026-11-21T23:00:00Z\nto = 2026-11-21T22:00:00Z\n",
            13,
            "checks.maintenance[0].to = 2026-11-21T22:00:00+00:00: must be later than from (2026-11-21T23:00:00+00:00)",
            id="window",
        ),
        pytest.param(
            TEN_LINES + "[[checks.maintenance]]\nfrom = 2026-11-21T22:00:00\nto = 2026-11-21T23:00:00Z\n",
            12,
            "checks.maintenance[0].from = 2026-11-21T22:00:00: must say its time zone: add Z for UTC",
            id="time zone",
        ),
        pytest.param(
            TEN_LINES + '[local.services.web]\nroutes = ["/*"]\n',
            12,
            "local.services.web.routes needs port: a service without a port is a worker behind no load balancer",
            id="routes without port",
        ),
        pytest.param(
            TEN_LINES + SECOND + "[local.services.web]\nport = 1\n[local.services.api]\nport = 2\n",
            16,
            "local.services.api.routes is missing: only one service with a port may take all other requests, and "
            "local.services.web does",
            id="two that take the rest",
        ),
        pytest.param(
            TEN_LINES + "[local.services.web]\nport = 1\nenvironment = { PORT = 1 }\n",
            13,
            'local.services.web.environment.PORT = 1: must be text: write "1"',
            id="environment variable",
        ),
        pytest.param(
            TEN_LINES.replace("[env", 'default_environment = "production"\n[env'),
            4,
            'project.default_environment = "production": no such environment; did you mean "prod"?',
            id="default environment",
        ),
        pytest.param(
            TEN_LINES + "[deploy]\nx = 1\n",
            11,
            "deploy is not a key here; there are project, environments, services, cdn, build, rollout, notify, "
            "checks, local",
            id="unknown table",
        ),
        pytest.param(
            TEN_LINES.replace(
                "[services.web]", 'roles = { deplyo = "arn:aws:iam::123456789012:role/x" }\n[services.web]'
            ),
            7,
            'environments.prod.roles.deplyo is not a key here; did you mean "deploy"?',
            id="role",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_its_remedy(tmp_path: Path, text: str, line: int, message: str) -> None:
    assert said(refused(tmp_path, text)) == [f"{line}: {message}"]


def test_a_migration_without_an_ecs_service_is_told_that_it_has_no_place_to_run(tmp_path: Path) -> None:
    text = TEN_LINES.replace('service = "web"\n', 'migrate = { command = ["./migrate"] }\n')
    assert text != TEN_LINES
    assert any("services.web.migrate" in line and "needs service" in line for line in said(refused(tmp_path, text)))


def test_a_mistake_in_another_environment_is_reported_too(tmp_path: Path) -> None:
    text = TEN_LINES + '[environments.dev]\naccount = "1"\ncluster = "c"\n[environments.dev.rollout]\ndeadline = 3\n'
    assert said(refused(tmp_path, text, "prod")) == [
        '12: environments.dev.account = "1": must be an AWS account number: twelve digits',
        '15: environments.dev.rollout.deadline = 3: must be a duration such as "30s", "10m" or "1h": write "3s"',
    ]


def test_a_mistake_that_every_environment_covers_up_is_reported_too(tmp_path: Path) -> None:
    text = TEN_LINES + '[rollout]\ndeadline = 3\n[environments.prod.rollout]\ndeadline = "3m"\n'
    assert said(refused(tmp_path, text)) == [
        '12: rollout.deadline = 3: must be a duration such as "30s", "10m" or "1h": write "3s"'
    ]


def test_a_misspelt_needed_key_is_one_problem_not_two(tmp_path: Path) -> None:
    assert said(refused(tmp_path, TEN_LINES.replace("context", "contxt").replace("cluster", "culster"))) == [
        '6: environments.prod.culster is not a key here; did you mean "cluster"?',
        '8: services.web.contxt is not a key here; did you mean "context"?',
    ]


def test_an_empty_file_is_told_what_it_needs(tmp_path: Path) -> None:
    assert said(refused(tmp_path, "")) == [
        "1: there is no environment: add [environments.NAME] with account and cluster",
        "1: there is no service: add [services.NAME] with context, repository and service",
        "1: project is missing: what is released: [project] with name and region",
    ]


def test_text_that_is_no_toml_is_told_where(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_LINES + "[checks\n")
    assert error.message.endswith("deploykit.toml is not TOML")
    assert [problem.line for problem in error.problems] == [11]
    assert "not TOML at column 8" in error.problems[0].message


def test_a_key_after_a_table_in_braces_is_told_where_it_belongs(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_LINES + 'migrate = { command = ["m"] }\nmigrate.timeout = "1m"\n')
    assert [problem.line for problem in error.problems] == [12]
    assert error.problems[0].message.endswith("write the key inside its braces")


def test_text_that_is_no_utf_8_is_told_where(tmp_path: Path) -> None:
    (tmp_path / "deploykit.toml").write_bytes(b'[project]\nname = "caf\xe9"\n')
    with pytest.raises(ConfigError, match="has one problem") as caught:
        load(tmp_path / "deploykit.toml", None, {})
    assert said(caught.value) == ["2: not UTF-8 text"]


@pytest.mark.parametrize("wrong", ["3", '"text"', "true", "[]", "[3]", "[{}]", "{}", "{ x = 3 }", "2026-01-01"])
def test_no_value_anywhere_makes_it_stumble(tmp_path: Path, wrong: str) -> None:
    """Every key of the file, one after the other, with a value of another kind: refused or read, never a traceback."""
    text = TEN_LINES + "\n".join(
        [
            'depends_on = []\nimage = "x"\nonly = ["prod"]\nbuild_args = {}\nmigrate.command = ["m"]',
            '[cdn.site]\ndistribution = "E"\npaths = ["/*"]\nafter = ["web"]\nonly = ["prod"]',
            '[build]\ncache = "registry:a"\n[notify]\ngithub = true\nwebhook.env = "X"\n[rollout]\ndeadline = "3s"',
            "[checks]\nnoise = 0.1\nmaintenance = []\nendpoints = []\n[local]\nservices = {}\ndatabase = {}",
            '[environments.prod.checks]\nendpoints = [{ id = "a", expect = { json = {} }, version = {} }]',
            '[environments.prod.services.web]\ntarget = "x"\n[environments.prod.cdn]\n',
        ]
    )
    replaced = [re.sub(r"=.*", f"= {wrong}", line, count=1) for line in text.splitlines()]
    for number, line in enumerate(replaced):
        changed = [*text.splitlines()[:number], line, *text.splitlines()[number + 1 :]]
        error = refused(tmp_path, "\n".join(changed))
        assert error.problems
        assert all(
            problem.line and problem.message and "validation" not in problem.message for problem in error.problems
        )
