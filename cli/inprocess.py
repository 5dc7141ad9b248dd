"""`headrace analyze`: the whole analysis in this process, without any stack."""

from __future__ import annotations

import tempfile
import time
from functools import partial as bound
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.documents.analysis import analyse
from shared.documents.model import Facts
from shared.extract.core import check_size
from shared.extract.zips import members
from shared.inference.engine import Engine
from shared.inference.manifest import TOKENIZER_FILE
from shared.intake.archives import INSIDE, Unpacked
from shared.intake.read import TEXT_COLUMN, limits_of, read_file, sha256_of
from shared.platform.errors import HeadraceError, Rejected
from shared.platform.settings import Settings
from shared.text.summary import combine, partial, summarise

if TYPE_CHECKING:
    from shared.platform.records import PassageResult

_SETTINGS = Settings(
    project="none", uploads_bucket="none", work_bucket="none", models_bucket="none", results_bucket="none"
)
_CHUNK = 1 << 20
_AT_ONCE = 1_024
"""Passages whose vectors are in memory together: each is 12 kB of Python numbers."""


def analyze(
    path: Path, *, model: Path, text_column: str | None = None, embeddings: bool = False
) -> dict[str, Any]:
    """Return `{document, passages}` of a file as Firestore stores them; of an archive its `members` too.

    Nothing is stored, so the pseudonyms that replace personal data are made with a key of the file's own: one
    person is one pseudonym within the file, and none across files.

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
        self._embeddings = embeddings

    def analyze(self, path: Path, name: str, *, is_member: bool = False) -> dict[str, Any]:
        started = time.monotonic()
        check_size(path, _SETTINGS.max_bytes)
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
            settings=_SETTINGS,
            unpack=None if is_member else lambda media_type: self._unpack(path, name, media_type, analyses),
        )
        can_recognise = find_spec("rapidocr") is not None  # a command line alone has it not
        reading = read(defer_ocr=can_recognise)
        if can_recognise and (pages := reading.facts.ocr_pages):
            from long_job.ocr.recogniser import Recogniser

            reading = read(recognised={page.page: page for page in Recogniser().recognise(path, pages)})
        if reading.facts.members is not None:
            document = self._document(path, name, reading.facts) | {"sha256": sha256}
            return {"document": document, "passages": [], "members": analyses}
        extracted = time.monotonic()
        aggregates, passages = [], []
        for start in range(0, len(reading.passages), _AT_ONCE):
            results = analyse(self._engine, reading.passages[start : start + _AT_ONCE]).results
            aggregates.append(partial(results))
            passages += [self._shape(result) for result in results]
        aggregate = combine(aggregates)
        ended = time.monotonic()
        result = {
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
        }
        document = self._document(path, name, reading.facts) | {"sha256": sha256} | result
        return {"document": document, "passages": passages}

    def _unpack(self, path: Path, name: str, media_type: str, analyses: list[dict[str, Any]]) -> Unpacked:
        """Analyze each of an archive's members, and append the results to `analyses`."""
        warnings: list[str] = []
        for member, content in members(path, media_type, name, limits_of(_SETTINGS), warnings):
            with tempfile.NamedTemporaryFile() as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
                file.flush()
                analyses.append(self._member(Path(file.name), f"{name}{INSIDE}{member}"))
        return Unpacked(len(analyses), warnings)

    def _member(self, path: Path, name: str) -> dict[str, Any]:
        try:
            return self.analyze(path, name, is_member=True)
        except Rejected as rejected:
            error = {"code": rejected.code, "message": rejected.message, "hint": rejected.hint}
            document = self._document(path, name, Facts(passages=0, tokens=0)) | {
                "state": "rejected",
                "error": error,
            }
            return {"document": document, "passages": []}

    def _document(self, path: Path, name: str, facts: Facts) -> dict[str, Any]:
        """Return the fields that every document has."""
        nothing = combine([])
        return {
            "id": None,
            "name": name,
            "generation": None,
            "state": "completed",
            "route": None,
            "progress": None,
            "size": path.stat().st_size,
            **facts.model_dump(),
            "sentiment": nothing.sentiment,
            "topics": nothing.topics,
            "initiatives": 0,
            "summary": [],
            "error": None,
            "timings": {},
            "model": self._engine.digest,
        }

    def _shape(self, result: PassageResult) -> dict[str, Any]:
        return result.model_dump(mode="json", exclude=None if self._embeddings else {"embedding"})
