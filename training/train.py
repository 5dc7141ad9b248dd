"""From labelled texts to heads, without torch: fit, calibrate on texts not fitted on, measure, describe.

On our own weights a training begins at the heads in use, and changes what the user's rows show (`retrain`).
For another encoder, and for the topics of another taxonomy, there are none to begin at: those heads begin at
zero, and read the mean of the last layer.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx

from model_export.assemble import ACTIONS, SENTIMENTS, full_graph, mean_graph, window
from model_export.attend import pooling
from model_export.graph import Float32
from model_export.heads import CARD_FILE, EXCLUSIVE, HEAD_NAMES, Card, Head, HeadName, Heads, Labels
from model_export.labelled import split_of
from model_export.run import run_graph
from model_export.scores import f1, macro_f1, micro_f1, sigmoid
from training.corpora import SOURCES, permissive
from training.fit import FOLDS, Rows, calibrated_each, calibrated_exclusive, fit, logits_of, zero_head
from training.in_use import by_head
from training.passages import SOURCE as REPORTS
from training.retrain import learn
from training.rows import fold_of
from training.targets import Corpus, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.labelled import Example
    from model_export.sources import Checkpoint
    from shared.inference.manifest import Source

    Floats = NDArray[np.floating]

_OWN_WEIGHT = {"topic": 6.0, "action": 4.0, "sentiment": 15.0}
"""Sentences written for this project count this many times: they cover what the corpora lack, and are few."""
DECAY = 1e-5
"""Strength of the belief that weights are zero, for each sentence learnt from."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Heads with what they were trained on and what they reach on sentences they have not seen."""

    heads: Heads
    card: Card

    def save(self, directory: Path) -> None:
        """Write the weights and `heads.json`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.heads.save(directory)
        (directory / CARD_FILE).write_text(self.card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def train(
    checkpoint: Checkpoint,
    examples: Sequence[Example],
    topics: Sequence[str],
    in_use: Trained | None,
    report: Callable[[str], None],
) -> Trained:
    """Heads for `topics`, begun at those `in_use` if they are made for this checkpoint.

    `report` is told what became of each. The same examples give the same heads.
    """
    trunk = in_use.heads.trunk if in_use else None

    def mean(texts: Sequence[str]) -> Floats:
        return run_graph(mean_graph(checkpoint, trunk), checkpoint.tokenizer, texts, window(checkpoint))[0]

    if in_use is None:
        return train_linear(examples, topics, mean)
    graph = pooling(onnx.load_from_string(full_graph(checkpoint, Float32(), in_use.heads)))
    texts = [example.text for example in examples]
    (pooled,) = run_graph(graph, checkpoint.tokenizer, texts, window(checkpoint))
    features = by_head(in_use.heads, pooled)
    if in_use.card.labels.topic == tuple(topics):
        return adapted(in_use, examples, features, report)
    begun = train_linear(examples, topics, mean, ("topic",))
    rest = adapted(in_use, examples, {name: features[name] for name in HEAD_NAMES if name != "topic"}, report)
    heads = dataclasses.replace(
        rest.heads, parts={**rest.heads.parts, **begun.heads.parts}, thresholds=begun.heads.thresholds
    )
    card = rest.card.model_copy(
        update={"labels": begun.card.labels, "heldout": rest.card.heldout | begun.card.heldout}
    )
    return Trained(heads, card)


def adapted(
    in_use: Trained,
    examples: Sequence[Example],
    features: Mapping[HeadName, Floats],
    report: Callable[[str], None],
) -> Trained:
    """The heads in use, those of `features` changed as far as examples that are not our own show it."""
    topics = in_use.card.labels.topic
    targets = Targets.of(examples, topics)
    users = np.array([example.source != "own" for example in examples])
    held = np.array([split_of(example) == "test" for example in examples])
    learnt = learn(in_use.heads, Corpus(list(examples), targets, topics, users, held), features, min_held=0)
    for name, (_, said) in learnt.items():
        report(f"{name}: {said.why}")
    parts = {**in_use.heads.parts, **{name: head for name, (head, _) in learnt.items()}}
    heads = dataclasses.replace(in_use.heads, parts=parts)
    tested = unpublished_tests(examples)
    figures: dict[str, float] = {}
    for name, part in features.items():
        figures |= measure(name, logits_of(parts[name], part[tested]), heads, targets.rows(tested))
    sentences = _counts([e for e, is_users in zip(examples, users, strict=True) if is_users])
    changed = {name for name, (_, said) in learnt.items() if said.retrained}
    card = in_use.card.model_copy(
        update={
            "sentences": in_use.card.sentences | sentences,
            "permissive": tuple(name for name in in_use.card.permissive if name not in changed),
            "sources": tuple(dict.fromkeys((*in_use.card.sources, *_sources(sentences)))),
            "heldout": figures,
        }
    )
    return Trained(heads, card)


def train_linear(
    examples: Sequence[Example],
    topics: Sequence[str],
    encode: Callable[[Sequence[str]], Floats],
    names: Sequence[HeadName] = HEAD_NAMES,
) -> Trained:
    """Fit the heads `names`, begun at zero, on `encode(texts)`, (n, width).

    The test split is left alone; what of it is of no public corpus is measured on. Chances and thresholds are
    calibrated by five-fold cross-validation over the rest. Salience and initiative are left out where the
    examples do not say both.
    """
    targets = Targets.of(examples, topics)
    used = np.flatnonzero(np.any([targets.judged(name) for name in names], axis=0))
    examples = [examples[i] for i in used.tolist()]
    targets = targets.rows(used)
    features = encode([example.text for example in examples]).astype(np.float64)
    learnt = np.array([split_of(example) != "test" for example in examples])
    fold = np.array([fold_of(example.group or example.text, FOLDS) for example in examples])
    parts: dict[HeadName, Head] = {}
    thresholds: dict[HeadName, NDArray[np.float32]] = {}
    if not all((learnt & targets.judged(name)).any() for name in ("salience", "initiative")):
        names = [name for name in names if name not in {"salience", "initiative"}]
    for name in names:
        rows = np.flatnonzero(learnt & targets.judged(name))
        head = fit_linear(name, examples, targets, features, rows)
        unseen = np.zeros((len(rows), len(head.bias)))
        for number in range(FOLDS):
            apart = fold[rows] == number
            if apart.any() and not apart.all():
                part = fit_linear(name, examples, targets, features, rows[~apart])
                unseen[apart] = logits_of(part, features[rows[apart]])
        parts[name], thresholds[name] = calibrate(name, head, unseen, targets.rows(rows))
    initiative = float(thresholds["initiative"][0]) if "initiative" in thresholds else None
    heads = Heads(parts, thresholds["topic"], initiative)
    tested = unpublished_tests(examples)
    figures: dict[str, float] = {}
    for name, head in parts.items():
        figures |= measure(name, logits_of(head, features[tested]), heads, targets.rows(tested))
    return Trained(heads, card_of(examples, topics, figures))


def fit_linear(
    name: HeadName, examples: Sequence[Example], targets: Targets, features: Floats, rows: NDArray[np.intp]
) -> Head:
    """A head on the `features` of `rows`, all of which say something to it."""
    known = targets.known(name)[rows].astype(np.float64)
    own = _OWN_WEIGHT.get(name, 1.0)
    weights = np.array([own if examples[i].source == "own" else 1.0 for i in rows.tolist()])
    any_of = targets.any_of[rows] if name == "topic" else None
    part = Rows(features[rows], known, name in EXCLUSIVE, weights, any_of)
    (head,) = fit(part, zero_head(features.shape[1], known.shape[1]), [DECAY * float(weights.sum())])
    return head


def unpublished_tests(examples: Sequence[Example]) -> NDArray[np.intp]:
    """Rows of the test split that are of our own or of the user's files: what the card's figures are of."""
    return np.flatnonzero([split_of(e) == "test" and e.source not in SOURCES for e in examples])


def calibrate(
    name: HeadName, head: Head, logits: NDArray[np.float64], targets: Targets
) -> tuple[Head, NDArray[np.float32]]:
    """`head` with calibrated chances, and a threshold for each label that is judged for itself."""
    if name not in EXCLUSIVE:
        return calibrated_each(head, logits, targets.known(name).astype(np.float64))
    known = targets.judged(name)
    return calibrated_exclusive(head, logits[known], targets.labels(name)[known]), np.empty(0, np.float32)


def measure(name: HeadName, logits: Floats, heads: Heads, targets: Targets) -> dict[str, float]:
    """Micro-F1 of topics, macro-F1 of action or sentiment, F1 of initiative, correlation of salience.

    Nothing where no example is judged.
    """
    judged = targets.judged(name)
    if not judged.any():
        return {}
    chances, known = sigmoid(np.asarray(logits[judged], np.float32)), targets.known(name)[judged]
    if name == "topic":
        return {"topic_micro_f1": round(micro_f1(known, chances >= heads.thresholds), 4)}
    if name == "initiative":
        chosen = chances[:, 0] >= (heads.initiative_threshold or 0)
        return {"initiative_f1": round(f1(known[:, 0] == 1, chosen), 4)}
    if name == "salience":
        both = np.corrcoef(chances.sum(axis=1), targets.salience[judged])
        return {"salience_correlation": round(float(both[0, 1]), 4)}
    score = macro_f1(targets.labels(name)[judged], logits[judged].argmax(axis=1))
    return {f"{name}_macro_f1": round(score, 4)}


def card_of(examples: Sequence[Example], topics: Sequence[str], heldout: dict[str, float]) -> Card:
    """What `heads.json` says of heads trained on all of `examples` but the test split."""
    used = [example for example in examples if split_of(example) != "test"]
    targets = Targets.of(used, topics)
    sentences = _counts(used)
    return Card(
        labels=Labels(topic=tuple(topics), action=ACTIONS, sentiment=SENTIMENTS),
        sentences=sentences,
        permissive=tuple(
            name
            for name in HEAD_NAMES
            if all(permissive(used[i]) for i in np.flatnonzero(targets.judged(name)))
        ),
        sources=_sources(sentences),
        heldout=heldout,
    )


def _counts(examples: Sequence[Example]) -> dict[str, int]:
    """Texts learnt from, by source."""
    counts = Counter(example.source for example in examples if split_of(example) != "test")
    return dict(sorted(counts.items()))


def _sources(names: Iterable[str]) -> tuple[Source, ...]:
    known = SOURCES | {"passages": REPORTS}
    return tuple(known[name] for name in names if name in known)
