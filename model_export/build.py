"""Weights and heads in, a verified model directory out; all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import tokenizers

from model_export import gate
from model_export.assemble import ACTIONS, SENTIMENTS, WINDOW, full_graph, thresholds
from model_export.card import model_card
from model_export.heads import HEADS_FILE, load_heads
from model_export.precision import Float32, Int8
from model_export.ranges import load_ranges
from model_export.sources import load_packaged
from shared.inference.manifest import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE, File, Manifest, Source

if TYPE_CHECKING:
    from collections.abc import Callable

HEADS = Path(__file__).parent / "heads"


def build(weights: Path, out: Path, report: Callable[[str], None]) -> Manifest:
    """Write the int8 model of the packaged encoder and the committed heads to `out`, in place of the old.

    `report` is told each step. The same weights, heads and library versions give the same bytes.

    Raises:
        SetupError: the weights are missing or not the publisher's, the heads are missing, or a gate failed.
    """
    report("verify the weights")
    checkpoint = load_packaged(weights)
    heads, ranges = load_heads(HEADS), load_ranges(HEADS)
    report("write the graphs")
    fp32 = full_graph(checkpoint, Float32(), heads)
    int8 = full_graph(checkpoint, Int8(ranges), heads)
    report("compare with the reference, and int8 with fp32")
    metrics = gate.check(fp32, int8, checkpoint.tokenizer)
    card = json.loads((HEADS / "heads.json").read_text(encoding="utf-8"))
    manifest = Manifest(
        name="minilm-esrs",
        digest=hashlib.sha256(int8).hexdigest(),
        model=_describe(int8),
        tokenizer=_describe(checkpoint.tokenizer),
        precision="int8",
        window=WINDOW,
        dimensions=checkpoint.config.hidden_size,
        thresholds=thresholds(heads),
        sentiments=SENTIMENTS,
        actions=ACTIONS,
        metrics=metrics | {f"heldout_{name}": value for name, value in card["heldout"].items()},
        versions={
            "numpy": np.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tokenizers": tokenizers.__version__,
        },
        sources=(
            checkpoint.source,
            Source(
                name="headrace heads",
                revision="1",
                licence="Apache-2.0",
                use="topic, action and sentiment heads",
                sha256=hashlib.sha256((HEADS / HEADS_FILE).read_bytes()).hexdigest(),
            ),
            *(Source.model_validate(source) for source in card["sources"]),
        ),
    )
    report(f"write {out}")
    _replace(
        out,
        {
            MODEL_FILE: int8,
            TOKENIZER_FILE: checkpoint.tokenizer,
            "MODEL_CARD.md": model_card(manifest, card).encode(),
            MANIFEST_FILE: (manifest.model_dump_json(indent=2) + "\n").encode(),
        },
    )
    return manifest


def _describe(content: bytes) -> File:
    return File(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def _replace(out: Path, files: dict[str, bytes]) -> None:
    """Make `out` hold exactly `files`; a reader sees the old directory or the new one, never half of one."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh.chmod(0o755)
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        if out.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
            os.replace(out, retired / out.name)  # noqa: PTH105 - a directory onto a new name
            fresh.rename(out)
            shutil.rmtree(retired)
        else:
            fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
