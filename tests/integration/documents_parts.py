"""What moves a document on in tests: plans, batches and results, made of generations and indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.documents import completion
from shared.documents.model import Batches, Facts, Plan, Seconds
from shared.platform.records import Action, BatchMessage, PassageResult, Sentiment
from shared.text.summary import partial

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.documents.store import Documents

NO_TIME = Seconds(0.0, 0.0)
ARTEFACT = "a/"


def text_of(generation: int, index: int) -> str:
    return f"Passage {index} of generation {generation}."


def result_of(generation: int, index: int) -> PassageResult:
    text = text_of(generation, index)
    scores = {"positive": 0.25, "neutral": 0.5, "negative": 0.25}
    return PassageResult(
        index=index,
        page=None,
        row=None,
        span=(0, len(text)),
        text=text,
        sentiment=Sentiment.model_validate({"label": "neutral", "scores": scores}),
        topics=[],
        action=Action(label="none", scores={"implemented": 0.25, "planned": 0.25, "none": 0.5}),
        figures=[],
        embedding=[1.0, 0.0, 0.0],
    )


def plan_of(content_key: str, sizes: Sequence[int]) -> Plan:
    """Of so many batches of so many passages."""
    passages = sum(sizes)
    batches = Batches(total=len(sizes), passages=passages, model="m", artefact=ARTEFACT)
    return Plan(Facts(passages=passages), batches, content_key, None, None, NO_TIME)


def batch_of(
    document: str, run: int, generation: int, batch: int, passages: tuple[int, int], lanes: int = 1
) -> BatchMessage:
    """A batch of passages [start, end)."""
    start, end = passages
    return BatchMessage(
        document=document,
        run=run,
        generation=generation,
        model="m",
        batch=batch,
        lanes=lanes,
        start=start,
        end=end,
        byte_start=0,
        byte_end=1,
        artefact=ARTEFACT,
    )


def commit(documents: Documents, message: BatchMessage, indexes: Iterable[int]) -> None:
    """Commit these passages of a batch, as `analyze` does."""
    results = [result_of(message.generation, index) for index in indexes]
    completion.commit(documents, message, [], results, [partial(results)], NO_TIME)
