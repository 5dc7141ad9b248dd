"""Follow plans of a report into the next one: implemented, still planned, mentioned, or not mentioned again.

A plan is first compared with the sentences that were kept of the next report, then, while it is open, with
all of its passages: those kept are the best few hundred, and what is not among them may be said all the same.

`NEAR` and `FAR` were chosen on the 123 plans of five real reports and what the years after say of them: 70 of
75 that were found were found in the right place, and 11 of 12 that were not are absent (docs/compare.md).
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from pydantic import NonNegativeInt

from shared.documents.outcomes import unpack
from shared.documents.search import like
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from google.cloud import firestore
    from numpy.typing import NDArray

    Near = list[dict[str, Any]]
    """Passages with their `score`, the nearest first."""
    Look = Callable[[Sequence["Sentence"], "Report"], Sequence[Near | None]]
    """Returns the passages of a report that are nearest to each sentence; None where there was no time."""

MAX_PLANS = 60
"""Plans of a report that are followed: those that matter most."""
NEAR = 0.76
"""Cosine from which a sentence or passage is about the same thing as a plan."""
FAR = 0.58
"""Cosine below which it is about something else. What lies between cannot be decided, and says so."""
MIN_PASSAGES = 20
"""Passages of the next report, for the absence of a plan to mean something."""
NEAREST = 4
"""Passages that are looked at for each plan that is open."""
LOOKING = 8
"""Queries for them at once."""
LOOK_SECONDS = 6.0
"""How long these queries may take together."""

Status = Literal["implemented", "planned", "mentioned", "unclear", "not mentioned"]
TITLES: dict[Status, str] = {
    "implemented": "Planned before, implemented now",
    "planned": "Planned before and now",
    "mentioned": "Planned before, mentioned now",
    "unclear": "Planned before, perhaps mentioned now",
    "not mentioned": "Planned before, not mentioned again",
}
"""What became of a plan, as people read it."""
STATUSES: tuple[Status, ...] = get_args(Status)


class Quote(Record):
    """A sentence or passage, and where it stands."""

    text: str
    topics: list[str]
    document: str
    index: NonNegativeInt
    """Number of the passage."""
    page: int | None
    row: int | None


class Followed(Record):
    """A plan, and what the next report says of it."""

    status: Status
    """`mentioned` where what is near says neither; `unclear` where something is alike, but not enough."""
    similarity: float
    """Cosine of what is nearest."""
    side: NonNegativeInt
    """Which side planned it; the next one is where it was looked for."""
    plan: Quote
    now: Quote | None
    """What is nearest; None where the plan is not mentioned."""


class Sentence(NamedTuple):
    """A sentence that was kept of a document."""

    document: str
    kept: dict[str, Any]
    """Fields of `Kept`."""
    space: str | None
    """Only vectors of the same space can be compared."""
    vector: NDArray[np.float32]
    """(d,), unit length."""


class Report(NamedTuple):
    """What following plans needs of a side."""

    label: str
    passages: int
    runs: dict[str, int]
    """The published run of each document."""
    sentences: list[Sentence]


class _Evidence(NamedTuple):
    """Something of the next report that is like a plan."""

    score: float
    status: Status
    """What became of the plan, if this is about the same thing."""
    quote: Quote


def kept_sentences(stored: Mapping[str, Any]) -> Iterator[Sentence]:
    """Yield the sentences of a document's outcome, as Firestore has it."""
    kept = unpack(stored["items"]) if stored.get("items") else []
    if kept:
        whole = np.frombuffer(stored["vectors"], np.int8).reshape(len(kept), -1).astype(np.float32)
        unit = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1)
        yield from map(Sentence, repeat(stored["document"]), kept, repeat(stored.get("space")), unit)


