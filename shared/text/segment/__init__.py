"""Cut a document into passages: one to a few whole sentences each, within the model's window."""

from __future__ import annotations

from shared.text.segment.core import MAX_SECTION, Cut, Segmented, SegmentLimits, segment
from shared.text.segment.pack import MAX_PASSAGE

__all__ = ["MAX_PASSAGE", "MAX_SECTION", "Cut", "SegmentLimits", "Segmented", "segment"]
