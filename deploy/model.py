"""`python -m deploy.model` puts the model into build/model, and that of a GPU job into build/model-gpu.

A model that is named by its digest comes from the models bucket. Another is built here, stored there, and
taken from there: what a build measures on its way stands in the manifest, and so is the same in every build
after the first.

A function that is deployed by hand (`--function`) gets the model that serves, in build/model-serving: with
another one its answers would not fit the others'.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.functions import FUNCTIONS
from deploy.gcloud import reporting
from deploy.stage import named
from deploy.state import State, load
from model_export import __main__ as model_export
from model_export.bucket import pull, push
from shared.platform.clients import storage_client
from shared.platform.errors import Retryable, SetupError
from shared.platform.settings import settings

WEIGHTS = Path("build/weights")
SERVING = Path("build/model-serving")
"""Apart from build/model, which the checkout works with."""


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


def serving(state: State, function: str) -> str:
    """The model that the functions serve with, as their revisions' labels have it; empty: none serves yet.

    Raises:
        SetupError: they differ, or one has no such label.
    """
    using = {name: state.services[name].serving for name, one in FUNCTIONS.items() if one.model}
    models = {name: revision.model for name, revision in using.items() if revision.digest}
    [model, *others] = set(models.values()) or {""}
    if others or model is None:
        told = ", ".join(f"{name}: {found or 'not known'}" for name, found in models.items())
        raise SetupError(
            f"There is not one model that all functions serve with ({told}). "
            f"Say which is to be deployed: make deploy FUNCTION={function} MODEL_DIGEST=..."
        )
    return model


def whole(beginning: str) -> str:
    """The digest in the models bucket of which a label has the beginning.

    Raises:
        SetupError: there is none, or several.
    """
    bucket = settings().models_bucket
    blobs = storage_client().list_blobs(bucket, prefix=f"models/{beginning}")
    found = {str(blob.name).split("/")[1] for blob in blobs}
    if len(found) != 1:
        raise SetupError(f"gs://{bucket} has {len(found)} models whose digest begins with {beginning}.")
    return found.pop()


def provide_serving(function: str, digest: str) -> None:
    """What `function` needs to be deployed by hand: the model `digest`, or the one that serves."""
    if not named([function])[0].model:
        print(f"{function} has no model")
        return
    if not digest and (beginning := serving(load(), function)):
        digest = whole(beginning)
    provide(digest, SERVING, "int8")


def main(arguments: list[str] | None = None) -> int:
    """Provide what is needed; the exit status is 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.model", description=__doc__)
    parser.add_argument(
        "--digest", default="", help="of the functions' model (default: the repository's own)"
    )
    parser.add_argument("--gpu-digest", default="", help="of the model of a job with a GPU (likewise)")
    parser.add_argument("--function", metavar="NAME", help="that is deployed by hand")
    options = parser.parse_args(arguments)

    def step() -> None:
        if options.function:
            provide_serving(options.function, options.digest)
            return
        provide(options.digest, Path("build/model"), "int8")
        job = load().job
        if job is not None and job.gpu:
            provide(options.gpu_digest, Path("build/model-gpu"), "fp16")

    return reporting("model", step)


if __name__ == "__main__":
    sys.exit(main())
