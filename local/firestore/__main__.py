"""`python -m local.firestore --host 127.0.0.1 --port P --data DIR`."""

from __future__ import annotations

import logging
import sys

from local.firestore.service import Firestore
from local.serving import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="local.firestore: %(message)s")
    sys.exit(main("firestore", Firestore))
