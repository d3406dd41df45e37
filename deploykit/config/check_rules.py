"""What endpoints and the other checks require of each other and of the environment."""

from __future__ import annotations

from collections.abc import Iterator

from deploykit.config.locate import KeyPath
from deploykit.config.rule_view import Fault, Rule, RuleView
from deploykit.config.wording import shown


def _addresses(view: RuleView) -> Iterator[Fault]:
    for number, endpoint in view.endpoints:
        path: KeyPath = ("checks", "endpoints", number)
        if "path" in endpoint and "url" in endpoint:
            text = "cannot be set with path: an endpoint has a path under the environment's url, or a url of its own"
            yield (*path, "url"), text
        elif "path" not in endpoint and "url" not in endpoint:
            yield (*path, "path"), 'is missing: where to ask, such as "/health" (or url, for another host)'
        expect = endpoint.get("expect")
        address = endpoint.get("url", view.url)
        plain = isinstance(address, str) and address.startswith("http://")
        if plain and isinstance(expect, dict) and "certificate_days" in expect:
            yield (*path, "expect", "certificate_days"), f"needs https, but the address is {address}"
    relative = [item.get("id") for _, item in view.endpoints if "path" in item and "url" not in item]
    if relative and not view.url_given and "url" not in (view.tables.get("environment") or {}):
        some = ", ".join(str(identifier) for identifier in relative[:3]) + (" …" if len(relative) > 3 else "")
        yield ("environment", "url"), f"is missing: the address under which the endpoints' paths are asked ({some})"


def _versions(view: RuleView) -> Iterator[Fault]:
    for number, endpoint in view.endpoints:
        path: KeyPath = ("checks", "endpoints", number)
        service, version = endpoint.get("service"), endpoint.get("version")
        if isinstance(service, str) and (fault := view.no_service(service)):
            yield (*path, "service"), f'= "{service}": {fault}'
        if isinstance(version, dict):
            if len({"json", "header"} & set(version)) != 1 and set(version) <= {"json", "header"}:
                yield (*path, "version"), 'must say where: { json = "PATH" } or { header = "NAME" }, one of the two'
            if "service" not in endpoint and len(view.services) > 1:
                yield (*path, "service"), f"is missing: whose version it shows, one of {', '.join(view.services)}"


def _chances(view: RuleView) -> Iterator[Fault]:
    checks = view.tables.get("checks")
    if not isinstance(checks, dict):
        return
    noise, detect = checks.get("noise", 0.01), checks.get("detect", 0.33)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (noise, detect))
    if numbers and noise >= detect:
        key = "noise" if "noise" in checks else "detect"
        yield ("checks", key), f"= {checks[key]}: noise ({noise}) must be less than detect ({detect})"


def _windows(view: RuleView) -> Iterator[Fault]:
    checks = view.tables.get("checks")
    windows = checks.get("maintenance") if isinstance(checks, dict) else None
    for number, window in enumerate(windows if isinstance(windows, list) else []):
        begin, end = (window.get("from"), window.get("to")) if isinstance(window, dict) else (None, None)
        try:
            backwards = begin is not None and end is not None and end <= begin
        except TypeError:  # not two moments, or only one has a time zone: reported where types are checked
            continue
        if backwards:
            yield ("checks", "maintenance", number, "to"), f"= {shown(end)}: must be later than from ({shown(begin)})"


CHECK_RULES: tuple[Rule, ...] = (_addresses, _versions, _chances, _windows)
