"""A BERT small enough for unit tests, with random weights, and branches and heads for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from model_export.heads import PAIRS, Branch, BranchCard, Head, HeadName, Heads, Words
from model_export.scalings import find_scalings
from model_export.sources import Checkpoint, Config
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from pathlib import Path

    from model_export.graph import Scaling

WIDTH, HEADS, LAYERS, INNER, VOCABULARY, PLACES = 32, 4, 2, 64, 50, 40


def tiny_checkpoint() -> Checkpoint:
    """A tiny BERT with random weights."""
    random = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part, (rows, columns) in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }.items():
            shapes |= {f"{layer}.{part}.weight": (rows, columns), f"{layer}.{part}.bias": (rows,)}
        for part in ("attention.output", "output"):
            shapes |= {
                f"{layer}.{part}.LayerNorm.weight": (WIDTH,),
                f"{layer}.{part}.LayerNorm.bias": (WIDTH,),
            }
    return Checkpoint(
        config=Config(
            hidden_size=WIDTH,
            num_attention_heads=HEADS,
            num_hidden_layers=LAYERS,
            layer_norm_eps=1e-12,
            max_position_embeddings=PLACES,
        ),
        tensors={name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()},
        tokenizer=tiny_tokenizer(),
        source=Source(name="random", revision="0", licence="none", use="test", sha256="0" * 64),
    )


def branch(checkpoint: Checkpoint, name: str, fork: int, heads: tuple[HeadName, ...], source: str) -> Branch:
    """The layers above `fork`, changed at random."""
    random = np.random.default_rng(len(name))
    tensors = {
        path: value + random.normal(0, 0.1, value.shape).astype(np.float32)
        for path, value in checkpoint.tensors.items()
        if path.startswith("encoder.layer.") and int(path.split(".")[2]) >= fork
    }
    card = BranchCard.model_validate(
        {"name": name, "fork": fork, "layers": LAYERS - fork, "heads": heads, "input": source}
    )
    return Branch(card, tensors)


def heads_with(*branches: Branch) -> Heads:
    """Random heads of the right widths on `branches`, or on the embedding."""
    random = np.random.default_rng(3)

    def head(name: HeadName, labels: int) -> Head:
        parts = next((b.card.input for b in branches if name in b.card.heads), "embedding").split("+")
        features = sum(labels if part == "words" else WIDTH for part in parts)
        return Head(random.normal(0, 3, (features, labels)).astype(np.float32), np.zeros(labels, np.float32))

    topic, action, sentiment = head("topic", 10), head("action", 3), head("sentiment", 3)
    words = None
    if any("words" in b.card.input for b in branches):
        pieces, pairs = (random.normal(0, 1, (n, 16)).astype(np.float32) for n in (VOCABULARY, PAIRS))
        words = Words.of(pieces, pairs, (10, 3, 3))
    return Heads(topic, action, sentiment, np.full(10, 0.5, np.float32), branches, words)


def tiny_tokenizer() -> bytes:
    """Words w0 to w45, between two special tokens."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    vocabulary |= {f"w{number}": number + 4 for number in range(VOCABULARY - 4)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(tokenizer.to_str()).encode()


def tiny_texts(count: int) -> list[str]:
    """Random words, of many lengths."""
    random = np.random.default_rng(5)
    return [
        " ".join(f"w{number}" for number in random.integers(0, VOCABULARY - 4, 1 + row % 30))
        for row in range(count)
    ]


def tiny_scalings(checkpoint: Checkpoint, heads: Heads | None = None) -> dict[str, Scaling]:
    """Scalings found on random words."""
    return find_scalings(checkpoint, heads, tiny_texts(40))


def write_checkpoint(directory: Path, prefix: str = "") -> None:
    """The files of a checkpoint, as transformers writes them; `prefix` stands before each tensor's name."""
    checkpoint = tiny_checkpoint()
    (directory / "config.json").write_text(checkpoint.config.model_dump_json())
    (directory / "tokenizer.json").write_bytes(checkpoint.tokenizer)
    tensors = {prefix + name: np.ascontiguousarray(value) for name, value in checkpoint.tensors.items()}
    save_file(tensors, directory / "model.safetensors")
