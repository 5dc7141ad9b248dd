"""Training of the trunk: all six layers of the encoder, tuned for every head at once. Needs torch.

The embeddings of word pieces stay as they are. The text's embedding is held at the original's by a loss of
its own (a distillation, Hinton et al. 2015): what the layers learn may not cost the search. A head attends
for itself (`model_export/heads.py`). Labels that are open cost nothing; the categories of public corpora have
heads of their own, which are dropped afterwards.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import EXCLUSIVE, HEAD_NAMES, LEVELS, Head, Heads, Trunk
from model_export.labelled import PILLARS, split_of
from model_export.scores import macro_f1
from shared.inference.engine import plan_batches
from shared.inference.tokens import load_tokenizer
from training.bert import Embeddings, copied_layers, layer_tensors
from training.fit import calibrated_each, calibrated_exclusive
from training.targets import ASPECTS, Targets
from training.train import Trained, card_of, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from model_export.labelled import Example
    from model_export.sources import Checkpoint

    Floats = NDArray[np.float32]

MAX_TOKENS = 160
"""A text is cut here; of the labelled passages two in a hundred are longer."""
_BUDGET = 2048
"""Tokens of a batch."""
_WASTE = 0.15
_POOL = 4096
"""Texts sorted by length together: batches of like lengths, yet other ones every time."""
_TAPS = 3
"""The embedding is read from the means of so many last layers: the earlier ones change less."""
_WARM_UP, _LEAST_PACE = 0.06, 0.02
_DECAY, _CLIP = 0.01, 1.0
_AVERAGED = 0.995
"""The weights kept are a moving average over some two hundred steps: steadier than those of the last."""
_SMOOTHING = 0.03
_SHIFTS = np.arange(-1.5, 1.51, 0.15)
_PLANNED = ACTIONS.index("planned")
_POSITIVE, _NEGATIVE = SENTIMENTS.index("positive"), SENTIMENTS.index("negative")
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """How a trunk is trained."""

    repeats: Mapping[str, float] = field(
        default_factory=lambda: {
            "passages": 3.0,
            "sentences": 2.0,
            "own": 4.0,
            "a3cg": 5.0,
            "esgbert": 4.0,
            "goals": 0.7,
            "sst2": 0.7,
            "sst5": 2.0,
            "newsmtsc": 2.0,
            "nyt": 2.5,
            "sentfin": 1.5,
            "amazon": 1.5,
        }
    )
    """How often the texts of a source are shown; a fraction shows a random share of them. By default 1."""
    bad_news: float = 2.5
    """Passages and sentences of negative outcome are shown so much more often: they are few."""
    rate: float = 1.5e-4
    head_rate: float = 8.0
    """Times the layers' rate."""
    projection_rate: float = 4.0
    hold: float = 20.0
    """Weight of the embedding's loss."""
    dropout: float = 0.1
    seed: int = 0


class _Network(nn.Module):
    def __init__(self, checkpoint: Checkpoint, outputs: Mapping[str, int], dropout: float) -> None:
        super().__init__()
        config = checkpoint.config
        width, count = config.hidden_size, config.num_hidden_layers
        self.embeddings = Embeddings(checkpoint)
        self.layers = copied_layers(checkpoint, range(count), dropout)
        # At first the embedding is the mean of the last layer, as the original's is.
        self._taps = min(_TAPS, count)
        others = torch.zeros((self._taps - 1) * width, width)
        self.projection = nn.Parameter(torch.cat([others, torch.eye(width)]))
        total = sum(outputs.values())
        self.queries = nn.Parameter(torch.zeros(total, width))
        self.weights = nn.Parameter(torch.randn(total, width) * 0.02)
        self.biases = nn.Parameter(torch.zeros(total))
        self.outputs = dict(outputs)
        self._dropout = dropout

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The embedding (batch, width) of unit length, and each head's logits."""
        value = self.embeddings(ids)
        own = mask[..., None].float()
        means = []
        for layer in self.layers:
            value = layer(value, mask)
            means.append((value * own).sum(dim=1) / own.sum(dim=1))
        embedding = functional.normalize(torch.cat(means[-self._taps :], dim=-1) @ self.projection, dim=-1)
        attended = (value @ self.queries.T).masked_fill(~mask[..., None], -1e4).softmax(dim=1)
        read = functional.dropout(value, self._dropout, self.training) @ self.weights.T
        logits = (attended * read).sum(dim=1) + self.biases
        parts = logits.split(list(self.outputs.values()), dim=-1)
        return embedding, dict(zip(self.outputs, parts, strict=True))


