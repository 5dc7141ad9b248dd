"""Read the file of a delegated document within the job's limits, recognise pages, and plan the run.

Every task reads the file. The pages to be recognised are divided among the tasks, in shards, and stored one
by one. The task that finds all of them stored, and takes the last lease, assembles the document and plans it.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from long_job.delegated import Meter
from long_job.models import model_directory
from shared.documents import artefacts
from shared.documents.batches import drop_others
from shared.documents.model import Seconds
from shared.documents.planning import make_plan
from shared.documents.transitions import check_delegated
from shared.documents.uploads import upload_of
from shared.extract.shapes import from_json, to_json
from shared.inference.manifest import TOKENIZER_FILE, read_manifest
from shared.intake.fetch import password_of
from shared.intake.read import fetched, receive
from shared.platform.clients import storage_client
from shared.platform.errors import Superseded
from shared.platform.retry import storage_limits
from shared.platform.sealed import Seal
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from google.cloud.storage import Blob

    from long_job.delegated import DelegatedRun
    from long_job.ocr.recogniser import Recogniser
    from shared.documents.model import Document
    from shared.extract.shapes import RecognisedPage
    from shared.intake.read import Reading

SHARD_PAGES = 8
WAIT_SECONDS = 2.0
"""Between two looks at what other tasks have done."""
ASSEMBLY = "assembly"
"""The shard of the task that puts the pages together."""


class Pages:
    """Recognised pages of one run, kept in the work bucket until all of them are there.

    They hold text as it stands in the file: redaction needs all of its context. So they are encrypted, and
    deleted once the document is planned.
    """

    def __init__(self, document: str, run: int, generation: int) -> None:
        """Read the key."""
        # A document that was erased and comes again counts its runs from one.
        self._prefix = f"{artefacts.prefix(document, run)}ocr/{generation}/"
        self._bucket = storage_client().bucket(settings().work_bucket)
        self._seal = Seal("recognised pages")

    def stored(self) -> set[int]:
        """Return the numbers of the pages that are stored."""
        blobs = self._bucket.list_blobs(prefix=self._prefix, **storage_limits())
        names = (blob.name.removeprefix(self._prefix) for blob in blobs)
        return {int(name) for name in names if name.isdecimal()}

    def store(self, page: RecognisedPage) -> None:
        """Store a page; a page that was recognised twice is overwritten."""
        blob = self._blob(page.page)
        sealed = self._seal.close(to_json({page.page: page}), blob.name)
        blob.upload_from_string(sealed, content_type="application/octet-stream", **storage_limits())

    def load(self, number: int) -> RecognisedPage | None:
        """Return a stored page; None if it cannot be decrypted, and must be recognised again."""
        blob = self._blob(number)
        plain = self._seal.open(blob.download_as_bytes(raw_download=True, **storage_limits()), blob.name)
        try:
            return from_json(plain or b"")[number]
        except (ValueError, KeyError):
            blob.delete(**storage_limits())
            return None

    def delete(self) -> None:
        """Delete all of them."""
        for number in self.stored():
            artefacts.delete(self._blob(number))

    def _blob(self, number: int) -> Blob:
        return self._bucket.blob(f"{self._prefix}{number}")


class Reader:
    """Reads the file of one run."""

    def __init__(self, run: DelegatedRun, document: Document) -> None:
        """`document` is delegated, and not planned."""
        assert document.job is not None
        self._run, self._document = run, document
        self._pages = Pages(run.document, run.run, run.generation)
        self._model = model_directory(document.job.model)
        self._job = document.job
        self._event = upload_of(document)

    def read(self) -> bool:
        """Read the file; True once the run is planned, False if others are at work or this task must stop.

        Raises:
            Rejected: the file cannot be read within the job's limits.
            Superseded: the run is no longer the document's.
        """
        try:
            return self._read()
        except Superseded:
            if not artefacts.is_at(self._run.reference, self._run.run, self._run.generation):
                self._pages.delete()
            raise

    def _read(self) -> bool:
        with fetched(self._event, settings().for_job(), self._model / TOKENIZER_FILE) as path:
            first = self._receive(path, {}, defer_ocr=True)
            needed = first.facts.ocr_pages
            while self._recognise(path, needed):
                if self._is_planned():
                    return True
                if self._run.take(ASSEMBLY):
                    return self._assemble(path, first, needed)
                if not self._run.siblings_at_work():
                    return False
                time.sleep(WAIT_SECONDS)
        return False

    def _is_planned(self) -> bool:
        """Return whether another task has planned the run, which then deleted the pages."""
        return self._run.current().batches is not None

    def _recognise(self, path: Path, needed: list[int]) -> bool:
        """Recognise pages until all are stored; False if other tasks have the rest, or this one must stop."""
        shards = [needed[start : start + SHARD_PAGES] for start in range(0, len(needed), SHARD_PAGES)]
        meter = Meter(self._run, unit="pages", total=len(needed), count=lambda: len(self._pages.stored()))
        while left := set(needed) - self._pages.stored():
            if self._is_planned():
                return True
            moved = False
            for number in self._run.task.mine_first(len(shards)):
                pages = [page for page in shards[number] if page in left]
                if self._run.task.stop.is_set():
                    return False
                if pages and self._run.take(f"pages-{number}"):
                    moved = True
                    self._recognise_shard(path, pages, f"pages-{number}", meter)
            if not moved:
                if not self._run.siblings_at_work():
                    return False
                time.sleep(WAIT_SECONDS)
        return True

    def _recognise_shard(self, path: Path, pages: list[int], shard: str, meter: Meter) -> None:
        # Another task may have recognised some between the look and the lease.
        pages = sorted(set(pages) - self._pages.stored())
        for page in recogniser().recognise(path, pages, password=password_of(self._event.name)):
            self._pages.store(page)
            self._run.take(shard)
            meter.note()
            if self._run.task.stop.is_set():
                break
        self._run.release(shard)

    def _assemble(self, path: Path, first: Reading, needed: list[int]) -> bool:
        """Assemble the pages and plan the run."""
        recognised: dict[int, RecognisedPage] = {}
        for number in needed:
            page = self._pages.load(number)
            if page is None:
                return self._read()
            recognised[number] = page
        received = self._receive(path, recognised) if needed else first
        self._plan(received, sum(page.cpu_seconds for page in recognised.values()))
        self._pages.delete()
        self._run.release(ASSEMBLY)
        return True

    def _receive(
        self, path: Path, recognised: Mapping[int, RecognisedPage], *, defer_ocr: bool = False
    ) -> Reading:
        return receive(
            path,
            self._event,
            self._run.document,
            self._model / TOKENIZER_FILE,
            settings().for_job(),
            recognised=recognised,
            defer_ocr=defer_ocr,
        )

    def _plan(self, received: Reading, recognition: float) -> None:
        documents, reference = self._run.documents, self._run.reference
        document, run, generation = self._run.document, self._run.run, self._run.generation
        with artefacts.written(reference, run, generation, received.text, received.passages) as written:
            model = read_manifest(self._model).digest
            # Batches of an ingest that did not know yet that the job has this run.
            drop_others(
                documents,
                reference,
                run,
                (model, written.artefact),
                lambda current: check_delegated(current, run, generation),
            )
            record = documents.read_run(document, run)
            plan = make_plan(
                documents.client,
                self._document,
                restarts=record.restarts if record else None,
                facts=received.facts,
                written=written,
                model=model,
                seconds=Seconds(received.seconds.wall, received.seconds.cpu + recognition),
                job=self._job,
            )
            documents.plan_delegated(document, run, generation, plan)


@lru_cache(maxsize=1)
def recogniser() -> Recogniser:
    """Return the engine of text recognition, loaded on the first page that needs it."""
    from long_job.ocr.recogniser import Recogniser

    return Recogniser()
