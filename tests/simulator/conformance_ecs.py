"""The part of the conformance script that is about ECS: one service, taken through everything that can happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulator.conformance_world import Seen, World, word

Json = dict[str, Any]
ONGOING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


class EcsScript:
    """Runs the calls and notes what came of them in ``seen``."""

    def __init__(self, ecs: Any, world: World, seen: Seen) -> None:
        self.ecs, self.world, self.seen = ecs, world, seen
        self.name = f"{world.prefix}-service"
        self.family = f"{world.prefix}-family"
        self.place: Json = {"cluster": world.cluster, "service": self.name}

    def run(self) -> None:
        good = self.definitions()
        self.first(good)
        better = self.refusals(good)
        self.second(better)
        self.crash(better)
        self.stopped(better)
        self.superseded(good, better)
        self.tasks()
        self.ecs.delete_service(**self.place, force=True)

    def note(self, label: str, saw: object) -> None:
        self.seen.append((label, str(saw)))

    # -- what the steps are made of --------------------------------------------------------------------------------

    def register(self, image: str) -> str:
        container = {"name": "main", "image": image, "essential": True, **self.world.container}
        body = {"family": self.family, "cpu": "256", "memory": "512", **self.world.definition}
        answer = self.ecs.register_task_definition(**body, containerDefinitions=[container])
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def update(self, definition: str) -> str:
        """UpdateService; returns the id of the new PRIMARY deployment."""
        answer = self.ecs.update_service(**self.place, taskDefinition=definition)
        return str(next(d["id"] for d in answer["service"]["deployments"] if d["status"] == "PRIMARY"))

    def service(self) -> Json:
        found: Json = self.ecs.describe_services(cluster=self.world.cluster, services=[self.name])["services"][0]
        return found

    def primary(self) -> Json:
        found: Json = next(d for d in self.service()["deployments"] if d["status"] == "PRIMARY")
        return found

    def until(self, true: Callable[[], object]) -> bool:
        """Let time pass until ``true()``, for at most the world's patience."""
        waited = 0.0
        while not true():
            if waited >= self.world.patience:
                return False
            self.world.pass_time(self.world.step)
            waited += self.world.step
        return True

    def watch(self, deployment: str) -> str:
        """The deployment's rollout states in order, each once, until it ends and the service is at rest."""
        states: list[str] = []

        def at_rest() -> bool:
            service = self.service()
            for entry in service["deployments"]:
                if entry["id"] == deployment and entry["rolloutState"] not in states[-1:]:
                    states.append(entry["rolloutState"])
            only = len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"
            return only and bool(states) and service["runningCount"] == service["desiredCount"]

        self.until(at_rest)
        return " ".join(states)

    def newest(self) -> Json:
        brief = self.ecs.list_service_deployments(**self.place)["serviceDeployments"]
        newest = max(brief, key=lambda entry: entry["createdAt"])
        return self.record(newest["serviceDeploymentArn"])

    def record(self, arn: str) -> Json:
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        found: Json = answer["serviceDeployments"][0]
        return found

    def ended(self, arn: str) -> str:
        """The service deployment's status once it is final."""
        self.until(lambda: self.record(arn)["status"] not in ONGOING)
        return str(self.record(arn)["status"])

    def listed(self, status: str) -> list[Json]:
        cluster = self.world.cluster
        arns = self.ecs.list_tasks(cluster=cluster, serviceName=self.name, desiredStatus=status)["taskArns"]
        return list(self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []

    # -- the steps -------------------------------------------------------------------------------------------------

    def definitions(self) -> str:
        good = self.register(self.world.good)
        describe = self.ecs.describe_task_definition
        self.note("a registered revision", describe(taskDefinition=good)["taskDefinition"]["status"])
        self.note("an unknown revision", word(lambda: describe(taskDefinition=f"{self.family}:99999")))
        self.note("an unknown family", word(lambda: describe(taskDefinition=f"{self.family}-nothing")))
        self.ecs.tag_resource(resourceArn=good, tags=[{"key": "sha", "value": "abc"}])
        tags = describe(taskDefinition=good, include=["TAGS"])["tags"]
        self.note("tags of a revision, set later", " ".join(f"{tag['key']}={tag['value']}" for tag in tags))
        return good

    def first(self, good: str) -> None:
        breaker = {"enable": True, "rollback": True}
        settings = {"deploymentCircuitBreaker": breaker, "minimumHealthyPercent": 100, "maximumPercent": 200}
        answer = self.ecs.create_service(
            cluster=self.world.cluster,
            serviceName=self.name,
            taskDefinition=good,
            desiredCount=2,
            deploymentConfiguration=settings,
            **self.world.service,
        )
        self.note("first rollout", self.watch(answer["service"]["deployments"][0]["id"]))

    def refusals(self, good: str) -> str:
        ecs, cluster = self.ecs, self.world.cluster
        missing = ecs.describe_services(cluster=cluster, services=[f"{self.name}-nothing"])
        self.note("a missing service", missing["failures"][0]["reason"])
        nowhere = {"cluster": cluster, "service": f"{self.name}-nothing", "taskDefinition": good}
        self.note("update of a missing service", word(lambda: ecs.update_service(**nowhere)))
        elsewhere = {"cluster": f"{self.world.prefix}-nothing", "services": [self.name]}
        self.note("a missing cluster", word(lambda: ecs.describe_services(**elsewhere)))
        eleven = {"cluster": cluster, "services": [self.name] * 11}
        self.note("eleven services in one call", word(lambda: ecs.describe_services(**eleven)))
        self.note("update to an unknown revision", word(lambda: self.update(f"{self.family}:99999")))
        gone, better = self.register(self.world.good), self.register(self.world.better)
        ecs.deregister_task_definition(taskDefinition=gone)
        found = ecs.describe_task_definition(taskDefinition=gone)["taskDefinition"]
        self.note("a deregistered revision", found["status"])
        found = ecs.describe_task_definition(taskDefinition=self.family)["taskDefinition"]
        newest = found["taskDefinitionArn"] == better
        self.note("the family goes on with", "the newest active" if newest else found["taskDefinitionArn"])
        # AWS may let it through for up to ten minutes after the deregistration; there, wait before this step.
        self.note("update to a deregistered revision", word(lambda: self.update(gone)))
        return better

    def second(self, better: str) -> None:
        old = {task["taskArn"] for task in self.listed("RUNNING")}
        deployment = self.update(better)
        self.note("second rollout", self.watch(deployment))
        self.note("its service deployment", self.ended(self.newest()["serviceDeploymentArn"]))
        tasks = self.listed("RUNNING")
        mine = {task["startedBy"] for task in tasks} == {deployment}
        self.note("its tasks were started by", "the deployment" if mine else [task["startedBy"] for task in tasks])
        groups = {task["group"] for task in tasks}
        self.note("its tasks' group", "the service" if groups == {f"service:{self.name}"} else groups)
        digests = all(task["containers"][0].get("imageDigest", "").startswith("sha256:") for task in tasks)
        self.note("its tasks show a digest", "yes" if digests else "no")
        codes = {task.get("stopCode", "none") for task in self.listed("STOPPED") if task["taskArn"] in old}
        self.note("the old tasks' stop code", " ".join(sorted(codes)))
        self.note("deployments left", len(self.service()["deployments"]))

    def crash(self, before: str) -> None:
        deployment = self.update(self.register(self.world.crashing))
        self.note("crash loop under a breaker", self.watch(deployment))
        self._came_back("who is PRIMARY then", before)
        self.note("its service deployment ends", self.ended(self.newest()["serviceDeploymentArn"]))
        crashed = [task for task in self.listed("STOPPED") if task["startedBy"] == deployment]
        # With two tasks at once, the one that had not ended yet is stopped by the scheduler.
        own = [task for task in crashed if task.get("stopCode") != "ServiceSchedulerInitiated"]
        self.note("the crashed tasks' stop code", " ".join(sorted({task.get("stopCode", "none") for task in own})))
        exits = {str(task["containers"][0].get("exitCode", "none")) for task in own}
        self.note("the crashed tasks' exit code", " ".join(sorted(exits)))
        failed = [entry for entry in self.service()["deployments"] if entry["rolloutState"] == "FAILED"]
        self.note("failed deployments left", len(failed))

    def _came_back(self, label: str, before: str) -> None:
        running = self.primary()["taskDefinition"]
        self.note(label, "the one before" if running == before else running)

    def stopped(self, before: str) -> None:
        stop = self.ecs.stop_service_deployment
        finished = self.newest()["serviceDeploymentArn"]
        again = word(lambda: stop(serviceDeploymentArn=finished, stopType="ROLLBACK"))
        self.note("stopping a finished service deployment", again)
        unknown = finished.rpartition("/")[0] + "/AAAAAAAAAAAAAAAAAAAAA"
        self.note("stopping an unknown one", word(lambda: stop(serviceDeploymentArn=unknown, stopType="ROLLBACK")))
        self.update(self.register(self.world.crashing))
        arn = self.newest()["serviceDeploymentArn"]
        stop(serviceDeploymentArn=arn, stopType="ROLLBACK")
        self.note("stopping one under way", self.ended(arn))
        self._came_back("what runs after the stop", before)

    def superseded(self, first: str, then: str) -> None:
        self.update(first)
        arn = self.newest()["serviceDeploymentArn"]
        deployment = self.update(then)
        self.note("a superseded service deployment", self.ended(arn))
        self.note("what superseded it", self.watch(deployment))

    def tasks(self) -> None:
        ecs, cluster = self.ecs, self.world.cluster
        unknown = "0" * 32
        self.note("stopping an unknown task", word(lambda: ecs.stop_task(cluster=cluster, task=unknown)))
        missing = ecs.describe_tasks(cluster=cluster, tasks=[unknown])["failures"]
        self.note("a missing task", missing[0]["reason"])
        victim = self.listed("RUNNING")[0]["taskArn"]
        ecs.stop_task(cluster=cluster, task=victim)
        found = ecs.describe_tasks(cluster=cluster, tasks=[victim])["tasks"][0]
        self.note("a task stopped by hand", found.get("stopCode"))

        def replaced() -> bool:
            running = [task for task in self.listed("RUNNING") if task["lastStatus"] == "RUNNING"]
            return len(running) == 2 and all(task["taskArn"] != victim for task in running)

        self.note("its replacement makes", "as many as desired" if self.until(replaced) else "too few")
