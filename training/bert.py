"""BERT's layers in torch, with the checkpoint's names, so that weights go in and come out as they are.

Post-norm encoder layers after Devlin et al. 2019, arXiv:1810.04805. The layers that a branch shares are
frozen, so training sees the same hidden states after them in every epoch: `hidden_states` computes them once
and keeps them on disk, which makes an epoch three times cheaper. Needs torch.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model_export.files import digest_of
from shared.inference.engine import plan_batches
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from model_export.sources import Checkpoint, Config

MAX_TOKENS = 128
"""A training sentence is cut here; hardly one is longer."""
_BUDGET = 2048
_WASTE = 0.1


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self._heads = heads

    def forward(self, value: Tensor, mask: Tensor) -> Tensor:
        query, key, content = (
            part(value).unflatten(-1, (self._heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, content, attn_mask=mask[:, None, None, :])
        return mixed.transpose(1, 2).flatten(-2)


class _Residual(nn.Module):
    """Projection, dropout, sum with what went in before, normalisation."""

    def __init__(self, inner: int, config: Config, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(inner, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self._dropout = dropout

    def forward(self, value: Tensor, residual: Tensor) -> Tensor:
        dropped = functional.dropout(self.dense(value), self._dropout, self.training)
        total: Tensor = self.LayerNorm(dropped + residual)
        return total


class _Attention(nn.Module):
    def __init__(self, config: Config, dropout: float) -> None:
        super().__init__()
        self.self = _SelfAttention(config.hidden_size, config.num_attention_heads)
        self.output = _Residual(config.hidden_size, config, dropout)


class _Intermediate(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, inner)


class Layer(nn.Module):
    """One encoder layer: (batch, seq, width) -> the same."""

    def __init__(self, config: Config, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = _Attention(config, dropout)
        self.intermediate = _Intermediate(config.hidden_size, inner)
        self.output = _Residual(inner, config, dropout)

    def forward(self, value: Tensor, mask: Tensor) -> Tensor:
        """`mask` (batch, seq) is true where there is text."""
        value = self.attention.output(self.attention.self(value, mask), value)
        inner = functional.gelu(self.intermediate.dense(value))
        result: Tensor = self.output(inner, value)
        return result


def copied_layers(checkpoint: Checkpoint, numbers: range, dropout: float) -> nn.ModuleList:
    """The checkpoint's layers `numbers`, free to be trained."""
    layers = nn.ModuleList()
    for number in numbers:
        prefix = f"encoder.layer.{number}."
        tensors = _tensors(checkpoint.tensors, prefix)
        layer = Layer(checkpoint.config, len(tensors["intermediate.dense.bias"]), dropout)
        layer.load_state_dict(tensors)
        layers.append(layer)
    return layers


def layer_tensors(layers: nn.ModuleList, first: int) -> dict[str, NDArray[np.float32]]:
    """The layers' weights, named as in a checkpoint from layer `first` on."""
    return {
        f"encoder.layer.{first + number}.{name}": value.detach().float().cpu().numpy()
        for number, layer in enumerate(layers)
        for name, value in layer.state_dict().items()
    }


class Lower(nn.Module):
    """Embeddings and the first `count` layers, as they are in the checkpoint: token ids -> hidden states."""

    def __init__(self, checkpoint: Checkpoint, count: int) -> None:
        super().__init__()
        tensors = _tensors(checkpoint.tensors, "embeddings.")
        self.register_buffer("_words", tensors["word_embeddings.weight"])
        places = tensors["position_embeddings.weight"] + tensors["token_type_embeddings.weight"][0]
        self.register_buffer("_places", places)
        self._norm = nn.LayerNorm(checkpoint.config.hidden_size, eps=checkpoint.config.layer_norm_eps)
        self._norm.load_state_dict(_tensors(tensors, "LayerNorm."))
        self._layers = copied_layers(checkpoint, range(count), dropout=0)
        self.requires_grad_(requires_grad=False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(batch, seq) -> (batch, seq, width)."""
        words: Tensor = self.get_buffer("_words")
        value: Tensor = self._norm(words[ids] + self.get_buffer("_places")[: ids.shape[1]])
        for layer in self._layers:
            value = layer(value, mask)
        return value


def mean_pooled(value: Tensor, mask: Tensor) -> Tensor:
    """The unit-length mean of each text's own positions: (batch, seq, width) -> (batch, width)."""
    total = (value * mask[..., None]).sum(dim=1, dtype=torch.float32)
    return functional.normalize(total, dim=-1)


def _tensors(tensors: Mapping[str, NDArray[np.float32] | Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.tensor(np.asarray(value)) if isinstance(value, np.ndarray) else value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


@dataclass(frozen=True, slots=True)
class Hidden:
    """States of n texts, end to end."""

    states: NDArray[np.float16]
    """(tokens, width)"""
    starts: NDArray[np.int64]
    """(n,), where each text's states begin."""
    lengths: NDArray[np.int64]
    """(n,), tokens."""

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """States (batch, seq, width) in float, zero where the mask (batch, seq) is false."""
        lengths = self.lengths[list(rows)]
        states = np.zeros((len(rows), lengths.max(), self.states.shape[1]), np.float32)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            start = self.starts[row]
            states[place, :length] = self.states[start : start + length]
        mask = np.arange(lengths.max()) < lengths[:, None]
        return torch.from_numpy(states), torch.from_numpy(mask)


def hidden_states(
    checkpoint: Checkpoint,
    layers: int,
    texts: Sequence[str],
    cache: Path,
    report: Callable[[float], None],
) -> Hidden:
    """States of `texts` after `layers` layers; `report` gets each tenth.

    They are taken from `cache` where it has those of the same texts, and kept there otherwise.
    """
    splitter = load_tokenizer(checkpoint.tokenizer)
    splitter.enable_truncation(min(MAX_TOKENS, checkpoint.config.max_position_embeddings))
    rows = [encoding.ids for encoding in splitter.encode_batch_fast(list(texts))]
    lengths = np.array([len(row) for row in rows], np.int64)
    starts = np.cumsum(lengths) - lengths
    source = checkpoint.source
    path = cache / f"{digest_of(source.sha256 or source.revision, str(layers), *texts)[:32]}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=cache)
        os.close(descriptor)
        shape = (int(lengths.sum()), checkpoint.config.hidden_size)
        states = np.lib.format.open_memmap(scratch, "w+", np.float16, shape)
        _compute(Lower(checkpoint, layers).eval(), rows, starts, states, report)
        states.flush()
        # Named when it is whole: two trainings may share a cache, and one may be killed.
        Path(scratch).rename(path)
    return Hidden(np.load(path, mmap_mode="r"), starts, lengths)


def _compute(
    lower: Lower,
    rows: Sequence[Sequence[int]],
    starts: NDArray[np.int64],
    states: NDArray[np.float16],
    report: Callable[[float], None],
) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lower.to(device)
    done = 0
    for batch in plan_batches([len(row) for row in rows], _BUDGET, _WASTE):
        lengths = np.array([len(rows[i]) for i in batch])
        ids = np.zeros((len(batch), lengths.max()), np.int64)
        for place, i in enumerate(batch):
            ids[place, : len(rows[i])] = rows[i]
        mask = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]).to(device)
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
            computed = lower(torch.from_numpy(ids).to(device), mask).to(torch.float16).cpu().numpy()
        for place, i in enumerate(batch):
            states[starts[i] : starts[i] + len(rows[i])] = computed[place, : len(rows[i])]
        before, done = done, done + len(batch)
        if 10 * before // len(rows) < 10 * done // len(rows):
            report(done / len(rows))
