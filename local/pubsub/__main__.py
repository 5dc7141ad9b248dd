"""`python -m local.pubsub --host 127.0.0.1 --port P --data DIR`."""

from __future__ import annotations

import logging
import sys

from local.pubsub.server import PubSub
from local.serving import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="local.pubsub: %(message)s")
    sys.exit(main("pubsub", PubSub))
