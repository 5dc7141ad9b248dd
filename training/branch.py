"""Training a branch: copies of the encoder's upper layers, fine-tuned with their heads on cached states.

Labels that are open cost nothing. Needs torch.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import Head
from shared.inference.engine import plan_batches
from training.bert import copied_layers, layer_tensors, mean_pooled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from model_export.sources import Checkpoint
    from training.bert import Hidden
    from training.targets import Targets

    Floats = NDArray[np.float32]

_BUDGET = 1536
"""Tokens of a batch."""
_WASTE = 0.15
_POOL = 2048
"""Texts shuffled together and then sorted by length: batches of like lengths, yet other ones every epoch."""
_GAIN = 16.0
"""Features are of unit length; heads learn them times this, so that their weights stay near 1."""
_HEAD_RATE = 10
_WARM_UP = 0.1
_DECAY = 0.01
_CLIP = 1.0
_AVERAGED = 0.995
"""The weights kept are a moving average over some two hundred steps: steadier than those of the last."""


_SMOOTHING = 0.05
_PLANNED = ACTIONS.index("planned")
_POSITIVE, _NEGATIVE = SENTIMENTS.index("positive"), SENTIMENTS.index("negative")
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """How one branch is trained."""

    name: str
    outputs: Mapping[str, int]
    """Labels of each head trained, those dropped afterwards included."""
    repeats: Mapping[str, float]
    """How often an epoch shows the sentences of a source; below 1, a random share of them. By default 1."""
    epochs: int
    fork: int = 4
    layers: int = 2
    rate: float = 2e-4
    dropout: float = 0.1
    seed: int = 0
    action_weights: Sequence[float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained branch: its layers and heads."""

    tensors: dict[str, Floats]
    heads: dict[str, Head]
    features_of: Callable[[Sequence[int]], Floats]
    """From rows of the training data to what the heads read, (n, width), unit length."""


class _Network(nn.Module):
    def __init__(self, checkpoint: Checkpoint, plan: Plan) -> None:
        super().__init__()
        self.layers = copied_layers(checkpoint, range(plan.fork, plan.fork + plan.layers), plan.dropout)
        width = checkpoint.config.hidden_size
        self.heads = nn.ModuleDict({name: nn.Linear(width, count) for name, count in plan.outputs.items()})

    def forward(self, states: Tensor, mask: Tensor) -> dict[str, Tensor]:
        features = _pooled(self.layers, states, mask) * _GAIN
        return {name: head(features) for name, head in self.heads.items()}