class _Texts:
    """Word pieces of texts, as batches."""

    def __init__(self, checkpoint: Checkpoint, texts: Sequence[str], device: torch.device) -> None:
        splitter = load_tokenizer(checkpoint.tokenizer)
        splitter.enable_truncation(min(MAX_TOKENS, checkpoint.config.max_position_embeddings))
        self._rows = [encoding.ids for encoding in splitter.encode_batch_fast(list(texts))]
        self.lengths = np.array([len(row) for row in self._rows], np.int64)
        self._device = device

    def batch(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Ids and mask, (batch, seq)."""
        lengths = self.lengths[list(rows)]
        ids = np.zeros((len(rows), lengths.max()), np.int64)
        for place, row in enumerate(rows):
            ids[place, : lengths[place]] = self._rows[row]
        mask = np.arange(lengths.max()) < lengths[:, None]
        return torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)

    def batches(self, rows: Sequence[int]) -> list[list[int]]:
        """`rows` in batches of like lengths."""
        return [
            [rows[i] for i in batch]
            for batch in plan_batches(self.lengths[list(rows)].tolist(), _BUDGET, _WASTE)
        ]


def train_trunk(
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    topics: Sequence[str],
    report: Callable[[str], None],
    plan: Plan | None = None,
) -> Trained:
    """Tune the layers and heads on the examples of the training split, calibrate on those of development.

    The same call gives the same weights on the same machine and number of threads.
    """
    plan = plan or Plan()
    torch.manual_seed(plan.seed)
    random = np.random.default_rng(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    targets = Targets.of(examples, topics)
    splits = np.array([split_of(example) for example in examples])
    texts = _Texts(checkpoint, [example.text for example in examples], device)
    outputs = {
        "topic": len(topics),
        "action": len(ACTIONS),
        "sentiment": len(SENTIMENTS),
        "salience": len(LEVELS),
        "initiative": 1,
        "aspects": len(ASPECTS),
        "pillars": len(PILLARS),
    }
    network = _Network(checkpoint, outputs, plan.dropout).to(device)
    averaged = _Network(checkpoint, outputs, plan.dropout).to(device).eval()
    averaged.load_state_dict(network.state_dict())
    report("embeddings of the original")
    learnt = np.flatnonzero(splits == "train")
    original = torch.zeros(len(examples), checkpoint.config.hidden_size)
    original[learnt] = torch.from_numpy(_answers(averaged, texts, learnt.tolist())[0])
    shown = _shown(examples, targets, learnt, plan, random)
    batches: list[list[int]] = []
    for start in range(0, len(shown), _POOL):
        pool = texts.batches(shown[start : start + _POOL])
        batches += [pool[place] for place in random.permutation(len(pool))]
    optimiser = torch.optim.AdamW(
        [
            {"params": network.layers.parameters(), "lr": plan.rate},
            {"params": [network.queries, network.weights, network.biases], "lr": plan.rate * plan.head_rate},
            {"params": [network.projection], "lr": plan.rate * plan.projection_rate},
        ],
        weight_decay=_DECAY,
        fused=True,
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    labels = {
        name: torch.as_tensor(value, device=device) for name, value in dataclasses.asdict(targets).items()
    }
    network.train()
    began = time.monotonic()
    for step, batch in enumerate(batches, 1):
        pace = min(step / (_WARM_UP * len(batches)), max(1 - (step - 1) / len(batches), _LEAST_PACE))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * pace
        embedding, logits = network(*texts.batch(batch))
        away = 2 * (1 - (embedding * original[batch].to(device)).sum(dim=1)).mean()
        loss = total_loss(logits, {name: value[batch] for name, value in labels.items()}) + plan.hold * away
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()
        keep = min(_AVERAGED, step / (step + 10))
        with torch.no_grad():
            for kept, value in zip(averaged.parameters(), network.parameters(), strict=True):
                kept.lerp_(value, 1 - keep)
        if step % 200 == 0 or step == len(batches):
            seconds = time.monotonic() - began
            report(f"step {step} of {len(batches)}, {seconds:.0f} s, embedding {1 - away.item() / 2:.4f}")
    development, tested = (np.flatnonzero((splits == split) & _read(examples)) for split in ("dev", "test"))
    _, logits = _answers(averaged, texts, development.tolist())
    heads = _calibrated(_trained(averaged), targets.rows(development), logits)
    _take(averaged, heads)
    _, logits = _answers(averaged, texts, tested.tolist())
    figures: dict[str, float] = {}
    for name in HEAD_NAMES:
        figures |= measure(name, logits[name], heads, targets.rows(tested))
    return Trained(heads, card_of(examples, topics, figures))


def _read(examples: Sequence[Example]) -> NDArray[np.bool_]:
    """Which are passages of reports, as users' documents are made of."""
    return np.array([example.source == "passages" for example in examples])


def _take(network: _Network, heads: Heads) -> None:
    """Let the network answer with `heads`."""
    start = 0
    with torch.no_grad():
        for name in HEAD_NAMES:
            head = heads.parts[name]
            part = slice(start, start + len(head.bias))
            for kept, value in ((network.weights, head.weight), (network.biases, head.bias)):
                kept[part] = torch.as_tensor(value, device=kept.device)
            start += len(head.bias)


def _shown(
    examples: Sequence[Example],
    targets: Targets,
    rows: NDArray[np.intp],
    plan: Plan,
    random: np.random.Generator,
) -> list[int]:
    """Rows in the order of the training, every one as often as its source says, spread over all of it."""
    places: list[tuple[float, int]] = []
    for row in rows.tolist():
        times = plan.repeats.get(examples[row].source, 1.0)
        if targets.sentiment[row] == _NEGATIVE and examples[row].source in {"passages", "sentences"}:
            times *= plan.bad_news
        whole = int(times) + int(random.random() < times % 1)
        places += [((number + random.random()) / whole, row) for number in range(whole)]
    return [row for _, row in sorted(places)]


def _answers(network: _Network, texts: _Texts, rows: Sequence[int]) -> tuple[Floats, dict[str, Floats]]:
    """Embeddings and logits of `rows`, in their order."""
    embeddings = np.empty((len(rows), network.projection.shape[1]), np.float32)
    logits = {name: np.empty((len(rows), count), np.float32) for name, count in network.outputs.items()}
    place = {row: index for index, row in enumerate(rows)}
    with torch.no_grad():
        for batch in texts.batches(rows):
            at = [place[row] for row in batch]
            embedding, parts = network(*texts.batch(batch))
            embeddings[at] = embedding.cpu().numpy()
            for name, part in parts.items():
                logits[name][at] = part.cpu().numpy()
    return embeddings, logits


def _trained(network: _Network) -> tuple[Trunk, dict[str, Head]]:
    queries, weights, biases = (
        value.detach().cpu().numpy() for value in (network.queries, network.weights, network.biases)
    )
    heads, start = {}, 0
    for name, count in network.outputs.items():
        part = slice(start, start + count)
        heads[name] = Head(queries[part].copy(), weights[part].copy(), biases[part].copy())
        start += count
    return Trunk(layer_tensors(network.layers, 0), network.projection.detach().cpu().numpy()), heads


def _calibrated(
    trained: tuple[Trunk, Mapping[str, Head]], targets: Targets, logits: Mapping[str, Floats]
) -> Heads:
    """Chances that mean what they say on the development split, and thresholds from it."""
    trunk, heads = trained
    parts, thresholds = {}, {}
    for name in HEAD_NAMES:
        known = targets.judged(name)
        values = logits[name][known].astype(np.float64)
        if name in EXCLUSIVE:
            labels = targets.labels(name)[known]
            head = calibrated_exclusive(heads[name], values, labels)
            parts[name] = dataclasses.replace(head, bias=head.bias + balance(values, labels))
        else:
            truth = targets.known(name)[known].astype(np.float64)
            parts[name], thresholds[name] = calibrated_each(heads[name], values, truth)
    return Heads(parts, thresholds["topic"], float(thresholds["initiative"][0]), trunk)


def balance(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> Floats:
    """What to add to each label's logit so that the likeliest label has the best macro-F1.

    Rare labels are those that readers look for, and the likeliest one is seldom rare.
    """
    best, shifts = -1.0, np.zeros(logits.shape[1], np.float32)
    for shift in itertools.product(_SHIFTS, repeat=logits.shape[1] - 1):
        shifted = np.array([*shift, 0.0])
        # Between equals the smaller shift: it changes less of what the chances say.
        score = macro_f1(labels, (logits + shifted).argmax(axis=1)) - 1e-3 * float(np.abs(shifted).sum())
        if score > best:
            best, shifts = score, shifted.astype(np.float32)
    return shifts


def topic_loss(logits: Tensor, known: Tensor, any_of: Tensor) -> Tensor:
    """Cross entropy of each judged topic, and of "at least one of these" as a noisy or."""
    total = _binary(logits, known)
    grouped = any_of.any(dim=1)
    if grouped.any():
        none = (functional.logsigmoid(-logits) * any_of).sum(dim=1)[grouped]
        total = total - torch.log((1 - none.exp()).clamp_min(_TINY)).sum()
    return total


def action_loss(logits: Tensor, action: Tensor, not_planned: Tensor) -> Tensor:
    """Cross entropy, and for "not planned" that of the other two together."""
    total = _among(logits, action, torch.tensor([1.0, 1.5, 1.0], device=logits.device))
    planned = logits.softmax(dim=-1)[not_planned, _PLANNED]
    return total - torch.log((1 - planned).clamp_min(_TINY)).sum()


def sentiment_loss(logits: Tensor, sentiment: Tensor, polar: Tensor) -> Tensor:
    """Cross entropy; between positive and negative alone where neutral was not on offer."""
    weights = torch.tensor([1.0, 1.0, 2.0], device=logits.device)
    total = _among(logits, torch.where(polar, -1, sentiment), weights)
    two = logits[polar][:, [_POSITIVE, _NEGATIVE]]
    chosen = (sentiment[polar] == _NEGATIVE).long()
    return total + functional.cross_entropy(two, chosen, reduction="sum", label_smoothing=_SMOOTHING)


def _among(logits: Tensor, label: Tensor, weights: Tensor) -> Tensor:
    return functional.cross_entropy(
        logits, label, weight=weights, ignore_index=-1, reduction="sum", label_smoothing=_SMOOTHING
    )


def _binary(logits: Tensor, known: Tensor) -> Tensor:
    judged = ~known.isnan()
    each = functional.binary_cross_entropy_with_logits(logits, known.nan_to_num(), reduction="none")
    return (each * judged).sum()


def total_loss(logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
    """The sum over the heads, a text's share."""
    salience = targets["salience"][:, None]
    levels = (salience >= torch.tensor(LEVELS, device=salience.device)).float()
    levels = torch.where(salience.isnan(), salience, levels)
    total = (
        topic_loss(logits["topic"], targets["topics"], targets["any_of"])
        + action_loss(logits["action"], targets["action"], targets["not_planned"])
        + sentiment_loss(logits["sentiment"], targets["sentiment"], targets["polar"])
        + _binary(logits["salience"], levels)
        + _binary(logits["initiative"], targets["initiative"][:, None])
        + _binary(logits["aspects"], targets["aspects"])
        + 0.5 * _binary(logits["pillars"], targets["pillars"])
    )
    return total / len(salience)
