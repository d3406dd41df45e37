"""Where users reach what a cluster runs, and the first endpoints of its checks."""

from __future__ import annotations

from tests.flow.adopting_kit import Account, account, two_services
from tests.flow.raw_platform import container

__all__ = ["account"]


def test_without_a_distribution_the_url_is_the_load_balancers_own(account: Account) -> None:
    two_services(account.platform, cdn=False)
    account.adopt()
    found = account.configuration
    assert found.url == "http://harbour-2.us-east-1.elb.amazonaws.com"
    assert found.cdn == {}


def test_a_distribution_without_an_alias_is_reached_at_its_domain(account: Account) -> None:
    two_services(account.platform, cdn=False)
    distribution = account.platform.distribution("harbour-2.us-east-1.elb.amazonaws.com")
    account.platform.distribution("other.example", "other.example")
    account.adopt()
    assert account.configuration.url == f"https://{distribution.lower()}.cloudfront.net"
    assert [cdn.distribution for cdn in account.configuration.cdn.values()] == [distribution]


def test_distributions_that_reach_the_load_balancer_by_another_name_are_offered(account: Account) -> None:
    two_services(account.platform, cdn=False)
    other = account.platform.distribution("origin.harbour.example", "harbour.example")
    account.adopt()
    assert account.configuration.cdn == {}
    assert f'# distribution = "{other}"' in account.text
    assert f"{other} (harbour.example, origin origin.harbour.example)" in account.text.replace("\n# ", " ")


def test_a_health_path_that_users_reach_another_service_by_is_no_endpoint(account: Account) -> None:
    two_services(account.platform, health="/health")
    account.adopt()
    assert [(e.path, e.service) for e in account.configuration.checks.endpoints] == [("/health", "web")]
    said = account.text.replace("\n# ", " ")
    asked = "its load balancer asks each task for /health, but /health at https://harbour.example is answered by web"
    assert asked in said
    assert '# path = "/api/health"' in account.text


def test_services_with_hosts_of_their_own_are_asked_there(account: Account) -> None:
    platform = account.platform
    site, api = platform.group("site", 80, "/"), platform.group("api", 80, "/up")
    balancer = platform.balancer("harbour")
    for group, host in ((site, "www.harbour.example"), (api, "api.harbour.example")):
        platform.rule(balancer["Listener"], group, hosts=[host])
    platform.service("web", [container("web", platform.image("harbour/web", "1"), port=80)], group=(site, "web", 80))
    platform.service("api", [container("api", platform.image("harbour/api", "1"), port=80)], group=(api, "api", 80))
    account.adopt()
    found = account.configuration
    endpoints = {e.service: e.address(str(found.url)) for e in found.checks.endpoints}
    assert endpoints == {"api": "http://api.harbour.example/up", "web": "http://www.harbour.example/"}


def test_nothing_is_claimed_about_what_could_not_be_read(account: Account) -> None:
    two_services(account.platform)
    for service, operation in (("cloudfront", "ListDistributions"), ("elbv2", "DescribeRules")):
        account.sim.faults.deny(operation, service=service)
    account.adopt()
    assert "# guessed: " in account.about("url = ")
    assert len([line for line in account.text.splitlines() if "the rules by which users get there" in line]) == 2
