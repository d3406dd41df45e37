"""The calls of the simulated ECS about tasks and service deployments."""

from __future__ import annotations

import re
from typing import Any

from tests.simulator.ecs_api import ServiceCalls, page
from tests.simulator.ecs_rollout import ONGOING
from tests.simulator.ecs_state import Service, Task
from tests.simulator.ecs_views import definition_view, record_brief, record_view, task_view
from tests.simulator.errors import AwsError

Json = dict[str, Any]


class EcsApi(ServiceCalls):
    """The whole ECS."""

    def _find_task(self, reference: str) -> Task | None:
        wanted = reference.rpartition("/")[2]
        return next((task for task in self.state.tasks.values() if task.id == wanted), None)

    def list_tasks(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html"""
        cluster = self.state.cluster(p.get("cluster"))
        if p.get("startedBy") and any(p.get(other) for other in ("serviceName", "family", "desiredStatus")):
            # "When you specify startedBy as the filter, it must be the only filter that you use."
            raise AwsError("InvalidParameterException", "startedBy must be the only filter.")
        service = self.state.service(cluster, p["serviceName"]) if p.get("serviceName") else None
        status = p.get("desiredStatus", "RUNNING")
        arns = [
            task.arn
            for task in self.state.tasks.values()
            if task.cluster == cluster
            and (service is None or task.service is service)
            and task.desired_status == status
            and p.get("family") in (None, task.definition.family)
            and p.get("startedBy") in (None, task.started_by)
        ]
        return page(arns, p, "taskArns")

    def describe_tasks(self, p: Json) -> Json:
        cluster = self.state.cluster(p.get("cluster"))
        if len(p["tasks"]) > 100:
            raise AwsError("InvalidParameterException", "Tasks cannot contain more than 100 elements.")
        found, failures = [], []
        for reference in p["tasks"]:
            task = self._find_task(reference)
            if task is None or task.cluster != cluster:
                arn = reference if reference.startswith("arn:") else self.state.arn("task", f"{cluster}/{reference}")
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(task_view(self.state, task, "TAGS" in p.get("include", [])))
        return {"tasks": found, "failures": failures}

    def update_task_protection(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html

        Two hours by default, two days at most; only tasks of services can be protected.
        """
        self.state.cluster(p.get("cluster"))
        found, failures = [], []
        minutes = int(p.get("expiresInMinutes") or 120)
        if not 1 <= minutes <= 2880:
            raise AwsError("InvalidParameterException", "expiresInMinutes must be between 1 and 2880.")
        for reference in p["tasks"]:
            task = self._find_task(reference)
            if task is None or task.service is None or task.desired_status != "RUNNING":
                reason = "TASK_NOT_VALID" if task else "MISSING"
                failures.append({"arn": reference, "reason": reason})
                continue
            task.protected_until = self.state.clock.stamp + minutes * 60 if p["protectionEnabled"] else None
            service = task.service
            self.state.clock.after(minutes * 60, lambda service=service: self.scheduler.reconcile(service))  # type: ignore[misc]
            if not p["protectionEnabled"]:
                self.scheduler.reconcile(service)
            found.append(self._protection(task))
        return {"protectedTasks": found, "failures": failures}

    def get_task_protection(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html"""
        cluster = self.state.cluster(p.get("cluster"))
        tasks = [self._find_task(reference) for reference in p["tasks"]]
        return {"protectedTasks": [self._protection(t) for t in tasks if t and t.cluster == cluster], "failures": []}

    def _protection(self, task: Task) -> Json:
        view: Json = {"taskArn": task.arn, "protectionEnabled": self.state.protected(task)}
        if self.state.protected(task):
            view["expirationDate"] = task.protected_until
        return view

    def stop_task(self, p: Json) -> Json:
        self.state.cluster(p.get("cluster"))
        task = self._find_task(p["task"])
        if task is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        self.tasks.stop(task, "UserInitiated", p.get("reason") or "Task stopped by user")
        if task.service is not None:
            self.scheduler.reconcile(task.service)
        return {"task": task_view(self.state, task, tags=False)}

    def interrupt(self, task_arn: str, code: str = "SpotInterruption", reason: str = "Spot Task interruption.") -> None:
        """For tests: AWS takes a task away (``stopCode`` SpotInterruption, InfrastructureHealth, …)."""
        with self.state.clock.lock:
            task = self.state.tasks[task_arn]
            self.tasks.stop(task, code, reason)
            if task.service is not None:
                self.scheduler.reconcile(task.service)

    def run_task(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html"""
        cluster = self.state.cluster(p.get("cluster"))
        count = int(p.get("count", 1))
        if not 1 <= count <= 10:
            raise AwsError("InvalidParameterException", "Count must be between 1 and 10.")
        token = p.get("clientToken")
        parameters = {key: value for key, value in p.items() if key != "clientToken"}
        if token:
            if len(token) > 64:
                raise AwsError("InvalidParameterException", "clientToken cannot be longer than 64 characters.")
            known = self._tokens.get((cluster, token))
            if known and self.state.clock.now - known[2] < 24 * 3600:
                if known[0] != parameters:
                    raise AwsError("ConflictException", f"clientToken was used with other parameters: {known[1]}")
                tasks = [self.state.tasks[arn] for arn in known[1] if arn in self.state.tasks]
                return {"tasks": [task_view(self.state, task, tags=False) for task in tasks], "failures": []}
        if p.get("launchType") and p.get("capacityProviderStrategy"):
            text = "Specifying both a launch type and capacity provider strategy is not supported."
            raise AwsError("InvalidParameterException", f"{text} Remove one and try again.")
        if not re.fullmatch(r"[A-Za-z0-9_/-]{0,128}", p.get("startedBy", "")):
            raise AwsError("InvalidParameterException", "startedBy can only contain letters, numbers, -, _ and /.")
        definition = self.state.usable_definition(p["taskDefinition"])
        if self.state.no_capacity:
            # "Each failure has its reason": https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Failure.html
            arn = self.state.arn("container-instance", cluster)
            return {"tasks": [], "failures": [{"arn": arn, "reason": self.state.no_capacity}] * count}
        tasks = []
        for _ in range(count):
            task = self.tasks.launch(cluster, definition, group=p.get("group"), started_by=p.get("startedBy"))
            task.overrides, task.tags = p.get("overrides", {}), list(p.get("tags", []))
            tasks.append(task)
        if token:
            self._tokens[cluster, token] = (parameters, [task.arn for task in tasks], self.state.clock.now)
        return {"tasks": [task_view(self.state, task, tags=False) for task in tasks], "failures": []}

    @property
    def _tokens(self) -> dict[tuple[str, str], tuple[Json, list[str], float]]:
        found: dict[tuple[str, str], tuple[Json, list[str], float]] = self.__dict__.setdefault("_client_tokens", {})
        return found

    # -- service deployments ---------------------------------------------------------------------------------------

    def list_service_deployments(self, p: Json) -> Json:
        service = self.state.service(self.state.cluster(p.get("cluster")), p["service"])
        wanted = p.get("status") or []
        briefs = [record_brief(record) for record in service.records if not wanted or record["status"] in wanted]
        return page(briefs, p, "serviceDeployments", default=20)

    def describe_service_deployments(self, p: Json) -> Json:
        found, failures = [], []
        for arn in p["serviceDeploymentArns"]:
            place = self._find_record(arn)
            if place is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(record_view(*place, self.state))
        return {"serviceDeployments": found, "failures": failures}

    def _find_record(self, arn: str) -> tuple[Service, Json] | None:
        for service in self.state.services.values():
            for record in service.records:
                if record["serviceDeploymentArn"] == arn:
                    return service, record
        return None

    def stop_service_deployment(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html

        One that is already stopping or rolling back is left to it; one that has finished is a conflict.
        """
        arn = p["serviceDeploymentArn"]
        place = self._find_record(arn)
        if place is None:
            raise AwsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")
        service, record = place
        if service.controller != "ECS":
            raise AwsError("UnsupportedFeatureException", "The deployment controller does not support this.")
        if record["status"] not in ONGOING:
            raise AwsError("ConflictException", f"The service deployment is in the {record['status']} state.")
        if record["status"] in ("PENDING", "IN_PROGRESS"):
            rollout = next(r for r in service.deployments if r.record is record)
            self.scheduler.request_rollback(service, rollout)
        return {"serviceDeploymentArn": arn}

    def continue_service_deployment(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContinueServiceDeployment.html"""
        place = self._find_record(p["serviceDeploymentArn"])
        if place is None:
            raise AwsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")
        service, record = place
        waiting = [hook for hook in record.get("lifecycleHookDetails", []) if hook["status"] == "AWAITING_ACTION"]
        if p["hookId"] not in [hook["hookId"] for hook in waiting]:
            raise AwsError("InvalidParameterException", "The lifecycle hook does not wait for an action.")
        rollout = next(r for r in service.deployments if r.record is record)
        if p.get("action", "CONTINUE") == "ROLLBACK":
            self.scheduler.request_rollback(service, rollout)
        else:
            self.scheduler.shifting.go_on(service, rollout)
        return {"serviceDeploymentArn": record["serviceDeploymentArn"]}

    def describe_service_revisions(self, p: Json) -> Json:
        found, failures = [], []
        for arn in p["serviceRevisionArns"]:
            service = next((s for s in self.state.services.values() if arn in s.revisions), None)
            if service is None:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            definition = service.revisions[arn]
            images = [
                {"containerName": c["name"], "image": c["image"]}
                for c in definition_view(self.state, definition)["containerDefinitions"]
            ]
            view: Json = {
                "serviceRevisionArn": arn,
                "serviceArn": service.arn,
                "clusterArn": self.state.arn("cluster", service.cluster),
                "taskDefinition": definition.arn,
                "containerImages": images,
                "loadBalancers": service.body.get("loadBalancers", []),
            }
            if arn in service.revision_groups:
                # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceRevisionLoadBalancer.html
                rule = service.body["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]
                resolved = {"targetGroupArn": service.revision_groups[arn], "productionListenerRule": rule}
                view["resolvedConfiguration"] = {"loadBalancers": [resolved]}
            found.append(view)
        return {"serviceRevisions": found, "failures": failures}
