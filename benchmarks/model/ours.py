"""Headrace's engine on a model directory: `python -m benchmarks.model.ours DIRECTORY`, see `serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.model.serve import serve

if TYPE_CHECKING:
    from benchmarks.model.serve import Run


def load(directory: Path) -> Run:
    """The engine; option `call` is how many texts it is given at once, all by default."""
    from shared.inference.engine import Engine

    engine = Engine(directory)

    def run(texts: list[str], options: dict[str, Any]) -> Any:  # noqa: ANN401 - an array, as `serve` takes it
        size = options.get("call") or len(texts)
        for start in range(0, len(texts), size):
            outputs = engine.run(texts[start : start + size])
        return outputs.embedding

    return run


if __name__ == "__main__":
    serve(lambda: load(Path(sys.argv[1])))
