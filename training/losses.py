"""What a branch is trained to lower; open labels cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from model_export.assemble import ACTIONS, SENTIMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_SMOOTHING = 0.05
_PLANNED = ACTIONS.index("planned")
_POSITIVE, _NEGATIVE = SENTIMENTS.index("positive"), SENTIMENTS.index("negative")
_TINY = 1e-6


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
