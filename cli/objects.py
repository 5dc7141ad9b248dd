"""What a job is going to read from a bucket, looked for before anything is created or started.

Where this account may not look, that is left to the job, which has rights of its own.
"""

from __future__ import annotations

from contextlib import suppress

from cli.deployment import is_local
from cli.options import MODEL
from shared.inference.manifest import MANIFEST_FILE, read_manifest
from shared.platform.clients import storage_client
from shared.platform.errors import HeadraceError, SetupError
from shared.platform.settings import settings


def need_objects(bucket: str, prefix: str) -> None:
    """See to it that something lies under a prefix.

    Raises:
        HeadraceError: there is no such bucket, or nothing in it under that prefix.
    """
    from google.api_core.exceptions import Forbidden, NotFound

    try:
        some = list(storage_client().list_blobs(bucket, prefix=prefix, max_results=1))
    except NotFound:
        raise HeadraceError(f"There is no bucket {bucket}.") from None
    except Forbidden:
        return
    if not some:
        raise HeadraceError(f"There is nothing under gs://{bucket}/{prefix}.")


def need_model(digest: str) -> None:
    """See to it that the job can have a model: a build in the cloud stores each in the bucket.

    Raises:
        HeadraceError: there is none of this digest.
    """
    from google.api_core.exceptions import Forbidden

    if is_local() and _is_ours(digest):
        return
    bucket = settings().models_bucket
    try:
        is_there = storage_client().bucket(bucket).blob(f"models/{digest}/{MANIFEST_FILE}").exists()
    except Forbidden:
        return
    if not is_there:
        raise HeadraceError(
            f"There is no model {digest} in gs://{bucket}. "
            f"Push it: python -m model_export push --bucket {bucket} --model DIRECTORY"
        )


def _is_ours(digest: str) -> bool:
    """Whether it is the model that the local stack has, in a directory and in no bucket."""
    for directory in (settings().model_dir, MODEL):
        with suppress(SetupError):
            if read_manifest(directory).digest == digest:
                return True
    return False
