"""ECS services: the next task definition, the rollout, its failure, the way back."""
