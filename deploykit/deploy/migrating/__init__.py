"""Migrations in a release: which run, the run itself, the step alone, and what they forbid afterwards."""
