"""`python -m tests.pin_model --weights build/weights`: write down what the heads say of the reference texts.

A test compares every later build with these answers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from model_export.assemble import full_graph, window
from model_export.build import HEADS
from model_export.gate import load_reference
from model_export.graph import Float32
from model_export.heads import HEAD_NAMES, load_heads
from model_export.run import run_graph
from model_export.sources import add_source, chosen_checkpoint

if TYPE_CHECKING:
    from model_export.heads import Heads
    from model_export.sources import Checkpoint

PINNED = Path(__file__).parent / "data" / "model_canonical.json"
NUMBERS = 8
"""Numbers of an embedding that are pinned: were tokens, pooling or layers wrong, none would be right."""
DIGITS = 5


def pin(checkpoint: Checkpoint, heads: Heads, path: Path) -> None:
    """Write the fp32 graph's answers, a text a line."""
    texts, _ = load_reference()
    graph = full_graph(checkpoint, Float32(), heads)
    embedding, *chances = run_graph(graph, checkpoint.tokenizer, texts, window(checkpoint))
    columns = dict(zip(("embedding", *HEAD_NAMES), (embedding[:, :NUMBERS], *chances), strict=True))
    lines = [
        json.dumps(
            {"text": text}
            | {name: [round(float(value), DIGITS) for value in rows[i]] for name, rows in columns.items()},
            ensure_ascii=False,
        )
        for i, text in enumerate(texts)
    ]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.pin_model", description=__doc__)
    add_source(parser)
    pin(chosen_checkpoint(parser.parse_args()), load_heads(HEADS), PINNED)
