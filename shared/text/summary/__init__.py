"""Results to a summary: each batch leaves a partial aggregate, the last one combines them and picks."""

from __future__ import annotations

from shared.text.summary.choose import summarise
from shared.text.summary.partial import Aggregate, Candidate, Partial, combine, partial

__all__ = ["Aggregate", "Candidate", "Partial", "combine", "partial", "summarise"]
