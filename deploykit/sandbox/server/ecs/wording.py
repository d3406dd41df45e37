"""The sentences ECS writes: service events, reasons of stopped tasks and of deployments.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

# Events of a service.
STARTED = "has started {count} tasks: {tasks}."
STOPPED = "has stopped {count} running tasks: {tasks}."
DRAINING = "has begun draining connections on {count} tasks."
REGISTERED = "registered {count} targets in (target-group {group})"
DEREGISTERED = "deregistered {count} targets in (target-group {group})"
UNHEALTHY = "(port {port}) is unhealthy in (target-group {group}) due to (reason {reason})."
UNABLE_TO_START = (
    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of "
    "the Amazon ECS Developer Guide."
)
DEPLOYMENT_FAILED = "(deployment {deployment}) deployment failed: tasks failed to start."
DEPLOYMENT_COMPLETED = "(deployment {deployment}) deployment completed."
STEADY = "has reached a steady state."
ROLLING_BACK = "rolling back to deployment {deployment}."

# Why a deployment is in its state.
IN_PROGRESS = "ECS deployment {deployment} in progress."
COMPLETED = "ECS deployment {deployment} completed."
BREAKER_FAILED = "ECS deployment circuit breaker: tasks failed to start."

# Why a task stopped.
ESSENTIAL_EXITED = "Essential container in task exited"
FAILED_ELB = "Task failed ELB health checks in (target-group {group})"
SCALING = "Scaling activity initiated by (deployment {deployment})"
NOT_FOUND = (
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
    "{image}: {image}: not found"
)
CANNOT_PULL = "CannotPullContainerError: failed to pull image {image}: {detail}"
CANNOT_START = "CannotStartContainerError: {detail}"
INTERNAL = "InternalError: {detail}"
NOT_RETRIEVED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
    "unable to retrieve secret from asm: service call has been retried 1 time(s): {detail}"
)
NO_LOG_GROUP = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
    "to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. ({group})"
)
NO_ROLE = (
    "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role "
    "being passed has the proper trust relationship and permissions and that your IAM user has permissions to "
    "pass this role."
)
