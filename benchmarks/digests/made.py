"""Documents made up for digests, stored as the pipeline stores them: passages, aggregate, outcome."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.documents import outcomes
from shared.documents.figures import coded
from shared.documents.model import Document, Timings
from shared.documents.passages import write_passages
from shared.documents.quotable import keep
from shared.documents.store import COLLECTION, document_id
from shared.platform.records import Action, BatchMessage, ErrorInfo, PassageResult, Sentiment, TopicScore
from shared.platform.transaction import RawTransaction
from shared.text.figures import figures
from shared.text.summary import combine, partial, stand_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from google.cloud import firestore

    from shared.platform.records import ActionLabel, SentimentLabel, State
    from shared.text.summary import Aggregate

DIMENSIONS = 384
BATCH = 64
SPACE = "made-up"
TOPICS = ("E1", "E2", "E3", "E5", "S1", "S4", "G1")
THINGS = (
    "the boilers of the dye house", "the river intake", "the packing hall", "night shift rosters",
    "the paint line", "delivery vans", "solvent drums", "the apprentices' workshop", "supplier audits",
    "the staff canteen", "the waste yard", "compressors", "the loading bay", "safety harnesses",
    "pallet returns", "the complaints desk",
)  # fmt: skip
PLACES = ("Elmsford", "Tarnholm", "Ostwick", "Velm", "Harrow Quay", "Sundby", "Lowmoor", "Castra")
PLANNED = (
    "Our company will replace {thing} at the {place} works by {year}, which is to save {number} MWh a year."
)
DONE = "In {year} the team replaced {thing} at the {place} works and has saved {number} MWh since then."
BAD = "Because of {thing} the {place} works stood still for {number} days in {year} and paid a heavy fine."
GOOD = "Thanks to {thing} the {place} works won the regional award of {year} among {number} entries."
PLAIN = "During {year} the {place} works kept records of {thing} on {number} days as in former times."


def vector(*seeds: tuple[object, float]) -> list[float]:
    """Return a unit vector: a sum of random directions, each named and weighed."""
    total = np.zeros(DIMENSIONS)
    for seed, weight in seeds:
        drawn = np.random.default_rng(abs(hash_of(seed))).normal(size=DIMENSIONS)
        total += weight * drawn / np.linalg.norm(drawn)
    return [float(part) for part in total / np.linalg.norm(total)]


def hash_of(seed: object) -> int:
    """Return a hash that is the same in every process."""
    return random.Random(str(seed)).getrandbits(48)  # noqa: S311 - no secret


def passage(  # noqa: PLR0913 - what a model says of a passage
    index: int,
    text: str,
    topics: Sequence[str] = (),
    *,
    mood: SentimentLabel | None = "neutral",
    action: ActionLabel = "none",
    embedding: list[float] | None = None,
    space: str = SPACE,
    sure: float = 0.9,
    salience: float | None = None,
) -> PassageResult:
    """Return a passage as the model reads it; without a mood, in a language that it does not know."""
    scores: dict[SentimentLabel, float] = dict.fromkeys(("positive", "neutral", "negative"), (1 - sure) / 2)
    actions: dict[ActionLabel, float] = dict.fromkeys(("implemented", "planned", "none"), 0.05)
    if mood:
        scores[mood] = sure
    actions[action] = 0.9
    return PassageResult(
        index=index,
        page=index // 4 + 1,
        row=None,
        span=(0, len(text)),
        text=text,
        sentiment=Sentiment(label=mood, scores=scores) if mood else None,
        topics=[TopicScore(name=name, score=0.9) for name in topics] if mood else [],
        action=Action(label=action, scores=actions) if mood else None,
        salience=salience,
        initiative=bool(mood and topics) and action != "none",
        initiative_score=sure if action != "none" else 0.1,
        figures=figures(text),
        embedding=embedding or vector((text, 1.0)),
        space=space,
    )


def passages(seed: int, count: int, year: int) -> list[PassageResult]:
    """Return the passages of a document: a third are initiatives, some are bad news and good."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    made = []
    bent = chance.random()  # some documents are on climate rather than on people
    for index in range(count):
        topic = chance.choice(TOPICS[:3] if chance.random() < bent else TOPICS)
        thing, place = chance.choice(THINGS), chance.choice(PLACES)
        kind = chance.choices((PLANNED, DONE, BAD, GOOD, PLAIN), (12, 15, 6, 6, 61))[0]
        text = kind.format(thing=thing, place=place, year=year, number=chance.randrange(3, 900))
        moods: dict[str, SentimentLabel] = {BAD: "negative", GOOD: "positive"}
        actions: dict[str, ActionLabel] = {PLANNED: "planned", DONE: "implemented"}
        embedding = vector((thing, 1.0), (place, 0.7), (topic, 0.3), ((seed, index), 0.5))
        made.append(
            passage(
                index,
                text,
                [topic] if kind is not PLAIN or chance.random() < 0.5 else [],
                mood=moods.get(kind, "neutral"),
                action=actions.get(kind, "none"),
                embedding=embedding,
                sure=round(chance.uniform(0.55, 0.99), 3),
            )
        )
    return made


