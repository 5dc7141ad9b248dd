"""What is done with a mutant in its process: the whole way that an upload takes up to its blocks."""

from __future__ import annotations

import resource
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shared.extract.core import extract
from shared.extract.shapes import ExtractOptions, Limits
from shared.extract.sniff import sniff
from shared.extract.zips import ARCHIVES, members
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 16


def read(path: Path, *, name: str, limits: dict[str, int]) -> Iterator[tuple[str, float, int]]:
    """Its outcome and what it took, as the only piece."""
    started = time.process_time()
    try:
        outcome = _outcome(path, name, ExtractOptions(limits=Limits(**limits)))
    except Rejected as rejected:
        outcome = f"rejected: {rejected.code}"
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield outcome, seconds, peak


def _outcome(path: Path, name: str, options: ExtractOptions) -> str:
    suffix = PurePosixPath(name).suffix
    media_type = (
        sniff(path, suffix=suffix, content_type="", limits=options.limits) if path.stat().st_size else ""
    )
    if media_type in ARCHIVES:
        for _, content in members(path, media_type, name, options.limits, []):
            while content.read(_CHUNK):
                pass
        return "unpacked"
    extracted = extract(path, name=name, content_type=None, options=options)
    assert any(block.text.strip() for block in extracted.blocks) or extracted.ocr_pages
    return f"read: {extracted.media_type}"
