"""Models in a bucket: `models/{digest}/…`, written once, never changed.

The manifest goes last and so marks a model that is whole. Each object is created only if it does not exist;
two who push the same model at once both succeed, and a push that was cut off is finished by the next.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from model_export.files import replace_directory
from shared.inference.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    TOKENIZER_FILE,
    Manifest,
    read_manifest,
    read_verified,
)
from shared.platform.clients import storage_client
from shared.platform.errors import Retryable, SetupError
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.storage import Bucket

CARD_FILE = "MODEL_CARD.md"


def push(directory: Path, bucket: str) -> str:
    """Upload the model in `directory`; returns its place in the bucket. Doing it again changes nothing.

    Raises:
        SetupError: the directory holds no whole model, or the bucket holds another under this digest.
        Retryable: the bucket could not be reached.
    """
    manifest = read_manifest(directory)
    files = {
        MODEL_FILE: read_verified(directory / MODEL_FILE, manifest.model),
        TOKENIZER_FILE: read_verified(directory / TOKENIZER_FILE, manifest.tokenizer),
        CARD_FILE: (directory / CARD_FILE).read_bytes(),
        MANIFEST_FILE: (directory / MANIFEST_FILE).read_bytes(),
    }
    prefix = f"models/{manifest.digest}/"
    target = storage_client().bucket(bucket)
    for name, content in files.items():
        create(target, prefix + name, content)
    return prefix


def pull(bucket: str, digest: str, out: Path) -> Manifest:
    """Download the model `digest` to `out`, in place of what is there, once all of it is verified.

    Raises:
        SetupError: the bucket has no such model, or not what its digest says.
        Retryable: the bucket could not be reached.
    """
    source = storage_client().bucket(bucket)
    prefix = f"models/{digest}/"
    files = {
        name: _read(source, prefix + name) for name in (MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE, CARD_FILE)
    }
    with replace_directory(out, files) as fresh:
        manifest = read_manifest(fresh, digest)
        for name, expected in ((MODEL_FILE, manifest.model), (TOKENIZER_FILE, manifest.tokenizer)):
            read_verified(fresh / name, expected)
        if manifest.model.sha256 != digest:
            raise SetupError(f"gs://{bucket}/{prefix}{MODEL_FILE} is {manifest.model.sha256}, not {digest}.")
    return manifest


def create(bucket: Bucket, name: str, content: bytes) -> None:
    """Write an object unless there is one of this name.

    Raises:
        SetupError: the bucket is missing, or holds another graph or tokenizer under this name.
        Retryable: the bucket could not be reached.
    """
    from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed

    blob = bucket.blob(name)
    try:
        blob.upload_from_string(
            content, content_type="application/octet-stream", if_generation_match=0, **storage_limits()
        )
    except PreconditionFailed:
        # The manifest and card name what built the model; the graph and tokenizer are the model.
        if not name.endswith((MODEL_FILE, TOKENIZER_FILE)):
            return
        stored = hashlib.sha256(_read(bucket, name)).hexdigest()
        if stored != hashlib.sha256(content).hexdigest():
            raise SetupError(
                f"gs://{bucket.name}/{name} exists and is not this model: its SHA-256 is {stored}. "
                "Somebody altered it; remove it and push again."
            ) from None
    except NotFound:
        raise SetupError(f"There is no bucket {bucket.name}, or no right to write to it.") from None
    except (GoogleAPIError, OSError) as error:
        raise Retryable(f"gs://{bucket.name}/{name} could not be written ({error}). Try again.") from error


def find(bucket: Bucket, name: str) -> bytes | None:
    """The content of an object; None where there is none.

    Raises:
        Retryable: the bucket could not be reached.
    """
    from google.api_core.exceptions import GoogleAPIError, NotFound

    try:
        content: bytes = bucket.blob(name).download_as_bytes(raw_download=True, **storage_limits())
    except NotFound:
        return None
    except (GoogleAPIError, OSError) as error:
        raise Retryable(f"gs://{bucket.name}/{name} could not be read ({error}). Try again.") from error
    return content


def _read(bucket: Bucket, name: str) -> bytes:
    content = find(bucket, name)
    if content is None:
        raise SetupError(
            f"There is no gs://{bucket.name}/{name}. Push the model: python -m model_export push"
        )
    return content
