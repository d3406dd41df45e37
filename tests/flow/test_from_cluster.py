"""A configuration out of a cluster that deploykit did not make: its services and their images."""

from __future__ import annotations

from tests.flow.adopting_kit import CLUSTER, Account, account, two_services
from tests.flow.raw_platform import container

__all__ = ["account"]


def test_two_services_behind_a_distribution_are_filled_in(account: Account) -> None:
    distribution = two_services(account.platform)
    done = account.adopt()
    assert done.code == 0
    assert done.document["services"] == ["api", "web"]
    found = account.configuration
    assert (found.project.name, found.region, found.environment) == ("harbour", "us-east-1", "dev")
    assert (found.account, found.cluster, found.url) == ("108581769167", CLUSTER, "https://harbour.example")
    api, web = found.services["api"], found.services["web"]
    assert (api.context, api.repository, api.service) == ("api", "harbour/api", "dev-harbour-api")
    assert (api.container, api.release_env) == ("api", "GIT_SHA")
    assert (web.context, web.repository, web.service) == ("web", "harbour/web", "dev-harbour-web")
    assert (web.container, web.release_env) == ("app", None)
    assert [(cdn.distribution, cdn.paths, cdn.after) for cdn in found.cdn.values()] == [
        (distribution, ("/*",), ("api", "web"))
    ]
    assert [(e.id, e.path, e.service) for e in found.checks.endpoints] == [
        ("api-health", "/api/health", "api"),
        ("web-health", "/health", "web"),
    ]
    assert not any(service.depends_on for service in found.services.values())
    local = {key: (s.port, s.routes, s.health_check, s.count) for key, s in found.local.services.items()}
    assert local == {"api": (3001, ("/api/*",), "/api/health", 2), "web": (3000, (), "/health", 2)}


def test_what_had_to_be_guessed_is_marked_and_the_rest_is_not(account: Account) -> None:
    two_services(account.platform)
    done = account.adopt()
    guessed = [line.split("  #")[0].strip() for line in account.text.splitlines() if "# guessed: " in line]
    assert guessed == [
        "[environments.dev]",
        'context = "api"',
        'release_env = "GIT_SHA"',
        'context = "web"',
        'paths = ["/*"]',
        'after = ["api", "web"]',
    ]
    assert done.document["guesses"] == len(guessed)
    assert f"{len(guessed)} comments with `guessed:`" in done.people
    assert account.about('# release_env = "GIT_SHA"').endswith("none of its variables looks like one")
    assert "# its logs: /ecs/api" in account.text
    assert max(map(len, account.text.splitlines())) <= 120


def test_a_worker_without_a_load_balancer_has_no_endpoint_and_empties_no_cache(account: Account) -> None:
    two_services(account.platform)
    image = account.platform.image("harbour/mailer", "1")
    account.platform.service("dev-harbour-mailer", [container("mailer", image)], count=0)
    account.adopt()
    found = account.configuration
    assert list(found.services) == ["api", "web", "mailer"]
    assert "mailer" not in {endpoint.service for endpoint in found.checks.endpoints}
    assert found.cdn["site"].after == ("api", "web")
    assert "mailer" not in found.local.services
    assert "no folder with a Dockerfile has a similar name" in account.about('context = "mailer"')
    assert "# its desired count is 0 now, so a release starts no task" in account.text


def test_of_two_containers_the_one_with_our_image_is_released_and_the_other_left_alone(account: Account) -> None:
    platform = account.platform
    group = platform.group("api", 8080, "/health")
    platform.balancer("harbour", default=group)
    proxy = container("proxy", "public.ecr.aws/nginx/nginx:1.27", port=8080)
    platform.service(
        "dev-harbour-api", [proxy, container("app", platform.image("harbour/api", "7"))], group=(group, "proxy", 8080)
    )
    account.adopt()
    service = account.configuration.services["api"]
    assert (service.container, service.repository) == ("app", "harbour/api")
    assert "# beside it, left alone: proxy (public.ecr.aws/nginx/nginx:1.27)" in account.text
    assert "guessed" not in account.about('container = "app"')


def test_of_two_containers_with_our_images_the_choice_is_a_guess(account: Account) -> None:
    platform = account.platform
    group = platform.group("api", 8080)
    platform.balancer("harbour", default=group)
    proxy, app = (container(name, platform.image(f"harbour/{name}", "1"), port=8080) for name in ("proxy", "app"))
    platform.service("dev-harbour-api", [proxy, app], group=(group, "app", 8080))
    account.adopt()
    assert account.configuration.services["api"].repository == "harbour/app"
    line = account.about('container = "app"')
    assert line.endswith("# guessed: proxy runs an image of this account's ECR too")


def test_services_that_run_one_image_build_it_once(account: Account) -> None:
    two_services(account.platform)
    host = "108581769167.dkr.ecr.us-east-1.amazonaws.com"
    account.platform.service("dev-harbour-jobs", [container("api", f"{host}/harbour/api:1a2b3c4")])
    account.platform.image("harbour/api", "older")
    account.platform.service("dev-harbour-mailer", [container("api", f"{host}/harbour/api:older")])
    account.adopt()
    found = account.configuration.services
    assert (found["jobs"].image, found["jobs"].context, found["jobs"].repository) == ("api", None, "harbour/api")
    assert found["jobs"].container == "api"
    alike, older = [line for line in account.text.splitlines() if line.startswith('image = "api"')]
    assert "guessed" not in alike
    assert older == 'image = "api"'
    assert "# guessed: both run images of harbour/api, with different tags now" in account.text


def test_services_that_ecs_does_not_roll_out_are_left_out_and_named(account: Account) -> None:
    two_services(account.platform)
    for controller in ("CODE_DEPLOY", "EXTERNAL"):
        name = f"dev-harbour-{controller.lower()}"
        image = account.platform.image(f"harbour/{controller.lower()}", "1")
        account.platform.service(name, [container("blue", image)], controller=controller)
    account.platform.service("dev-harbour-admin", [container("pgadmin", "dpage/pgadmin4:8")])
    done = account.adopt()
    assert sorted(account.configuration.services) == ["api", "web"]
    assert [one["service"] for one in done.document["left_out"]] == [
        "dev-harbour-code_deploy",
        "dev-harbour-external",
        "dev-harbour-admin",
    ]
    assert "# left out: dev-harbour-external, because it is under the EXTERNAL controller" in account.text
    assert "left out dev-harbour-admin: its container pgadmin runs dpage/pgadmin4:8" in done.people


def test_a_cluster_with_nothing_to_release_leaves_no_file(account: Account) -> None:
    account.platform.service(
        "blue", [container("x", account.platform.image("harbour/x", "1"))], controller="CODE_DEPLOY"
    )
    done = account.adopt()
    assert done.code == 5
    assert "blue: it is under the CODE_DEPLOY controller" in done.document["error"]["message"]
    assert not (account.folder / "deploykit.toml").exists()


def test_more_services_than_one_call_or_page_holds_are_all_there(account: Account) -> None:
    platform = account.platform
    platform.service("first", [container("app", platform.image("harbour/api", "1"))], count=0)
    for number in range(110):
        platform.ecs.create_service(
            cluster=CLUSTER, serviceName=f"queue-{number:03}", taskDefinition="first", desiredCount=0
        )
    done = account.adopt()
    assert len(account.configuration.services) == 111
    assert (done.count("ListServices"), done.count("DescribeServices")) == (2, 12)
    assert done.count("DescribeTaskDefinition") == 1
