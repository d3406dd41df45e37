"""The server refuses a MiniStack whose inner names have moved, and says which correction needs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploykit.sandbox import environment, process

pytestmark = pytest.mark.sandbox

PROGRAM = """
import runpy, sys
runpy.run_path(sys.argv[1], run_name="probe")["_import_only_this"]()
from deploykit.sandbox.server import corrections
import ministack.services.ecr as ecr, ministack.services.cloudfront as cloudfront
del ecr._describe_images
cloudfront._get_invalidation = lambda renamed: None
try:
    corrections.install(None)
except corrections.Moved as error:
    print(error)
"""


def test_a_moved_inner_name_is_named_before_anything_is_changed() -> None:
    python = environment.python(lambda _: None)
    main = Path(process.SERVER) / "__main__.py"
    done = subprocess.run([str(python), "-c", PROGRAM, str(main)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("MiniStack's internals are not those of 1.5.33: "), done.stderr
    assert "ecr_images needs services.ecr._describe_images as (data), found missing" in done.stdout
    assert "cloudfront_invalidations needs services.cloudfront._get_invalidation as (dist_id, inv_id)" in done.stdout
