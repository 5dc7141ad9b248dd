"""Is one model better than another, beyond chance, on the same rows?

A paired bootstrap (Efron and Tibshirani 1993; for differences of F1 Berg-Kirkpatrick et al. 2012): both
models are scored on the same rows, drawn again with replacement. "better" demands that all but a share
`ALPHA` of the draws favour the candidate, divided by the number of heads compared: of several one is lucky
more often.

A model that says the same of every row has a poor mean F1, and one that guesses at random a better one. So
the candidate must also beat its score on labels dealt out anew among the rows (a permutation test, Ojala and
Garriga 2010). "worse" needs less: all but `ALPHA` favour the model in use, or more than `MAX_LOSS` is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import NonNegativeInt

from model_export.heads import HEAD_NAMES, LEVELS
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_export.heads import HeadName
    from shared.inference.engine import Engine
    from training.targets import Corpus

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

DRAWS = 4_000
SEED = 20_250_101
ALPHA = 0.05
MAX_LOSS = 0.05
PERMUTATIONS = 1_000
METRICS: dict[HeadName, str] = {
    "topic": "micro-F1",
    "action": "macro-F1",
    "sentiment": "macro-F1",
    "salience": "macro-F1 of at least 1, 2 and 3",
    "initiative": "F1",
}
_CELLS = 2_000_000
"""Draws times rows held in memory at once."""
_TEXTS_A_CALL = 1024

Verdict = Literal["better", "worse", "no difference beyond chance", "no better than luck"]


class Comparison(Record):
    """Both models on the same rows, which neither was trained on."""

    rows: NonNegativeInt
    in_use: float
    candidate: float
    low: float
    """Candidate less model in use lies between this and `high` in all draws but `ALPHA` over the number of
    heads at either end."""
    high: float
    luck: float
    """What the candidate reaches on labels dealt out at random, in all permutations but the same share."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What two models chose of the same rows; each array is (n, labels)."""

    truth: Flags
    known: Flags
    """What is not known counts neither for nor against."""
    in_use: Flags
    candidate: Flags


def compare_models(
    in_use: Engine, candidate: Engine, corpus: Corpus, retrained: int
) -> dict[HeadName, tuple[Comparison | None, Comparison | None]]:
    """By head: on the user's rows that were held out, and on our held-out sentences."""
    rows = np.flatnonzero(corpus.held)
    texts = [corpus.examples[row].text for row in rows.tolist()]
    chosen = [_chosen(engine, texts) for engine in (in_use, candidate)]

    def on(name: HeadName, group: Flags) -> Comparison | None:
        among = (group & corpus.targets.judged(name))[rows]
        if name not in chosen[0] or not among.any():
            return None
        known = corpus.targets.known(name)[rows[among]]
        judged = Judged(known == 1, ~np.isnan(known), chosen[0][name][among], chosen[1][name][among])
        return compare(judged, macro=name != "topic", heads=max(retrained, 1))

    return {name: (on(name, corpus.users), on(name, ~corpus.users)) for name in HEAD_NAMES}


def agreement(
    in_use: Engine, candidate: Engine, corpus: Corpus, rows: NDArray[np.int64]
) -> dict[HeadName, tuple[Flags, Flags, Flags]]:
    """Return by head: of which of `rows` something is known, and which each model labels so; (n,) each."""
    texts = [corpus.examples[row].text for row in rows.tolist()]
    models = [_chosen(engine, texts) for engine in (in_use, candidate)]
    found: dict[HeadName, tuple[Flags, Flags, Flags]] = {}
    for name in models[0]:
        known = corpus.targets.known(name)[rows]
        said = ~np.isnan(known)
        judged = corpus.targets.judged(name)[rows]
        right = [((chosen[name] == (known == 1)) | ~said).all(axis=1) & judged for chosen in models]
        found[name] = judged, right[0], right[1]
    return found


