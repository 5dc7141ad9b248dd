"""The file of a delegated document: extracted within the job's limits, its pages recognised where need be.

Every task reads the file; the pages to be recognised are divided among them, in shards, and kept one by one.
Whoever finds all of them there, and nobody else at it, puts the document together and plans it.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from long_job.models import model_directory
from long_job.pages import Pages
from long_job.progress import Meter
from shared.documents import artefacts
from shared.documents.batches import drop_others
from shared.documents.delegation import plan_delegated
from shared.documents.sources import content_key, find_source
from shared.documents.transitions import Claim, Plan, Seconds, check_delegated
from shared.documents.uploads import upload_of
from shared.inference.manifest import TOKENIZER_FILE, read_manifest
from shared.intake.receive import fetched, password_of, receive
from shared.platform.clients import firestore_client
from shared.platform.errors import Superseded
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from long_job.document import Subject
    from long_job.ocr import Recogniser
    from shared.documents.artefacts import Written
    from shared.extract.recognised import RecognisedPage
    from shared.intake.receive import Received
    from shared.platform.records import Source

SHARD_PAGES = 8
WAIT_SECONDS = 2.0
"""Between two looks at what the other tasks have done."""
ASSEMBLY = "assembly"


class Reader:
    """Reads one run's file."""

    def __init__(self, subject: Subject, stored: dict[str, Any]) -> None:
        """`stored` is the document."""
        self._subject = subject
        self._reference = subject.documents.reference(subject.document)
        self._leases = subject.leases()
        self._pages = Pages(subject.document, subject.run, subject.generation)
        self._model = model_directory(stored["model"])
        self._job = stored["job"]
        self._event = upload_of(stored)

    def read(self) -> bool:
        """True once the run is planned; False where others are at it, or this task is to stop.

        Raises:
            Rejected: it cannot be read within the job's limits.
            Superseded: the run is not the document's any more.
        """
        try:
            return self._read()
        except Superseded:
            subject = self._subject
            if not artefacts.is_at(self._reference, subject.run, subject.generation):
                self._pages.delete()
            raise

    def _read(self) -> bool:
        with fetched(self._event, settings().for_job(), self._model / TOKENIZER_FILE) as path:
            first = self._receive(path, {}, defer_ocr=True)
            needed = first.reading.facts["ocr_pages"]
            while self._recognise(path, needed):
                if self._is_planned():
                    return True
                if self._leases.take(ASSEMBLY):
                    return self._assemble(path, first, needed)
                if not self._leases.siblings_at_work():
                    return False
                time.sleep(WAIT_SECONDS)
        return False

    def _is_planned(self) -> bool:
        """By another task, which then deleted the pages."""
        return self._subject.stored()["batches"] is not None

    def _recognise(self, path: Path, needed: list[int]) -> bool:
        """True once every page is there, or was; False where the rest is others' or this task is to stop."""
        shards = [needed[start : start + SHARD_PAGES] for start in range(0, len(needed), SHARD_PAGES)]
        meter = self._meter(len(needed))
        while left := set(needed) - self._pages.stored():
            if self._is_planned():
                return True
            moved = False
            for number in self._subject.task.mine_first(len(shards)):
                pages = [page for page in shards[number] if page in left]
                if self._subject.task.stop.is_set():
                    return False
                if pages and self._leases.take(f"pages-{number}"):
                    moved = True
                    self._recognise_shard(path, pages, f"pages-{number}", meter)
            if not moved:
                if not self._leases.siblings_at_work():
                    return False
                time.sleep(WAIT_SECONDS)
        return True

    def _recognise_shard(self, path: Path, pages: list[int], shard: str, meter: Meter) -> None:
        # Another task may have recognised some between the look and the lease.
        pages = sorted(set(pages) - self._pages.stored())
        for page in recogniser().recognise(path, pages, password=password_of(self._event.name)):
            self._pages.store(page)
            self._leases.take(shard)
            meter.note()
            if self._subject.task.stop.is_set():
                break
        self._leases.release(shard)

    def _assemble(self, path: Path, first: Received, needed: list[int]) -> bool:
        """Put the pages together and plan the document."""
        recognised: dict[int, RecognisedPage] = {}
        for number in needed:
            page = self._pages.load(number)
            if page is None:
                return self._read()
            recognised[number] = page
        received = self._receive(path, recognised) if needed else first
        self._plan(received, sum(page.cpu_seconds for page in recognised.values()))
        self._pages.delete()
        self._leases.release(ASSEMBLY)
        return True

    def _receive(
        self, path: Path, recognised: Mapping[int, RecognisedPage], *, defer_ocr: bool = False
    ) -> Received:
        return receive(
            path,
            self._event,
            self._subject.document,
            self._model / TOKENIZER_FILE,
            settings().for_job(),
            recognised=recognised,
            defer_ocr=defer_ocr,
        )

    def _plan(self, received: Received, recognition: float) -> None:
        subject, reading = self._subject, received.reading
        with artefacts.written(
            self._reference, subject.run, subject.generation, reading.text, reading.passages
        ) as stored:
            plan = self._plan_of(received, recognition, stored)
            documents, run, generation = subject.documents, subject.run, subject.generation
            # Of an ingest that did not know yet that this is the job's.
            drop_others(
                documents,
                self._reference,
                run,
                (plan.model, plan.artefact),
                lambda found: check_delegated(found, run, generation),
            )
            plan_delegated(documents, subject.document, run, generation, plan)

    def _plan_of(self, received: Received, recognition: float, stored: Written) -> Plan:
        seconds = Seconds(received.seconds.wall, received.seconds.cpu + recognition)
        subject = self._subject
        model = read_manifest(self._model).digest
        key = content_key(self._event, received.sha256, model)
        source = self._source(key)
        return Plan(
            facts=received.facts,
            batches=len(stored.ranges),
            model=model,
            artefact=stored.artefact,
            content_key=key,
            duplicate_of=source.document if source and source.document != subject.document else None,
            seconds=seconds,
            job=self._job | {"source": source.model_dump() if source else None},
        )

    def _source(self, key: str) -> Source | None:
        run = self._reference.collection("runs").document(str(self._subject.run)).get().to_dict() or {}
        event = self._event.model_copy(update={"restart_run": run.get("restarts")})
        claim = Claim(self._subject.document, self._subject.run, 0)
        return find_source(firestore_client(), key, claim, event)

    def _meter(self, pages: int) -> Meter:
        return Meter(
            self._subject.documents,
            self._subject.document,
            self._subject.run,
            unit="pages",
            total=pages,
            count=lambda: len(self._pages.stored()),
            tasks=self._subject.task.count,
        )


@lru_cache(maxsize=1)
def recogniser() -> Recogniser:
    """The engine of text recognition, loaded on the first page that needs it."""
    from long_job.ocr import Recogniser

    return Recogniser()
