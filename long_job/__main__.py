"""`python -m long_job KIND …`: the container's entry point."""

import os
import sys

# Before NumPy is imported: a training's products are small, and on a busy machine a second thread waits more
# than it works.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from long_job.main import main

sys.exit(main(sys.argv[1:]))
