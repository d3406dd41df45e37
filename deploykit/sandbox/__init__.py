"""A local AWS for the configuration at hand: real containers, a real registry, a real PostgreSQL, real HTTP.

Limits: what MiniStack or a single machine does not have.

* TLS: the site is reached over http; certificates are not checked.
* IAM: every call is allowed (server/faults.py makes one fail on request); iam:PassRole is not checked.
* Waits: health checks and the grace period are twenty times faster than configured.
* Networks: subnets and security groups are only names; containers reach the database and each other on Docker's
  bridge, but reach no AWS endpoint.
* ECS: container health checks, `dependsOn`, blue/green and canary deployments, Service Connect, ECS Exec, volumes,
  capacity (there is always room for a task), CPU and memory limits of a task, autoscaling.
* ECR: scan results, lifecycle policies, replication. CloudFront: functions, signed URLs, regional caches, the race
  between them; a wildcard inside a path. CodeDeploy, and the metrics that AWS itself publishes.
* State: nothing outlives the server; `up` after `down` starts empty.
"""