def compare(judged: Judged, *, macro: bool, heads: int) -> Comparison:
    """Compare by the mean F1 of the labels that occur (`macro`), or by F1 over all cells.

    `heads` is how many heads are compared.
    """
    before, after = counts(judged, judged.in_use), counts(judged, judged.candidate)
    if not macro:
        before, after = (part.sum(axis=1, keepdims=True) for part in (before, after))
    rows = len(before)
    random = np.random.default_rng(SEED)
    parts = []
    left = DRAWS
    while left:
        size = min(left, max(_CELLS // max(rows, 1), 1))
        left -= size
        drawn = random.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(np.float64)
        pair = [score((drawn @ part.reshape(rows, -1)).reshape(size, -1, 3)) for part in (before, after)]
        parts.append(pair[1] - pair[0])
    differences = np.concatenate(parts)
    share = ALPHA / heads
    low, high = (float(value) for value in np.quantile(differences, [share, 1 - share]))
    in_use, candidate = (float(score(part.sum(axis=0, keepdims=True))[0]) for part in (before, after))
    luck = float(np.quantile(_by_chance(judged, random, macro=macro), 1 - share))
    verdict: Verdict = "no difference beyond chance"
    if low > 0:
        verdict = "better" if candidate > luck else "no better than luck"
    elif float(np.quantile(differences, 1 - ALPHA)) < 0 or candidate - in_use < -MAX_LOSS:
        verdict = "worse"
    return Comparison(
        rows=rows,
        in_use=round(in_use, 4),
        candidate=round(candidate, 4),
        low=round(low, 4),
        high=round(high, 4),
        luck=round(luck, 4),
        verdict=verdict,
    )


def _by_chance(judged: Judged, random: np.random.Generator, *, macro: bool) -> Floats:
    """Scores of what the candidate chose, with the labels dealt out anew among the rows."""
    scores = []
    for _ in range(PERMUTATIONS):
        order = random.permutation(len(judged.truth))
        dealt = Judged(judged.truth[order], judged.known[order], judged.in_use, judged.candidate)
        totals = counts(dealt, judged.candidate).sum(axis=0, keepdims=True)
        scores.append(score(totals if macro else totals.sum(axis=1, keepdims=True)))
    return np.concatenate(scores)


def counts(judged: Judged, chosen: Flags) -> Floats:
    """(n, labels, 3): hits, chosen, true."""
    truth, picked = judged.truth & judged.known, chosen & judged.known
    return np.stack([truth & picked, picked, truth], axis=2).astype(np.float64)


def score(totals: Floats) -> Floats:
    """(draws, labels, 3) -> (draws,), the mean F1 of the labels that occur; 0 where none does."""
    occurs = totals[:, :, 2] > 0
    return np.asarray((label_scores(totals) * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1))


def label_scores(totals: Floats) -> Floats:
    """(…, labels, 3) -> (…, labels), F1; 0 where a label is neither true nor chosen."""
    return np.asarray(2 * totals[..., 0] / np.maximum(totals[..., 1] + totals[..., 2], 1))


def one_hot(labels: NDArray[np.int64], count: int) -> Flags:
    """(n,) -> (n, count)."""
    return np.eye(count, dtype=bool)[labels]


def _chosen(engine: Engine, texts: Sequence[str]) -> dict[HeadName, Flags]:
    """What results would say: what reaches a threshold, the likeliest label, the nearest salience."""
    parts: dict[HeadName, list[Flags]] = {name: [] for name in HEAD_NAMES}
    initiative = engine.manifest.initiative_threshold
    for start in range(0, len(texts), _TEXTS_A_CALL):
        outputs = engine.run(texts[start : start + _TEXTS_A_CALL])
        parts["topic"].append(outputs.topics >= np.array(engine.manifest.thresholds, np.float32))
        parts["action"].append(one_hot(outputs.action.argmax(axis=1), outputs.action.shape[1]))
        parts["sentiment"].append(one_hot(outputs.sentiment.argmax(axis=1), outputs.sentiment.shape[1]))
        if initiative is not None:
            parts["salience"].append(np.rint(outputs.salience) >= np.array(LEVELS))
            parts["initiative"].append(outputs.initiative >= np.float32(initiative))
    return {name: np.concatenate(part) for name, part in parts.items() if part}
