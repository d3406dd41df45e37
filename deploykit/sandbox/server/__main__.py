"""``ENV/bin/python path/to/server INSTANCE SETTINGS FD FD FD``: the server, in an environment without deploykit.

Only ``deploykit.sandbox`` is importable, without its own ``__init__``: deploykit's dependencies are not installed
here, and the server imports nothing that needs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent


def _import_only_this() -> None:
    for name, folder in (("deploykit", HERE.parents[1]), ("deploykit.sandbox", HERE.parent)):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules.setdefault(name, package)
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]


if __name__ == "__main__":
    _import_only_this()
    from deploykit.sandbox.server.run import main

    sys.exit(main(sys.argv[1:]))
