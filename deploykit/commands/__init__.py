"""The verbs, one file each, as in cli/."""
