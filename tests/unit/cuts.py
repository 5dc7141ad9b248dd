"""Passages as `segment` cuts them, and a tokenizer to measure them with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from shared.intake.read import read_file
from shared.platform.records import Passage
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.extract.shapes import RecognisedPage
    from shared.intake.read import Reading
    from shared.text.segment import Segmented

KEY = b"k" * 32


class Cutting(NamedTuple):
    """A document's text and its passages."""

    text: str
    passages: list[Passage]


def cutting(segmented: Segmented) -> Cutting:
    """All of what `segment` gives, as records."""
    text = segmented.text
    return Cutting(
        text,
        [
            Passage(
                index=index,
                page=cut.page,
                row=cut.row,
                span=(cut.start, cut.end),
                text=text[cut.start : cut.end],
                tokens=cut.tokens,
                section=text[slice(*cut.section)] if cut.section else None,
                label=cut.label,
                kind=cut.kind,
                box=cut.box,
                table=cut.table,
            )
            for index, cut in enumerate(segmented.cuts)
        ],
    )


def read_apart(
    path: Path,
    tokenizer: Path,
    name: str,
    *,
    password: str | None = None,
    recognised: Mapping[int, RecognisedPage] | None = None,
    defer_ocr: bool = False,
    key: bytes = KEY,
    metadata: Mapping[str, str] | None = None,
    **limits: float,
) -> Reading:
    """A file as ingest reads it; `limits` are settings."""
    return read_file(
        path,
        name=name,
        content_type=None,
        metadata=metadata or {},
        tokenizer=tokenizer,
        redaction_key=key,
        settings=Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p"}).model_copy(update=limits),
        password=password,
        recognised=recognised,
        defer_ocr=defer_ocr,
    )


def write_tokenizer(folder: Path) -> Path:
    """One to which a word is a word piece, as is a run of marks; there are two special ones on top."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path
