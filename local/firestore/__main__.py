"""`python -m local.firestore --host 127.0.0.1 --port P --data DIR`."""

from __future__ import annotations

import logging
import sys

from local.firestore.service import Firestore
from local.serving import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="local.firestore: %(message)s")
    # A client that has what it wants hangs up before the status is sent: no error, but gRPC logs it as one.
    logging.getLogger("grpc._cython.cygrpc").addFilter(
        lambda record: not record.getMessage().startswith("ExecuteBatchError")
    )
    sys.exit(main("firestore", Firestore))
