"""The engine alone: `python -m benchmarks.long.engine TEXTS WORKERS` prints tokens a second."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from local.services import ROOT
from long_job.analysis import CALL_BATCHES
from shared.inference.engine import Engine
from shared.platform.settings import Settings


def main(texts: Path, workers: int) -> None:
    """Give it as many passages at once as the job does."""
    rows = [json.loads(line)["text"] for line in texts.read_text().splitlines()]
    engine = Engine(ROOT / "build" / "model", workers=workers)
    engine.run(rows[:8])
    size = CALL_BATCHES * Settings.model_fields["batch_passages"].default
    started, tokens = time.monotonic(), 0
    for at in range(0, len(rows), size):
        tokens += int(engine.run(rows[at : at + size]).tokens.sum())
    print(tokens / (time.monotonic() - started))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
