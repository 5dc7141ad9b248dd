"""BERT's layers in torch, with the checkpoint's names, so that weights go in and come out as they are.

Post-norm encoder layers after Devlin et al. 2019, arXiv:1810.04805. Needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from model_export.sources import Checkpoint, Config


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


class Embeddings(nn.Module):
    """Word, position and (all zero) segment embeddings, normalised, as they are in the checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        tensors = _tensors(checkpoint.tensors, "embeddings.")
        self.register_buffer("_words", tensors["word_embeddings.weight"])
        places = tensors["position_embeddings.weight"] + tensors["token_type_embeddings.weight"][0]
        self.register_buffer("_places", places)
        self._norm = nn.LayerNorm(checkpoint.config.hidden_size, eps=checkpoint.config.layer_norm_eps)
        self._norm.load_state_dict(_tensors(tensors, "LayerNorm."))
        self.requires_grad_(requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, seq) -> (batch, seq, width)."""
        words: Tensor = self.get_buffer("_words")
        value: Tensor = self._norm(words[ids] + self.get_buffer("_places")[: ids.shape[1]])
        return value


def _tensors(tensors: Mapping[str, NDArray[np.float32] | Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): torch.tensor(np.asarray(value)) if isinstance(value, np.ndarray) else value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
