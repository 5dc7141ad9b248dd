"""From starting a process to its first answer: import, load, one batch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.model.contestant import ROOT
from benchmarks.model.stats import Samples, interleave

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.model.contestant import Paths

ROUNDS = 5
BATCH = 8
OURS = """
import json, sys
from pathlib import Path
from shared.inference.engine import Engine
texts = json.loads(Path(sys.argv[1]).read_text("utf-8"))[: int(sys.argv[2])]
print(len(Engine(Path(sys.argv[3])).run(texts)), flush=True)
"""
BOOK = """
import json, sys
from pathlib import Path
import flask
from transformers import pipeline
texts = json.loads(Path(sys.argv[1]).read_text("utf-8"))[: int(sys.argv[2])]
classify = pipeline("sentiment-analysis", model=sys.argv[3])
print(len([classify(text) for text in texts]), flush=True)
"""


def measure(paths: Paths, shipped: Path) -> dict[str, Samples]:
    """Seconds of `ours`, `ours, one text` and `book`, the last two with one text."""
    peers = str(paths.peers_python)
    commands = {
        "ours": [sys.executable, "-c", OURS, str(paths.texts), str(BATCH), str(shipped)],
        "ours, one text": [sys.executable, "-c", OURS, str(paths.texts), "1", str(shipped)],
        "book": [peers, "-c", BOOK, str(paths.texts), "1", str(paths.materials / "distilbert")],
    }
    for command in commands.values():
        _seconds(command)  # so that files are in the page cache and bytecode is written
    return interleave({name: partial(_seconds, line) for name, line in commands.items()}, ROUNDS)


def _seconds(command: list[str], _: int = 0) -> float:
    """Until the first line of output; what a process needs to end does not count."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = time.perf_counter() - began
    if not line:
        raise RuntimeError(f"{command[0]} gave no answer")
    return took
