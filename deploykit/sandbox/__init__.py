"""A local AWS for the configuration at hand: real containers, a real registry, a real PostgreSQL, real HTTP.

What it cannot show, because MiniStack or one machine has no such thing:

* TLS: the site is reached over http; certificates are not checked.
* IAM: every call is allowed (faults.py makes one fail on demand); who passes which role is not looked at.
* Waits: health checks, the grace period and deregistration are twenty times faster than configured.
* Networks: subnets and security groups are names; containers reach the database and each other on Docker's bridge,
  and no AWS endpoint.
* ECS: container health checks, `dependsOn`, blue/green and canary deployments, Service Connect, ECS Exec, volumes,
  capacity (a task always finds room), CPU and memory limits of a task, autoscaling.
* ECR: scan results, lifecycle policies, replication. CloudFront: functions, signed URLs, regional caches, the race
  between them; a wildcard inside a path. CodeDeploy, and metrics nobody wrote.
* State: nothing outlives the server; after `down` the next `up` begins anew.
"""
