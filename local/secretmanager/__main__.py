"""`python -m local.secretmanager --host 127.0.0.1 --port P --data DIR`."""

from __future__ import annotations

import sys

from local.secretmanager.server import SecretManager
from local.serving import main

if __name__ == "__main__":
    sys.exit(main("secretmanager", SecretManager))
