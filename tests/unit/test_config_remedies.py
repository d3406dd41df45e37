"""Mistakes of people who come from other tools, each with the text to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config_files import TEN_LINES, refused, said

ENDPOINT = '[[checks.endpoints]]\nid = "a"\nurl = "https://a.b"\n'


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param(
            TEN_LINES + "migrate = { command = \"sh -c 'a b'\" }\n",
            ['services.web.migrate.command = "sh -c \'a b\'": must be a list: write ["sh", "-c", "a b"]'],
            id="a command as one text",
        ),
        pytest.param(
            TEN_LINES + ENDPOINT + 'expect = { status = "200" }\n',
            ['checks.endpoints[a].expect.status = "200": must be a whole number: write 200, without quotes'],
            id="a status as text",
        ),
        pytest.param(
            TEN_LINES + ENDPOINT + "expect = { status = [200, 99] }\n",
            ["checks.endpoints[a].expect.status[1] = 99: must be an HTTP status from 100 to 599"],
            id="one status of a list",
        ),
        pytest.param(
            TEN_LINES + ENDPOINT + "expect = 200\n",
            ["checks.endpoints[a].expect = 200: must be a table, such as { status = 200 }"],
            id="a status instead of what is expected",
        ),
        pytest.param(
            TEN_LINES + ENDPOINT + 'version = "version"\n',
            ['checks.endpoints[a].version = "version": must be a table, such as { json = "version" }'],
            id="a version without its place",
        ),
        pytest.param(
            TEN_LINES + ENDPOINT + 'expect = { json = { a = { gt = "3" } } }\n',
            ['checks.endpoints[a].expect.json.a.gt = "3": must be a number: write 3, without quotes'],
            id="a number as text",
        ),
        pytest.param(
            TEN_LINES + '[checks.endpoints]\nid = "a"\n',
            [
                'checks.endpoints = { id = "a" }: must be a list of tables: write [[checks.endpoints]], with two '
                "brackets"
            ],
            id="one bracket too few",
        ),
        pytest.param(
            TEN_LINES.replace("[services.web]", 'state = "s3:/bucket/x"\n[services.web]'),
            ['environments.prod.state = "s3:/bucket/x": must be "s3://BUCKET/PREFIX" or a folder'],
            id="a slash too few",
        ),
        pytest.param(
            TEN_LINES.replace('service = "web"', 'service = "arn:aws:ecs:eu-west-1:123456789012:service/shop/web"'),
            [
                'services.web.service = "arn:aws:ecs:eu-west-1:123456789012:service/shop/web": must be the name alone: '
                'write "web"'
            ],
            id="a service's ARN",
        ),
        pytest.param(
            TEN_LINES + '[cdn.site]\ndistribution = "d111111abcdef8.cloudfront.net"\n',
            [
                'cdn.site.distribution = "d111111abcdef8.cloudfront.net": must be the distribution\'s id, such as '
                '"E2QWRUHAPOMQZL", not its address or ARN'
            ],
            id="a distribution's address",
        ),
        pytest.param(
            TEN_LINES.replace("[services.web]", 'roles = { deplyo = "me" }\n[services.web]'),
            ['environments.prod.roles.deplyo is not a key here; did you mean "deploy"?'],
            id="a role that is none, once",
        ),
        pytest.param(
            TEN_LINES + '[environments.prod.services.wbe]\ncluster = "x"\nrepository = "wbe"\n',
            [
                "environments.prod.services.wbe.context is missing: the folder its image is built from (or image, to "
                "run another service's); or did you mean environments.prod.services.web?"
            ],
            id="an overlay of nobody",
        ),
    ],
)
def test_a_mistake_is_told_once_and_with_what_to_write(tmp_path: Path, text: str, messages: list[str]) -> None:
    assert text != TEN_LINES
    assert [line.split(": ", 1)[1] for line in said(refused(tmp_path, text))] == messages
