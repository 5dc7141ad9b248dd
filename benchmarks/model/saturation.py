"""What sums that saturate change: `python -m benchmarks.model.saturation`, on a processor without VNNI.

There onnxruntime adds products of eight bits in pairs, in sixteen bits, which two large ones exceed. Beside
the shipped session stands one that is asked for exact sums; where the processor has VNNI both give the same.
"""

from __future__ import annotations

import json
import time
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.model.contestant import ROOT
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest
from shared.inference.runtime import onnxruntime
from shared.inference.session import open_session
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MODEL = ROOT / "build" / "model"
SENTENCES = ROOT / "model_export" / "data"
TEXTS = 600


def exact_session(model: bytes) -> onnxruntime.InferenceSession:
    """One thread, sums that do not saturate."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(
    session: onnxruntime.InferenceSession, ids: Sequence[Sequence[int]]
) -> tuple[float, list[NDArray[np.float32]]]:
    """Processor seconds, and each output's rows."""
    started = time.process_time()
    found = [
        session.run(None, {"input_ids": np.array([row]), "attention_mask": np.ones((1, len(row)), np.int64)})
        for row in ids
    ]
    return time.process_time() - started, [np.concatenate(rows) for rows in zip(*found, strict=True)]


def main(directory: Path = MODEL) -> None:
    """Print the figures."""
    manifest = read_manifest(directory)
    tokenizer = load_tokenizer((directory / TOKENIZER_FILE).read_bytes())
    lines = (
        line for path in sorted(SENTENCES.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()
    )
    texts = [str(json.loads(line)["text"]) for line in islice(lines, 0, None, 2)][:TEXTS]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    model = (directory / MODEL_FILE).read_bytes()
    shipped, exact = open_session(model), exact_session(model)
    names = [output.name for output in shipped.get_outputs()]
    (seconds, one), (exact_seconds, other) = measure(shipped, ids), measure(exact, ids)
    rows, exact_rows = dict(zip(names, one, strict=True)), dict(zip(names, other, strict=True))
    cosines = (rows["embedding"] * exact_rows["embedding"]).sum(axis=1)
    print(f"{len(texts)} sentences, model {manifest.digest[:12]}, onnxruntime {onnxruntime.__version__}")
    print(f"cosine with exact sums: {cosines.mean():.4f} on average, {cosines.min():.4f} at least")
    for name in ("action", "sentiment"):
        changed = (rows[name].argmax(axis=1) != exact_rows[name].argmax(axis=1)).mean()
        print(f"{name}: {changed:.1%} of the labels differ")
    limits = np.array(manifest.thresholds)
    changed = ((rows["topic"] >= limits) != (exact_rows["topic"] >= limits)).any(axis=1).mean()
    print(f"topics: {changed:.1%} of the sentences have others")
    print(f"exact sums take {exact_seconds / seconds:.2f} times the processor time")


if __name__ == "__main__":
    main()
