"""What is shown of a document is of its published run, until a newer one is whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from long_job.backfill import begin
from shared.documents import search
from shared.documents.catalogue import Filters
from shared.documents.completion import finish
from shared.documents.delegation import delegation
from shared.documents.model import Facts
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.views import document_view
from shared.jobs.listing import FIELDS, Entry, entry_of
from shared.platform.clients import firestore_client
from shared.platform.records import ErrorInfo
from tests.integration.documents_life import SIZES, Life
from tests.integration.documents_parts import batch_of, commit, plan_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.documents.model import Plan

BROKEN = ErrorInfo(code="broken", message="It is broken.", hint="Mend it.")
OLD = {"title": "Report of 2024", "organisation": "Tarnholm", "pages": 9, "passages": 3, "warnings": ["old"]}
NEW = {"title": "Report of 2025", "organisation": "Quellen", "pages": 77, "passages": 3, "warnings": []}
LABELS = {"positive": 0, "neutral": 3, "negative": 0}


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("facts")):
        yield


def plan(document: str, run: int, facts: dict[str, Any], model: str = "m", copied: str | None = None) -> Plan:
    made = plan_of(f"{document}-{run}", SIZES)
    read = Facts(sha256=facts["title"], **facts)
    return replace(made, facts=read, batches=made.batches.altered(model=model), duplicate_of=copied)


def complete(life: Life, document: str, run: int, generation: int, model: str = "m") -> None:
    """Commit every batch of a planned run."""
    for number, bounds in enumerate(((0, SIZES[0]), (SIZES[0], sum(SIZES)))):
        batch = batch_of(document, run, generation, number, bounds).model_copy(update={"model": model})
        commit(life.documents, batch, range(*bounds))
    finish(life.documents, document, run)


def published() -> tuple[Life, str]:
    """A document whose first upload is analyzed."""
    life = Life()
    claim = life.claim(1)
    life.documents.plan(claim, plan(claim.id, 1, OLD, copied="another"))
    assert says(stored(claim.id)) == (OLD | {"model": "m", "duplicate_of": "another"})
    complete(life, claim.id, 1, 1)
    return life, claim.id


def stored(document: str) -> dict[str, Any]:
    return firestore_client().collection("documents").document(document).get().to_dict() or {}


def says(document: dict[str, Any]) -> dict[str, Any]:
    """What is shown of its file."""
    shown = document_view(document)
    return {name: shown[name] for name in (*OLD, "model", "duplicate_of")}


WAS = OLD | {"model": "m", "duplicate_of": "another"}
IS = NEW | {"model": "other", "duplicate_of": None}


def test_a_large_scan_is_analyzed_again() -> None:
    """What is said of each of its pages fits into a record once, but not twice; and it all stays shown."""
    pages = list(range(1, 15_001))
    read = [{"page": page, "confidence": 0.5 + page % 997 / 2000} for page in pages]
    scan = OLD | {"ocr_pages": pages, "recognised": read}
    life = Life()
    claim = life.claim(1)
    life.documents.plan(claim, plan(claim.id, 1, scan))
    complete(life, claim.id, 1, 1)
    life.documents.plan(life.claim(2), plan(claim.id, 2, scan | NEW | {"recognised": read[::2]}))
    shown = document_view(stored(claim.id))
    assert (shown["title"], shown["ocr_pages"], shown["recognised"]) == (OLD["title"], pages, read)


def test_a_newer_run_is_not_shown_before_it_is_whole() -> None:
    """It is planned, and fails: what is shown is of one run. Its replay completes, and all is of that."""
    life, document = published()
    life.documents.plan(life.claim(2), plan(document, 2, NEW, "other"))
    assert says(stored(document)) == WAS
    life.documents.fail(document, 2, 2, BROKEN)
    finish(life.documents, document)
    assert says(stored(document)) == WAS
    life.documents.plan(life.claim(2, restart=2), plan(document, 3, NEW, "other"))
    assert says(stored(document)) == WAS
    assert document_view(stored(document))["sentiment"] == LABELS
    complete(life, document, 3, 2, "other")
    assert stored(document)["published_run"] == 3
    assert says(stored(document)) == IS


def test_nor_is_one_that_the_job_reads() -> None:
    """It has facts when it is delegated, and others when it is planned."""
    life, document = published()
    facts = Facts.model_validate(NEW | {"pages": 76})
    life.documents.delegate(life.claim(2), delegation("ocr", 1.0, "other"), facts)
    assert says(stored(document)) == WAS
    life.documents.plan_delegated(document, 2, 2, plan(document, 2, NEW, "other"))
    assert says(stored(document)) == WAS
    complete(life, document, 2, 2, "other")
    assert says(stored(document)) == IS


def test_a_backfill_is_not_shown_before_it_is_whole() -> None:
    """It redoes the published run, also after a failed one of the same file that was cut otherwise."""
    life, document = published()
    life.documents.plan(life.claim(1, restart=1), plan(document, 2, NEW, "other"))
    life.documents.fail(document, 2, 1, BROKEN)
    finish(life.documents, document)
    asked = {name: stored(document)[name] for name in FIELDS if "." not in name}
    entry = entry_of(asked, "1")
    assert entry == Entry(document=document, generation="1", published_run=1, model="m", passages=3)
    assert begin(life.documents, entry, "b", "newest", "execution") == "begun"
    assert says(stored(document)) == WAS
    again = plan(document, 3, OLD, "newest")
    life.documents.plan_delegated(document, 3, 1, again)
    complete(life, document, 3, 1, "newest")
    assert says(stored(document)) == OLD | {"model": "newest", "duplicate_of": None}


def test_nothing_is_said_of_what_a_rejected_file_replaced() -> None:
    """Its title would be that of another content; digests have none either."""
    life, document = published()
    life.documents.plan(life.claim(2), plan(document, 2, NEW))
    life.documents.reject(life.claim(3), BROKEN)
    finish(life.documents, document)
    nothing = dict.fromkeys(OLD) | {"warnings": [], "model": None, "duplicate_of": None}
    assert says(stored(document)) == nothing
    assert stored(document)["sha256"] is None
    outcome = firestore_client().collection(OUTCOMES).document(document).get().to_dict() or {}
    assert (outcome["title"], outcome["organisation"], outcome["duplicate_of"]) == (None, None, None)
    life.documents.plan(life.claim(4), plan(document, 4, NEW))
    assert says(stored(document)) == NEW | {"model": "m", "duplicate_of": None}


def test_a_passage_is_found_under_the_title_that_it_stands_in() -> None:
    """The newer file's title is not that of the passages that are searched."""
    life, document = published()
    life.documents.plan(life.claim(2), plan(document, 2, NEW))
    passage = {"document": document, "run": 1, "index": 0, "page": 1, "row": None, "text": "", "score": 1.0}
    [hit] = search._published(firestore_client(), [passage], Filters())
    assert hit.title == OLD["title"]
