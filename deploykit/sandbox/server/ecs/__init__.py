"""The service scheduler and the tasks of the sandbox's ECS, over real containers.

MiniStack keeps the records (clusters, task definitions, tags); this package decides what runs.
"""
