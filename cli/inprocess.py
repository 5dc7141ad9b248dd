"""`headrace analyze`: the whole analysis in this process, without any stack."""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import partial as bound
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.documents.analysis import analyze_passages
from shared.documents.figures import Packed, of_batch, plain
from shared.documents.model import Facts
from shared.extract.core import check_size
from shared.extract.zips import members
from shared.inference.engine import Engine
from shared.inference.manifest import TOKENIZER_FILE
from shared.intake.archives import Unpacked
from shared.intake.read import TEXT_COLUMN, limits_of, read_file, sha256_of
from shared.platform.errors import HeadraceError, Rejected
from shared.platform.records import INSIDE
from shared.platform.settings import Settings
from shared.text.datapoints import told_apart
from shared.text.lists import listing, summarise
from shared.text.summary import combine, partial

if TYPE_CHECKING:
    from shared.documents.figures import DocumentFigure, DocumentTable
    from shared.text.summary import Aggregate

SETTINGS = Settings(
    project="none", uploads_bucket="none", work_bucket="none", models_bucket="none", results_bucket="none"
)
_AT_ONCE = 1_024
"""Passages whose vectors are in memory together: each is 12 kB of Python numbers."""


def analyze(
    path: Path, *, model: Path, text_column: str | None = None, embeddings: bool = False
) -> dict[str, Any]:
    """Return `{document, passages, figures, tables}` of a file; of an archive its `members` too.

    Nothing is stored, so the pseudonyms that replace personal data are made with a key of the file's own: a
    person has the same pseudonym within the file, and another in other files.

    Raises:
        Rejected: the file is not something Headrace reads. A member of an archive has it as its `error`.
        SetupError: there is no model.
    """
    if not path.is_file():
        raise HeadraceError(f"There is no file {path}.")
    return _Analyst(model, text_column, embeddings=embeddings).analyze(path, path.name)


class _Analyst:
    def __init__(self, model: Path, text_column: str | None, *, embeddings: bool) -> None:
        self._engine = Engine(model)
        self._tokenizer = model / TOKENIZER_FILE
        self._metadata = {TEXT_COLUMN: text_column} if text_column else {}
        self._left_out = None if embeddings else {"embedding"}

    def analyze(self, path: Path, name: str, *, is_member: bool = False) -> dict[str, Any]:
        started = time.monotonic()
        check_size(path, SETTINGS.max_bytes)
        analyses: list[dict[str, Any]] = []
        sha256 = sha256_of(path)
        read = bound(
            read_file,
            path,
            name=name,
            content_type=None,
            metadata=self._metadata,
            tokenizer=self._tokenizer,
            redaction_key=bytes.fromhex(sha256),
            settings=SETTINGS,
            unpack=None if is_member else lambda media_type: self._unpack(path, name, media_type, analyses),
        )
        can_recognise = find_spec("rapidocr") is not None  # not installed with the command line alone
        reading = read(defer_ocr=can_recognise)
        if can_recognise and (pages := reading.facts.ocr_pages):
            from long_job.ocr.recogniser import Recogniser

            reading = read(recognised={page.page: page for page in Recogniser().recognise(path, pages)})
        if reading.facts.members is not None:
            document = self._document(path, name, reading.facts) | {"sha256": sha256}
            return {"document": document, "passages": [], **plain(Packed()), "members": analyses}
        extracted = time.monotonic()
        aggregates, passages = [], []
        figures: list[DocumentFigure] = []
        tables: list[DocumentTable] = []
        for start in range(0, len(reading.passages), _AT_ONCE):
            some = reading.passages[start : start + _AT_ONCE]
            results, candidates, _ = analyze_passages(self._engine, some)
            packed = of_batch(some, results)
            figures += packed.figures
            tables += packed.tables
            aggregates.append(partial(results, candidates))
            passages += [result.model_dump(mode="json", exclude=self._left_out) for result in results]
        aggregate = combine(aggregates)
        ended = time.monotonic()
        seconds = {"extract": extracted - started, "infer": ended - extracted, "total": ended - started}
        document = self._document(path, name, reading.facts, aggregate) | {
            "sha256": sha256,
            "timings": {f"{step}_seconds": round(spent, 3) for step, spent in seconds.items()},
        }
        found = Packed(figures=tuple(told_apart(figures)), tables=tuple(tables))
        return {"document": document, "passages": passages} | plain(found)

    def _unpack(self, path: Path, name: str, media_type: str, analyses: list[dict[str, Any]]) -> Unpacked:
        """Analyze each of an archive's members, and append the results to `analyses`."""
        warnings: list[str] = []
        for member, content in members(path, media_type, name, limits_of(SETTINGS), warnings):
            with tempfile.NamedTemporaryFile() as file:
                shutil.copyfileobj(content, file)
                file.flush()
                analyses.append(self._member(Path(file.name), f"{name}{INSIDE}{member}"))
        return Unpacked(len(analyses), warnings)

    def _member(self, path: Path, name: str) -> dict[str, Any]:
        try:
            return self.analyze(path, name, is_member=True)
        except Rejected as rejected:
            error = {"code": rejected.code, "message": rejected.message, "hint": rejected.hint}
            document = self._document(path, name, Facts(passages=0, tokens=0))
            rejection = {"state": "rejected", "error": error}
            return {"document": document | rejection, "passages": [], **plain(Packed())}

    def _document(
        self, path: Path, name: str, facts: Facts, aggregate: Aggregate | None = None
    ) -> dict[str, Any]:
        """Return the fields that every document has."""
        results = aggregate or combine([])
        return {
            **dict.fromkeys(("id", "generation", "route", "progress", "error")),
            "name": name,
            "state": "completed",
            "size": path.stat().st_size,
            **facts.model_dump(),
            "sentiment": results.sentiment,
            "topics": results.topics,
            "initiatives": results.initiatives,
            "summary": [sentence.model_dump() for sentence in summarise(results)],
            "incidents": [sentence.model_dump() for sentence in listing(results.candidates, "incidents")],
            "initiatives_top": [
                sentence.model_dump() for sentence in listing(results.candidates, "initiatives")
            ],
            "timings": {},
            "model": self._engine.digest,
        }
