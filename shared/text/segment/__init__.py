"""Cut a document into passages: one to a few whole sentences each, within the model's window."""

from __future__ import annotations

from shared.text.segment.core import Segmented, SegmentLimits, segment

__all__ = ["SegmentLimits", "Segmented", "segment"]
