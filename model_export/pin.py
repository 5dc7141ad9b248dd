"""What the model says of twenty texts, written down: a test compares every later build with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from model_export.assemble import full_graph, window
from model_export.encode import run_graph
from model_export.gate import load_reference
from model_export.precision import Float32

if TYPE_CHECKING:
    from pathlib import Path

    from model_export.heads import Heads
    from model_export.sources import Checkpoint

_PREFIX = 8
"""Numbers of an embedding that are kept: were tokens, pooling or layers wrong, none would be right."""
_DIGITS = 5


def pin(checkpoint: Checkpoint, heads: Heads, path: Path) -> int:
    """Write the answers of the fp32 graph to the reference texts, a text a line; returns how many."""
    texts = load_reference().texts
    graph = full_graph(checkpoint, Float32(), heads)
    embedding, *chances = run_graph(graph, checkpoint.tokenizer, texts, window(checkpoint))
    columns = dict(
        zip(("embedding", "topic", "action", "sentiment"), (embedding[:, :_PREFIX], *chances), strict=True)
    )
    lines = [
        json.dumps(
            {"text": text}
            | {name: [round(float(value), _DIGITS) for value in rows[i]] for name, rows in columns.items()},
            ensure_ascii=False,
        )
        for i, text in enumerate(texts)
    ]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    return len(lines)
