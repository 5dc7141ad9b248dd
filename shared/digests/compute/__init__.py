"""Compute digests: `make` reads what was kept of a window's documents.

`rows` and `window` read from Firestore, by a few queries and by documents' ids; all else is pure. First the
counts of the window are read, whatever the documents hold; then, since it is known by now which
organisations and plans matter, what may be quoted, a few documents at a time.

Firestore needs these composite indexes: `outcomes` (organisation_key, completed_at), both ways; `documents`
(members, received_at) and (state, waiting_since). Single fields suffice for the rest:
`outcomes` by completed_at and by problem.at, `documents` by name, `digests` by schedule, asked and end.
`outcomes` should have no index on items, vectors and datapoints.
"""

from __future__ import annotations

import os

# numpy's threads wait for each other longer than its small products take, most of all where a container has
# fewer processors than its host. It reads this as it is imported, which the modules below do first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from shared.digests.compute.make import Made, make
from shared.digests.compute.rows import Request, fingerprint

__all__ = ["Made", "Request", "fingerprint", "make"]
