"""`python -m long_job.check DIRECTORY`: check that the model in this image is whole, and answers.

The image's build runs it, and fails if the model is not the one that its manifest names, or if this
environment's onnxruntime cannot run it. It needs no GPU: the machine that builds has none.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shared.inference.engine import Engine
from shared.platform.errors import SetupError

TEXT = "Water use fell by a third."


def check(directory: Path) -> str:
    """Return a line about the model.

    Raises:
        SetupError: it is missing, truncated or altered, or cannot be run.
    """
    engine = Engine(directory, device="cpu")
    outputs = engine.run([TEXT])
    length = float((outputs.embedding[0] ** 2).sum()) ** 0.5
    if abs(length - 1) > 1e-3:  # noqa: PLR2004 - any graph of ours gives unit length
        raise SetupError(f"The model in {directory} gives an embedding of length {length}, not 1.")
    manifest = engine.manifest
    if manifest.model.sha256 != manifest.digest:
        raise SetupError(f"The manifest in {directory} names the model {manifest.digest}, and another file.")
    return f"{manifest.name}, {manifest.precision}, digest {manifest.digest}"


if __name__ == "__main__":
    try:
        sys.stdout.write(check(Path(sys.argv[1])) + "\n")
    except SetupError as error:
        sys.exit(error.message)
