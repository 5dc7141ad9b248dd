"""`python -m long_job KIND …`: the container's entry point."""

import sys

from long_job.main import main

sys.exit(main(sys.argv[1:]))
