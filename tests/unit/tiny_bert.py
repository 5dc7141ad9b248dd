"""A BERT small enough for unit tests, with random weights, and tuned layers and heads for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from model_export.heads import HEAD_NAMES, Head, HeadName, Heads, Trunk
from model_export.scalings import find_scalings
from model_export.sources import Checkpoint, Config
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
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


LABELS: dict[HeadName, int] = {"topic": 10, "action": 3, "sentiment": 3, "salience": 3, "initiative": 1}


def tiny_trunk(checkpoint: Checkpoint) -> Trunk:
    """The layers, changed so that a text's positions differ more, and a projection of both back to one."""
    random = np.random.default_rng(4)
    layers = {
        path: (value * (0.1 if ".dense." in path else 1)).astype(np.float16).astype(np.float32)
        for path, value in checkpoint.tensors.items()
        if path.startswith("encoder.layer.")
    }
    projection = np.vstack([random.normal(0, 0.02, (WIDTH, WIDTH)), np.eye(WIDTH)]).astype(np.float32)
    return Trunk(layers, projection)


def tiny_heads(trunk: Trunk | None = None, names: Sequence[HeadName] = HEAD_NAMES) -> Heads:
    """Random heads of the right widths."""
    random = np.random.default_rng(3)

    def head(labels: int) -> Head:
        query, weight = (random.normal(0, 1, (labels, WIDTH)).astype(np.float32) for _ in range(2))
        return Head(query, weight, random.normal(0, 1, labels).astype(np.float32))

    parts = {name: head(LABELS[name]) for name in names}
    return Heads(parts, np.full(10, 0.5, np.float32), 0.5 if "initiative" in parts else None, trunk)


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


def tiny_scalings(checkpoint: Checkpoint, trunk: Trunk | None = None) -> dict[str, Scaling]:
    """Scalings found on random words."""
    return find_scalings(checkpoint, trunk, tiny_texts(40))


def write_checkpoint(directory: Path, prefix: str = "") -> None:
    """The files of a checkpoint, as transformers writes them; `prefix` stands before each tensor's name."""
    checkpoint = tiny_checkpoint()
    (directory / "config.json").write_text(checkpoint.config.model_dump_json())
    (directory / "tokenizer.json").write_bytes(checkpoint.tokenizer)
    tensors = {prefix + name: np.ascontiguousarray(value) for name, value in checkpoint.tensors.items()}
    save_file(tensors, directory / "model.safetensors")