def fit_branch(  # noqa: PLR0913, PLR0917 - a training needs all of these, and none belong together
    checkpoint: Checkpoint,
    plan: Plan,
    hidden: Hidden,
    targets: Targets,
    sources: Sequence[str],
    train: Sequence[int],
    score: Callable[[Fitted], float],
    report: Callable[[str], None],
) -> Fitted:
    """Train on rows `train` and keep the epoch that `score` likes best.

    The same call gives the same weights on the same machine and number of threads.
    """
    torch.manual_seed(plan.seed)
    random = np.random.default_rng(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _Network(checkpoint, plan).to(device)
    averaged = _Network(checkpoint, plan).to(device).eval()
    averaged.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(
        [
            {"params": network.layers.parameters(), "lr": plan.rate},
            {"params": network.heads.parameters(), "lr": plan.rate * _HEAD_RATE},
        ],
        weight_decay=_DECAY,
        fused=True,
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    tensors = {
        name: torch.as_tensor(value, device=device) for name, value in dataclasses.asdict(targets).items()
    }
    weights = torch.tensor(plan.action_weights, device=device)
    steps = plan.epochs * len(_epoch(plan, hidden, sources, train, random))
    best: dict[str, Tensor] = {}
    scores: list[float] = []
    step, began = 0, time.monotonic()
    for epoch in range(plan.epochs):
        network.train()
        for batch in _epoch(plan, hidden, sources, train, random):
            step += 1
            pace = min(step / (_WARM_UP * steps), max(1 - (step - 1) / steps, 0.02))
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * pace
            states, mask = (part.to(device) for part in hidden.batch(batch))
            rows = torch.as_tensor(batch, device=device)
            loss = total_loss(
                network(states, mask), {name: value[rows] for name, value in tensors.items()}, weights
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimiser.step()
            keep = min(_AVERAGED, step / (step + 10))
            with torch.no_grad():
                for kept, value in zip(averaged.parameters(), network.parameters(), strict=True):
                    kept.lerp_(value, 1 - keep)
        scores.append(score(_fitted(averaged, plan, hidden)))
        seconds = time.monotonic() - began
        report(f"{plan.name}, epoch {epoch + 1} of {plan.epochs}: {scores[-1]:.4f}, {seconds:.0f} s")
        if scores[-1] == max(scores):
            best = {name: value.clone() for name, value in averaged.state_dict().items()}
    averaged.load_state_dict(best)
    return _fitted(averaged, plan, hidden)


def _fitted(network: _Network, plan: Plan, hidden: Hidden) -> Fitted:
    heads = {}
    for name, head in network.heads.items():
        weight, bias = (value.detach().cpu().numpy() for value in (head.weight, head.bias))
        heads[name] = Head(np.ascontiguousarray(weight.T) * np.float32(_GAIN), bias.copy())
    return Fitted(
        layer_tensors(network.layers, plan.fork), heads, lambda rows: features(network.layers, hidden, rows)
    )


def _epoch(
    plan: Plan,
    hidden: Hidden,
    sources: Sequence[str],
    train: Sequence[int],
    random: np.random.Generator,
) -> list[list[int]]:
    """One epoch's batches, in random order."""
    shown: list[int] = []
    for row in train:
        times = plan.repeats.get(sources[row], 1.0)
        shown += [row] * (int(times) + (random.random() < times % 1))
    random.shuffle(shown)
    batches = []
    for start in range(0, len(shown), _POOL):
        pool = shown[start : start + _POOL]
        lengths = hidden.lengths[pool].tolist()
        batches += [[pool[i] for i in batch] for batch in plan_batches(lengths, _BUDGET, _WASTE)]
    random.shuffle(batches)
    return batches


def features(layers: nn.ModuleList, hidden: Hidden, rows: Sequence[int]) -> Floats:
    """What `layers` make of the hidden states of some texts: (n, width), unit length."""
    device = next(layers.parameters()).device
    values = np.empty((len(rows), hidden.states.shape[1]), np.float32)
    with torch.no_grad():
        for batch in plan_batches(hidden.lengths[list(rows)].tolist(), _BUDGET, _WASTE):
            states, mask = hidden.batch([rows[i] for i in batch])
            values[batch] = _pooled(layers, states.to(device), mask.to(device)).cpu().numpy()
    return values


def _pooled(layers: nn.ModuleList, states: Tensor, mask: Tensor) -> Tensor:
    """(batch, seq, width) -> (batch, width), unit length."""
    with torch.autocast(states.device.type, dtype=torch.bfloat16):
        for layer in layers:
            states = layer(states, mask)
    return mean_pooled(states.float(), mask)


def topic_loss(logits: Tensor, known: Tensor, any_of: Tensor) -> Tensor:
    """Cross entropy of each judged topic, and of "at least one of these" as a noisy or."""
    total = _binary(logits, known)
    grouped = any_of.any(dim=1)
    if grouped.any():
        none = (functional.logsigmoid(-logits) * any_of).sum(dim=1)[grouped]
        total = total - torch.log((1 - none.exp()).clamp_min(_TINY)).sum()
    return total


def action_loss(logits: Tensor, action: Tensor, not_planned: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy with a weight a label, and for "not planned" that of the other two together."""
    total = functional.cross_entropy(
        logits, action, weight=weights, ignore_index=-1, reduction="sum", label_smoothing=_SMOOTHING
    )
    planned = logits.softmax(dim=-1)[not_planned, _PLANNED]
    return total - torch.log((1 - planned).clamp_min(_TINY)).sum()


def sentiment_loss(logits: Tensor, sentiment: Tensor, polar: Tensor) -> Tensor:
    """Cross entropy; between positive and negative alone where neutral was not on offer."""
    three = torch.where(polar, -1, sentiment)
    total = functional.cross_entropy(
        logits, three, ignore_index=-1, reduction="sum", label_smoothing=_SMOOTHING
    )
    two = logits[polar][:, [_POSITIVE, _NEGATIVE]]
    chosen = (sentiment[polar] == _NEGATIVE).long()
    return total + functional.cross_entropy(two, chosen, reduction="sum", label_smoothing=_SMOOTHING)


def _binary(logits: Tensor, known: Tensor) -> Tensor:
    judged = ~known.isnan()
    each = functional.binary_cross_entropy_with_logits(logits, known.nan_to_num(), reduction="none")
    return (each * judged).sum()


def total_loss(logits: Mapping[str, Tensor], targets: Mapping[str, Tensor], action_weights: Tensor) -> Tensor:
    """The sum over the heads in `logits`, a text's share."""
    parts = {
        "topic": lambda: topic_loss(logits["topic"], targets["topics"], targets["any_of"]),
        "action": lambda: action_loss(
            logits["action"], targets["action"], targets["not_planned"], action_weights
        ),
        "sentiment": lambda: sentiment_loss(logits["sentiment"], targets["sentiment"], targets["polar"]),
        "aspects": lambda: _binary(logits["aspects"], targets["aspects"]),
        "pillars": lambda: 0.5 * _binary(logits["pillars"], targets["pillars"]),
    }
    total = torch.stack([parts[name]() for name in logits]).sum()
    return total / len(targets["action"])
