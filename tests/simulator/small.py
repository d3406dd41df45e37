"""The small services: STS, IAM, Secrets Manager, SSM parameters, CloudWatch Logs."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.simulator.clock import VirtualClock
from tests.simulator.errors import AwsError

Json = dict[str, Any]


@dataclass(frozen=True)
class Trust:
    """Whom a role trusts: tokens of this ``aud`` whose ``sub`` matches one of the patterns, as in ``StringLike``."""

    sub: tuple[str, ...]
    aud: str = "sts.amazonaws.com"


class Sts:
    """Who calls, and roles by GitHub's tokens. ``trusts``: by role ARN; without any, every token is good for any role.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """

    def __init__(self, clock: VirtualClock, account: str) -> None:
        self.clock, self.account = clock, account
        self.trusts: dict[str, Trust] = {}
        self.lasts: float | None = None  # seconds that credentials are good for; by default as asked
        self.handed: dict[str, float] = {}  # access key id → POSIX seconds when it ends

    def get_caller_identity(self, p: Json) -> Json:
        arn = f"arn:aws:sts::{self.account}:assumed-role/tests/session"
        return {"UserId": "AROASIMULATED:session", "Account": self.account, "Arn": arn}

    def assume_role(self, p: Json) -> Json:
        name = p["RoleArn"].rpartition("/")[2]
        arn = f"arn:aws:sts::{p['RoleArn'].split(':')[4]}:assumed-role/{name}/{p['RoleSessionName']}"
        key, ends = f"ASIASIMULATED{len(self.handed):04d}", self.clock.stamp + (self.lasts or p["DurationSeconds"])
        self.handed[key] = ends
        keys = {"AccessKeyId": key, "SecretAccessKey": f"secret of {key}", "SessionToken": f"session of {key}"}
        return {
            "Credentials": {**keys, "Expiration": ends},
            "AssumedRoleUser": {"AssumedRoleId": "AROASIMULATED:session", "Arn": arn},
        }

    def assume_role_with_web_identity(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors"""
        name = p["RoleSessionName"]
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII):
            rule = "Member must have length less than or equal to 64"
            text = (
                f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: {rule}"
            )
            raise AwsError("ValidationError", text)
        if self.trusts:
            self._verify(p["WebIdentityToken"], self.trusts.get(p["RoleArn"]))
        return self.assume_role({"DurationSeconds": 3600, **p})

    def _verify(self, token: str, trust: Trust | None) -> None:
        try:
            payload = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            raise AwsError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from None
        if claims["exp"] <= self.clock.stamp:
            raise AwsError("ExpiredTokenException", "Token must be issued within the last 24 hours: it is expired")
        if claims["aud"] not in {each.aud for each in self.trusts.values()}:
            raise AwsError("InvalidIdentityToken", "Incorrect token audience")
        like = [] if trust is None or trust.aud != claims["aud"] else trust.sub
        if not any(fnmatchcase(claims["sub"], pattern) for pattern in like):
            raise AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)


class Iam:
    """Roles that exist. https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html"""

    def __init__(self, clock: VirtualClock, account: str) -> None:
        self.clock, self.account = clock, account
        self.roles: set[str] = set()

    def get_role(self, p: Json) -> Json:
        name = p["RoleName"]
        if name not in self.roles:
            raise AwsError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        role = {"Path": "/", "RoleName": name, "RoleId": "AROASIMULATED", "CreateDate": self.clock.stamp}
        return {"Role": {**role, "Arn": f"arn:aws:iam::{self.account}:role/{name}"}}


class Secrets:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html"""

    def __init__(self, clock: VirtualClock, region: str, account: str) -> None:
        self.clock, self.base = clock, f"arn:aws:secretsmanager:{region}:{account}:secret:"
        self.values: dict[str, str] = {}
        self.deleted: dict[str, float] = {}  # name → POSIX seconds; within its recovery window

    def put(self, name: str, value: str) -> str:
        """For tests: a secret exists; returns its ARN (with AWS's random six characters, which here are fixed)."""
        self.values[name] = value
        return f"{self.base}{name}-AbCdEf"

    def name_of(self, reference: str) -> str | None:
        """The secret that a name or ARN (with ``:key::`` as ECS writes it) means."""
        name = reference
        if reference.startswith(self.base):
            name = reference.removeprefix(self.base).split(":")[0]
            name = name.removesuffix("-AbCdEf")
        return name if name in self.values else None

    def _find(self, p: Json) -> Json:
        name = self.name_of(p["SecretId"])
        if name is None:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return {"ARN": f"{self.base}{name}-AbCdEf", "Name": name}

    def describe_secret(self, p: Json) -> Json:
        found = self._find(p)
        deleted = self.deleted.get(found["Name"])
        return {**found, "CreatedDate": self.clock.stamp, **({"DeletedDate": deleted} if deleted else {})}

    def delete_secret(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"""
        found = self._find(p)
        self.deleted[found["Name"]] = self.clock.stamp
        return {**found, "DeletionDate": self.clock.stamp + 86_400 * p.get("RecoveryWindowInDays", 30)}

    def restore_secret(self, p: Json) -> Json:
        found = self._find(p)
        self.deleted.pop(found["Name"], None)
        return found

    def get_secret_value(self, p: Json) -> Json:
        found = self._find(p)
        if found["Name"] in self.deleted:
            raise AwsError("InvalidRequestException", "You can't perform this operation on the secret because it was "
                           "marked for deletion.")  # fmt: skip
        return {**found, "SecretString": self.values[found["Name"]], "VersionId": "1", "VersionStages": ["AWSCURRENT"]}


class Ssm:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html"""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get_parameters(self, p: Json) -> Json:
        known = [name for name in p["Names"] if name in self.values]
        found = [{"Name": name, "Type": "SecureString", "Value": self.values[name], "Version": 1} for name in known]
        return {"Parameters": found, "InvalidParameters": [n for n in p["Names"] if n not in self.values]}


@dataclass(frozen=True)
class Line:
    group: str
    stream: str
    at: int
    text: str
    number: int


class Logs:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""

    def __init__(self, clock: VirtualClock, region: str, account: str) -> None:
        self.clock, self.base = clock, f"arn:aws:logs:{region}:{account}:log-group:"
        self.groups: list[str] = []
        self.lines: list[Line] = []

    def write(self, group: str, stream: str, lines: list[str]) -> None:
        """``lines`` are written now, a millisecond apart; the group is there from the first on."""
        if group not in self.groups:
            self.groups.append(group)
        start = int(self.clock.stamp * 1000)
        self.lines += [Line(group, stream, start + i, text, len(self.lines) + i) for i, text in enumerate(lines)]

    def _of(self, p: Json) -> list[Line]:
        if p["logGroupName"] not in self.groups:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        since, until = p.get("startTime", 0), p.get("endTime", 1 << 62)
        return [line for line in self.lines if line.group == p["logGroupName"] and since <= line.at < until]

    def get_log_events(self, p: Json) -> Json:
        lines = [line for line in self._of(p) if line.stream == p["logStreamName"]]
        if not any(line.stream == p["logStreamName"] for line in self.lines):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        limit, token = p.get("limit", 10_000), p.get("nextToken", "")
        start = int(token[2:]) if token else 0 if p.get("startFromHead") else max(0, len(lines) - limit)
        shown = lines[start : start + limit]
        events = [{"timestamp": line.at, "message": line.text, "ingestionTime": line.at} for line in shown]
        forward = f"f/{start + len(shown)}"
        return {"events": events, "nextForwardToken": forward, "nextBackwardToken": f"b/{max(0, start - limit)}"}

    def filter_log_events(self, p: Json) -> Json:
        streams, prefix = p.get("logStreamNames"), p.get("logStreamNamePrefix", "")
        pattern = p.get("filterPattern", "").strip('"')
        lines = [
            line
            for line in sorted(self._of(p), key=lambda line: (line.at, line.number))
            if (not streams or line.stream in streams) and line.stream.startswith(prefix) and pattern in line.text
        ]
        start, limit = int(p.get("nextToken") or 0), p.get("limit", 10_000)
        events = [
            {
                "logStreamName": line.stream,
                "timestamp": line.at,
                "message": line.text,
                "ingestionTime": line.at,
                "eventId": f"{line.number:056d}",
            }
            for line in lines[start : start + limit]
        ]
        answer: Json = {"events": events, "searchedLogStreams": []}
        if start + limit < len(lines):
            answer["nextToken"] = str(start + limit)
        return answer

    def describe_log_groups(self, p: Json) -> Json:
        prefix = p.get("logGroupNamePrefix", "")
        found = [name for name in sorted(self.groups) if name.startswith(prefix)]
        return {"logGroups": [{"logGroupName": name, "arn": f"{self.base}{name}:*"} for name in found]}

    def describe_log_streams(self, p: Json) -> Json:
        prefix = p.get("logStreamNamePrefix", "")
        names = dict.fromkeys(line.stream for line in self._of(p) if line.stream.startswith(prefix))
        return {"logStreams": [{"logStreamName": name} for name in names]}