def follow(
    before: Report, now: Report, side: int, look: Look | None = None
) -> tuple[list[Followed], list[str]]:
    """Return what the next report says of each plan, the clearest of each status first; and notes.

    Without `look` only the sentences that were kept are compared, and nothing counts as not mentioned.
    """
    planned = sorted((each for each in before.sentences if _action(each.kept) == "planned"), key=_weight)
    spaces = {each.space for each in now.sentences}
    plans = [each for each in planned[:MAX_PLANS] if each.space in spaces]
    nearest = [_nearest_kept(plan, now) for plan in plans]
    at = [n for n, each in enumerate(nearest) if each.score < NEAR or each.status == "mentioned"]
    looked: dict[int, Near | None] = dict.fromkeys(at)
    if look and at:
        looked = dict(zip(at, look([plans[n] for n in at], now), strict=True))
    followed = []
    for n, plan in enumerate(plans):
        passages = looked.get(n)
        best = _best([nearest[n], *(_of_passage(plan, each) for each in passages or ())])
        absent = best.score < FAR and passages is not None and now.passages >= MIN_PASSAGES
        undecided: Status = "not mentioned" if absent else "unclear"
        followed.append(
            Followed(
                status=best.status if best.score >= NEAR else undecided,
                similarity=round(best.score, 4),
                side=side,
                plan=_quote(plan.document, plan.kept),
                now=None if absent else best.quote,
            )
        )
    unseen = sum(each is None for each in looked.values()) if look else 0
    left = (
        (len(planned[MAX_PLANS:]), "of less weight were not followed"),
        (len(planned[:MAX_PLANS]) - len(plans), "were not followed: another model read what comes after"),
        (unseen, "were not looked for in all passages: time ran out"),
    )
    notes = [f"{count} plans of {before.label} {why}." for count, why in left if count]
    return sorted(followed, key=_clearest_first), notes


def _clearest_first(each: Followed) -> tuple[int, float]:
    sign = 1 if each.status == "not mentioned" else -1
    return STATUSES.index(each.status), sign * each.similarity


def _nearest_kept(plan: Sentence, now: Report) -> _Evidence:
    """Return what is nearest to a plan among the sentences kept of the next report."""
    comparable = [each for each in now.sentences if each.space == plan.space]
    scores = np.stack([each.vector for each in comparable]) @ plan.vector
    return _best(
        _Evidence(float(score), _status(plan, kept, _action(kept)), _quote(document, kept))
        for (document, kept, _, _), score in zip(comparable, scores, strict=True)
    )


def _of_passage(plan: Sentence, passage: dict[str, Any]) -> _Evidence:
    kept = passage | {"topics": passage.get("topic_names") or []}
    action = (passage.get("action") or {}).get("label", "none")
    return _Evidence(passage["score"], _status(plan, kept, action), _quote(passage["document"], kept))


def _status(plan: Sentence, other: Mapping[str, Any], action: str) -> Status:
    """Return what became of a plan, if another text is about the same thing."""
    if action == "none" or set(plan.kept["topics"]).isdisjoint(other["topics"]):
        return "mentioned"
    return "implemented" if action == "implemented" else "planned"


def _best(found: Iterable[_Evidence]) -> _Evidence:
    """Return the nearest; of those about the same thing, the nearest that says what became of the plan."""
    return max(found, key=lambda each: (each.score >= NEAR and each.status != "mentioned", each.score))


def _action(kept: Mapping[str, Any]) -> str:
    """Return the action of a sentence that is an initiative, else "none"."""
    return str(kept["action"]) if "initiative" in kept["roles"] else "none"


def _weight(plan: Sentence) -> float:
    """Return a key by which the plans come first that matter most and are surest to be some."""
    likely = plan.kept.get("initiative_score")
    return -float(plan.kept.get("worth", 0.0)) * (1.0 if likely is None else float(likely) ** 2)


def _quote(document: str, kept: Mapping[str, Any]) -> Quote:
    fields = {name: kept[name] for name in ("text", "topics", "index", "page", "row")}
    return Quote(document=document, **fields)


def nearest_passages(
    client: firestore.Client, plans: Sequence[Sentence], now: Report
) -> Sequence[Near | None]:
    """Return the passages of a report that are nearest to each plan; None where there was no time."""
    until = time.monotonic() + LOOK_SECONDS
    pool = ThreadPoolExecutor(LOOKING)

    def ask(plan: Sentence) -> Near:
        vector, space = plan.vector.tolist(), plan.space or ""
        found = (like(client, vector, space=space, document=each, limit=NEAREST) for each in now.runs)
        passages = [each for near in found for each in near if each["run"] == now.runs[each["document"]]]
        return sorted(passages, key=lambda each: -each["score"])[:NEAREST]

    asked = [pool.submit(ask, plan) for plan in plans]
    try:
        done, _ = wait(asked, timeout=max(until - time.monotonic(), 0))
        return [each.result() if each in done else None for each in asked]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
