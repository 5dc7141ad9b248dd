"""Put the functions' model into build/model, and a GPU job's into build/model-gpu.

A model that is named by its digest comes from the models bucket. Another is built here, stored there, and
taken from there: what a build measures on its way is in the manifest, and so is the same in every build after
the first.

A function that is deployed by hand gets the model that serves, in build/model-serving: with another one its
answers would not fit the others'.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.stage import FUNCTIONS
from model_export import __main__ as model_export
from model_export.bucket import pull, push
from shared.platform.clients import storage_client
from shared.platform.errors import Retryable, SetupError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from deploy.cloud import State

WEIGHTS = Path("build/weights")
SERVING = Path("build/model-serving")
"""Apart from build/model, which the checkout works with."""


def provide(state: State, digest: str, gpu_digest: str) -> None:
    """Provide the functions' model, and the job's where that has a GPU; empty: the repository's own."""
    _provide(digest, Path("build/model"), "int8")
    if state.job is not None and state.job.gpu:
        _provide(gpu_digest, Path("build/model-gpu"), "fp16")


def _provide(digest: str, out: Path, precision: str) -> None:
    bucket = settings().models_bucket
    if not digest:
        build = ["build", "--weights", str(WEIGHTS), "--precision", precision, "--out", str(out)]
        if model_export.main(build):
            raise Retryable(f"{out} could not be built.")
        digest = push(out, bucket).strip("/").rpartition("/")[2]
    manifest = pull(bucket, digest, out)
    print(f"{out}: {manifest.name}, {manifest.precision}, {manifest.digest}")


def provide_serving(state: State, function: str, digest: str) -> None:
    """Provide what `function` needs to be deployed by hand: the model `digest`, or the one that serves."""
    if not FUNCTIONS[function].model:
        print(f"{function} has no model")
        return
    if not digest and (beginning := serving(state, function)):
        digest = _whole(beginning)
    _provide(digest, SERVING, "int8")


def serving(state: State, function: str) -> str:
    """Return the model that the functions serve with, by their revisions' labels; empty: none serves yet.

    Raises:
        SetupError: they differ, or one has no such label.
    """
    using = {name: state.services[name].serving for name, each in FUNCTIONS.items() if each.model}
    models = {name: revision.model for name, revision in using.items() if revision.digest}
    [model, *others] = set(models.values()) or {""}
    if others or model is None:
        listed = ", ".join(f"{name}: {label or 'not known'}" for name, label in models.items())
        raise SetupError(
            f"There is not one model that all functions serve with ({listed}). "
            f"Name the one to deploy: make deploy FUNCTION={function} MODEL_DIGEST=..."
        )
    return model


def _whole(beginning: str) -> str:
    """Return the digest in the models bucket that begins so."""
    bucket = settings().models_bucket
    blobs = storage_client().list_blobs(bucket, prefix=f"models/{beginning}")
    digests = {str(blob.name).split("/")[1] for blob in blobs}
    if len(digests) != 1:
        raise SetupError(f"gs://{bucket} has {len(digests)} models whose digest begins with {beginning}.")
    return digests.pop()
