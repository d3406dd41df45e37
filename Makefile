# make demo   run the demo on a small local platform (installs what it needs)
# make test   run every check and test (installs what they need)
.PHONY: demo test lint bench engine clean

demo:
	@.ci/python
	@.ci/engine start
	@.venv/bin/deploykit demo

test:
	@.ci/python dev
	@.ci/engine start
	@.ci/test

lint:
	@.ci/python dev
	.venv/bin/ruff check .
	.venv/bin/mypy

bench:
	@.ci/python dev
	@.ci/engine start
	@for each in tests/benchmarks/bench_*.py; do .venv/bin/python -m "tests.benchmarks.$$(basename $$each .py)" || exit 1; done

clean:
	@.ci/engine stop
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
