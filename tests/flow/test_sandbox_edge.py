"""The sandbox's edge caches, and is emptied, as CloudFront is."""

from __future__ import annotations

import time
import uuid

import pytest

from tests.flow.sandbox_kit import DISTRIBUTION, HOST, Sandbox, sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.sandbox
HIT, MISS = "Hit from cloudfront", "Miss from cloudfront"


def _invalidate(sandbox: Sandbox, *paths: str, reference: str = "") -> str:
    batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference or uuid.uuid4().hex}
    made = sandbox.client("cloudfront").create_invalidation(DistributionId=DISTRIBUTION, InvalidationBatch=batch)
    return str(made["Invalidation"]["Id"])


@pytest.fixture
def site(sandbox: Sandbox) -> Sandbox:
    if '"version"' not in sandbox.direct("/version")[2]:
        sandbox.well("test-site")
    _invalidate(sandbox, "/*")
    return sandbox


def _seen(sandbox: Sandbox, path: str, method: str = "GET") -> str:
    return sandbox.edge(path, method)[1]["x-cache"]


def test_an_answer_without_cache_control_is_kept_until_it_is_invalidated(site: Sandbox) -> None:
    first = site.edge("/page")
    time.sleep(1.1)
    second = site.edge("/page")
    assert (first[1]["x-cache"], second[1]["x-cache"]) == (MISS, HIT)
    assert first[2] == second[2]
    assert "age" not in first[1]
    assert int(second[1]["age"]) >= 1
    assert _seen(site, "/page", "HEAD") == HIT
    _invalidate(site, "/other")
    assert _seen(site, "/page") == HIT
    _invalidate(site, "/pa*")
    assert _seen(site, "/page") == MISS


def test_post_goes_through_and_a_query_string_is_another_object(site: Sandbox) -> None:
    assert [_seen(site, "/page?a=1"), _seen(site, "/page?a=2"), _seen(site, "/page?a=1")] == [MISS, MISS, HIT]
    assert [_seen(site, "/page?a=1", "POST"), _seen(site, "/page?a=1", "POST")] == [MISS, MISS]


def test_the_origins_cache_control_decides(site: Sandbox) -> None:
    assert [_seen(site, "/fresh"), _seen(site, "/fresh")] == [MISS, MISS]
    assert [_seen(site, "/short"), _seen(site, "/short")] == [MISS, HIT]
    time.sleep(1.2)
    assert _seen(site, "/short") == MISS


def test_an_error_is_kept_for_a_while(site: Sandbox) -> None:
    first, second = site.edge("/a/status?503"), site.edge("/a/status?503")
    assert first[0] == second[0] == 503
    assert first[1]["x-cache"] == second[1]["x-cache"] == "Error from cloudfront"
    assert "age" in second[1]
    assert "age" not in site.edge("/a/status?403")[1]
    assert "age" not in site.edge("/a/status?403")[1]


def test_the_host_of_the_url_leads_to_the_distribution_and_an_unknown_one_nowhere(site: Sandbox) -> None:
    assert site.edge("/page")[0] == 200
    assert site.request(site.running.connect_to, "GET", "/page")[0] == 200
    status, headers, _ = site.request(site.running.connect_to, "GET", "/page", host="stranger.example")
    assert (status, headers["server"]) == (403, "CloudFront")
    assert "x-cache" not in site.direct("/page")[1]


def test_an_invalidation_takes_a_moment_and_its_caller_reference_is_idempotent(site: Sandbox) -> None:
    cloudfront = site.client("cloudfront")
    reference = uuid.uuid4().hex
    first = _invalidate(site, "/a", "/b", reference=reference)
    assert _invalidate(site, "/a", "/b", reference=reference) == first
    with pytest.raises(cloudfront.exceptions.ClientError, match="InvalidationBatchAlreadyExists"):
        _invalidate(site, "/c", reference=reference)
    found = cloudfront.get_invalidation(DistributionId=DISTRIBUTION, Id=first)["Invalidation"]
    assert found["Status"] == "InProgress"
    time.sleep(1.1)
    found = cloudfront.get_invalidation(DistributionId=DISTRIBUTION, Id=first)["Invalidation"]
    assert found["Status"] == "Completed"


def test_what_cloudfront_refuses_is_refused(site: Sandbox) -> None:
    cloudfront = site.client("cloudfront")
    time.sleep(1.1)
    with pytest.raises(cloudfront.exceptions.InvalidArgument):
        _invalidate(site, "no-slash")
    with pytest.raises(cloudfront.exceptions.InvalidArgument):
        _invalidate(site, "#tag")
    with pytest.raises(cloudfront.exceptions.TooManyInvalidationsInProgress):
        _invalidate(site, *(f"/{n}/*" for n in range(16)))
    with pytest.raises(cloudfront.exceptions.TooManyInvalidationsInProgress):
        _invalidate(site, *(f"/{n}" for n in range(3001)))
    with pytest.raises(cloudfront.exceptions.InconsistentQuantities):
        cloudfront.create_invalidation(DistributionId=DISTRIBUTION, InvalidationBatch={
            "Paths": {"Quantity": 2, "Items": ["/a"]}, "CallerReference": uuid.uuid4().hex})  # fmt: skip
    with pytest.raises(cloudfront.exceptions.NoSuchDistribution):
        cloudfront.get_distribution(Id="ENOBODY")


def test_a_stale_edge_can_be_made_and_the_next_invalidation_cures_it(site: Sandbox) -> None:
    old = site.edge("/page")[2]
    assert site.own("PUT", "faults", {"edge": "keep"}) == {"faults": [], "edge": "keep"}
    _invalidate(site, "/*")
    assert site.edge("/page")[2] == old
    assert site.own("GET", "faults")["edge"] is None
    _invalidate(site, "/*")
    assert site.edge("/page")[2] != old


def test_the_load_balancer_tells_the_application_who_asks(site: Sandbox) -> None:
    import json

    seen = json.loads(site.direct("/headers")[2])
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["host"] == HOST
