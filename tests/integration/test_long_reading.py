"""The job plans a document whose file it has read: it begins anew, and leaves nothing where it is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from long_job import reader as reading
from long_job.delegated import DelegatedRun
from long_job.reader import Reader
from long_job.task import Task
from shared.digests.store import erase
from shared.documents import artefacts, batches
from shared.documents.delegation import delegation
from shared.documents.model import Facts, Seconds
from shared.extract.shapes import RecognisedPage
from shared.intake.read import Reading
from shared.platform.clients import storage_client
from shared.platform.errors import Superseded
from shared.platform.records import Passage
from shared.platform.settings import settings
from tests.integration.documents_life import Life
from tests.integration.documents_parts import batch_of, commit
from tests.integration.documents_servers import serving_files

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSAGES = [Passage(index=0, span=(0, 4), text="Text", tokens=3)]
PAGE = RecognisedPage(page=1, width=1.0, height=1.0)
FACTS = Facts(sha256="sha", passages=1, tokens=3)
RECEIVED = Reading(FACTS, "Text", PASSAGES, Seconds(0.0, 0.0))


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore and storage."""
    with serving_files(tmp_path_factory.mktemp("long-reading")):
        yield


@pytest.fixture(autouse=True)
def _model_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task has before it reads."""
    monkeypatch.setattr("shared.platform.sealed.secret", lambda *_: b"key")
    monkeypatch.setattr(reading, "model_directory", lambda _: Path("model"))
    monkeypatch.setattr(reading, "read_manifest", lambda _: SimpleNamespace(digest="m"))


def delegated(life: Life) -> Reader:
    """Of a document that ingest handed over, perhaps with batches of an ingest before it."""
    claim = life.claim(1)
    commit(life.documents, batch_of(claim.id, 1, 1, 0, (0, 2)), range(2))
    life.documents.delegate(claim, delegation("ocr", 1.0, "m"), Facts())
    task = Task(execution="e", index=0, count=1, attempt=0)
    run = DelegatedRun(life.documents, task, claim.id, claim.run, 1)
    return Reader(run, run.current())


def names(reader: Reader) -> list[str]:
    prefix = f"runs/{reader._run.document}/"
    found = storage_client().list_blobs(settings().work_bucket, prefix=prefix)
    return sorted(blob.name.removeprefix(prefix) for blob in found)


def test_what_an_ingest_had_begun_is_dropped() -> None:
    """Of another cut, for instance: one that did not know yet that this document is the job's."""
    life = Life()
    reader = delegated(life)
    document = reader._run.document
    late = batch_of(document, 1, 1, 1, (2, 3))
    with pytest.raises(Superseded):
        batches.progress(life.documents, late)
    reader._plan(RECEIVED, 0.0)
    assert life.kept(document) == {"passages": set(), "batches": set()}
    [message] = artefacts.all_batches(reader._run.current())
    assert batches.progress(life.documents, message)[:2] == (0, False)
    assert artefacts.read_slice(message) == PASSAGES
    with pytest.raises(Superseded):
        batches.progress(life.documents, late)


@pytest.mark.parametrize("erased", [False, True])
def test_text_and_pages_go_where_the_plan_is_refused(
    monkeypatch: pytest.MonkeyPatch, *, erased: bool
) -> None:
    """The document was erased while its file was read, or the run was planned by another task."""
    life = Life()
    reader = delegated(life)
    run = reader._run

    def read(**_: Any) -> bool:
        if erased:
            erase(life.documents.client, run.document)
        else:
            reader._plan(RECEIVED, 0.0)
        reader._pages.store(PAGE)
        reader._plan(RECEIVED, 0.0)
        return True

    monkeypatch.setattr(reader, "_read", read)
    with pytest.raises(Superseded):
        reader.read()
    kept = [name for name in names(reader) if "/ocr/" not in name]
    assert len(kept) == (0 if erased else 3)
    assert (len(names(reader)) == 0) is erased


def test_pages_of_a_life_before_the_erasure_are_not_taken() -> None:
    """Runs are counted from one again."""
    reader = delegated(Life())
    reader._pages.store(PAGE)
    assert reader._pages.stored() == {1}
    assert reading.Pages(reader._run.document, 1, 2).stored() == set()
