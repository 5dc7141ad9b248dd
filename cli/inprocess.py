"""`headrace analyze`: the whole analysis in this process, without any stack."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from shared.analysis import analyse
from shared.errors import HeadraceError
from shared.inference import Engine, TokenCounter
from shared.reading import TEXT_COLUMN, read_file, sha256_of
from shared.settings import Settings
from shared.summary import combine, partial, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from shared.records import PassageResult


def analyze(
    path: Path, *, model: Path, text_column: str | None = None, embeddings: bool = False
) -> dict[str, Any]:
    """`{document, passages}` of a file, in the shapes that Firestore stores.

    Nothing is stored, so the pseudonyms that replace personal data are made with a key of the file's own: one
    person is one pseudonym within the file, and none across files.

    Raises:
        Rejected: the file is not something Headrace reads.
        SetupError: there is no model.
    """
    if not path.is_file():
        raise HeadraceError(f"There is no file {path}.")
    started = time.monotonic()
    sha256 = sha256_of(path)
    engine = Engine(model)
    reading = read_file(
        path,
        name=path.name,
        content_type=None,
        metadata={TEXT_COLUMN: text_column} if text_column else {},
        count=TokenCounter(model / "tokenizer.json").count_batch,
        redaction_key=bytes.fromhex(sha256),
        settings=Settings(project="none", uploads_bucket="none", work_bucket="none"),
    )
    extracted = time.monotonic()
    results = analyse(engine, reading.passages).results
    aggregate = combine([partial(results)])
    ended = time.monotonic()
    document = {
        "id": None,
        "name": path.name,
        "generation": None,
        "state": "completed",
        "route": None,
        "sha256": sha256,
        "size": path.stat().st_size,
        **reading.facts,
        "sentiment": aggregate.sentiment,
        "topics": aggregate.topics,
        "initiatives": aggregate.initiatives,
        "summary": [sentence.model_dump() for sentence in summarise(aggregate)],
        "error": None,
        "timings": {
            "extract_seconds": round(extracted - started, 3),
            "infer_seconds": round(ended - extracted, 3),
            "total_seconds": round(ended - started, 3),
        },
        "model": engine.digest,
    }
    return {"document": document, "passages": [_shape(result, embeddings=embeddings) for result in results]}


def _shape(result: PassageResult, *, embeddings: bool) -> dict[str, Any]:
    return result.model_dump(mode="json", exclude=None if embeddings else {"embedding"})