def aggregate(results: Sequence[PassageResult]) -> Aggregate:
    """Return the aggregate that completion makes of the batches' records."""
    batches = (results[at : at + BATCH] for at in range(0, len(results), BATCH))
    return combine(partial(batch, [stand_in(result, result.text) for result in batch]) for batch in batches)


def record(  # noqa: PLR0913 - what a document's record says
    name: str,
    at: datetime,
    *,
    organisation: str | None = None,
    year: int | None = None,
    bucket: str = "made-up-uploads",
    language: str | None = "en",
    members: int | None = None,
    duplicate_of: str | None = None,
    run: int = 1,
    state: State = "completed",
) -> dict[str, Any]:
    """Return the part of `documents/{id}` that digests read."""
    uploaded = at - timedelta(seconds=30)
    return Document(
        id=document_id(bucket, name),
        bucket=bucket,
        name=name,
        size=1,
        content_type=None,
        metadata={},
        created_at=uploaded,
        updated_at=at,
        run=run,
        published_run=run if state == "completed" else None,
        generation=1,
        state=state,
        organisation=organisation,
        year=year,
        title=name.rpartition("/")[2].removesuffix(".pdf").capitalize(),
        language=language,
        members=members,
        duplicate_of=duplicate_of,
        received_at=uploaded,
        waiting_since=uploaded,
        timings=Timings(uploaded_at=uploaded, claimed_at=uploaded, completed_at=at),
    ).model_dump()


def store(
    client: firestore.Client,
    stored: dict[str, Any],
    of: Aggregate,
    results: Sequence[PassageResult] = (),
) -> None:
    """Store a document that completed at its time, with its passages if they are given."""
    store_all(client, [(stored, of)])
    reference = client.collection(COLLECTION).document(stored["id"])
    for start in range(0, len(results), BATCH):
        part = list(results[start : start + BATCH])
        message = BatchMessage(
            document=stored["id"],
            run=stored["run"],
            generation=int(stored["generation"]),
            model="made-up",
            batch=start // BATCH,
            lanes=1,
            start=start,
            end=start + len(part),
            byte_start=0,
            byte_end=1,
            artefact="runs/made-up/",
        )
        raw = RawTransaction(client)
        raw._begin()  # noqa: SLF001 - as above
        write_passages(raw, reference, message, part)
        raw.commit()


def store_all(client: firestore.Client, several: Sequence[tuple[dict[str, Any], Aggregate]]) -> None:
    """Store documents that completed at their times, in one commit."""
    transaction = client.transaction()
    transaction._begin()  # noqa: SLF001 - a transaction that reads nothing and cannot meet another
    for stored, of in several:
        transaction.set(client.collection(COLLECTION).document(stored["id"]), stored)
        first = stored["timings"]["completed_at"]
        outcomes.write_completed(
            transaction,
            client,
            Document.model_validate(stored),
            outcomes.counted(of, keep(of)) | coded([]),
            first=first,
        )
    transaction.commit()


def store_problem(
    client: firestore.Client,
    stored: dict[str, Any],
    state: Literal["rejected", "failed"],
    error: ErrorInfo,
    at: datetime,
) -> None:
    """Store a document whose newest run was rejected or failed at that time."""
    transaction = client.transaction()
    transaction._begin()  # noqa: SLF001 - as above
    ended = {"state": state, "error": error.model_dump()}
    transaction.set(client.collection(COLLECTION).document(stored["id"]), stored | ended)
    outcomes.write_problem(transaction, client, Document.model_validate(stored | ended))
    transaction.commit()
    client.collection(outcomes.COLLECTION).document(stored["id"]).update({"problem.at": at})


MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
"""The window that is measured begins then, and lasts a week."""
