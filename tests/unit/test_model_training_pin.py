"""What is pinned must be what a build's tests read: every reference text, with each output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from model_export.gate import load_reference
from model_export.heads import HEAD_NAMES
from model_export.textbook import Textbook
from shared.inference.tokens import load_tokenizer
from tests.pin_model import pin
from tests.unit.tiny_bert import tiny_checkpoint, tiny_heads, tiny_trunk

if TYPE_CHECKING:
    from pathlib import Path


def test_the_answers_are_written_down(tmp_path: Path) -> None:
    """Each reference text has the start of its embedding and all chances, as the textbook gives them."""
    checkpoint = tiny_checkpoint()
    heads = tiny_heads(tiny_trunk(checkpoint))
    path = tmp_path / "pinned.json"
    pin(checkpoint, heads, path)
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [row["text"] for row in rows] == load_reference()[0]
    textbook, tokenizer = Textbook(checkpoint, heads), load_tokenizer(checkpoint.tokenizer)
    tokenizer.enable_truncation(checkpoint.config.max_position_embeddings)
    embedding, *chances = textbook.answer(tokenizer.encode(rows[0]["text"]).ids)
    for name, expected in zip(("embedding", *HEAD_NAMES), (embedding[:8], *chances), strict=True):
        np.testing.assert_allclose(rows[0][name], expected, atol=1e-4, err_msg=name)
