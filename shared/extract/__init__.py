"""Turn a file into blocks of text in reading order, or say in a sentence why that cannot be done."""

from __future__ import annotations

from shared.extract.core import extract
from shared.extract.shapes import Block, BlockKind, Extracted, ExtractOptions, Limits

__all__ = ["Block", "BlockKind", "ExtractOptions", "Extracted", "Limits", "extract"]
