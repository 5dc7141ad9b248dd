"""`python -m local.run --host 127.0.0.1 --port P --data DIR`."""

from __future__ import annotations

import sys

from local.run.server import CloudRun
from local.serving import main

if __name__ == "__main__":
    sys.exit(main("run", CloudRun))
