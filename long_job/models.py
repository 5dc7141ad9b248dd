"""Get a model by its digest: the one in the image, or another from the bucket of models."""

from __future__ import annotations

import fcntl
import tempfile
from functools import lru_cache
from pathlib import Path

from model_export.bucket import pull
from shared.inference.engine import Engine
from shared.inference.manifest import read_manifest
from shared.platform.errors import SetupError
from shared.platform.settings import settings


@lru_cache(maxsize=2)
def engine(digest: str) -> Engine:
    """Return the model with this digest, loaded once.

    Raises:
        SetupError: neither the image nor the bucket has it, or it is damaged.
        Retryable: the bucket could not be reached.
    """
    return Engine(model_directory(digest), workers=settings().analyze_workers, digest=digest)


def model_directory(digest: str) -> Path:
    """Return the model's directory; download the model if need be.

    Raises:
        SetupError, Retryable: as for `engine`.
    """
    if _holds(settings().model_dir, digest):
        return settings().model_dir
    fetched = Path(tempfile.gettempdir()) / "headrace-models" / digest
    fetched.parent.mkdir(parents=True, exist_ok=True)
    with fetched.with_suffix(".lock").open("w") as lock:  # tasks may share a machine
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _holds(fetched, digest):
            pull(settings().models_bucket, digest, fetched)
    return fetched


def _holds(directory: Path, digest: str) -> bool:
    try:
        return read_manifest(directory, digest).model.sha256 == digest
    except SetupError:
        return False
