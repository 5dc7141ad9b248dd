"""`python -m deploy.model` puts the model into build/model, and that of a GPU job into build/model-gpu.

A model that is named by its digest comes from the models bucket. Another is built here, stored there, and
taken from there: what a build measures on its way stands in the manifest, and so is the same in every build
after the first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.gcloud import reporting
from deploy.state import load
from model_export import __main__ as model_export
from model_export.bucket import pull, push
from shared.errors import Retryable
from shared.settings import settings

WEIGHTS = Path("build/weights")


def provide(digest: str, out: Path, precision: str) -> None:
    """The model `digest`, or where that is empty the repository's own."""
    bucket = settings().models_bucket
    if not digest:
        build = ["build", "--weights", str(WEIGHTS), "--precision", precision, "--out", str(out)]
        if model_export.main(build):
            raise Retryable(f"{out} could not be built.")
        digest = push(out, bucket).strip("/").rpartition("/")[2]
    manifest = pull(bucket, digest, out)
    print(f"{out}: {manifest.name}, {manifest.precision}, {manifest.digest}")


def main(arguments: list[str] | None = None) -> int:
    """Provide what is needed; the exit status is 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.model", description=__doc__)
    parser.add_argument(
        "--digest", default="", help="of the functions' model (default: the repository's own)"
    )
    parser.add_argument("--gpu-digest", default="", help="of the model of a job with a GPU (likewise)")
    options = parser.parse_args(arguments)

    def step() -> None:
        provide(options.digest, Path("build/model"), "int8")
        job = load().job
        if job is not None and job.gpu:
            provide(options.gpu_digest, Path("build/model-gpu"), "fp16")

    return reporting("model", step)


if __name__ == "__main__":
    sys.exit(main())
