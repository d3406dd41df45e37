"""For all tests: the same examples at every run in CI, new ones on a desk."""

from __future__ import annotations

import os

from hypothesis import settings

# A landing must not hang on luck; new examples are for people, who can look into what they find.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
