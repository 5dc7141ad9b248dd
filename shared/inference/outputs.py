"""What one pass over a list of texts gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Outputs:
    """Row i of every array belongs to text i. Probabilities; label order is the manifest's.

    Of a model without heads, the arrays of heads have no columns.
    """

    embedding: NDArray[np.float32]
    """(n, 384), unit length."""
    topics: NDArray[np.float32]
    """(n, topics); each on its own, calibrated, in the manifest's order: by default `records.TOPICS`."""
    action: NDArray[np.float32]
    """(n, 3), rows sum to 1: implemented, planned, none."""
    sentiment: NDArray[np.float32]
    """(n, 3), rows sum to 1: positive, neutral, negative."""
    tokens: NDArray[np.int32]
    """(n,), word pieces of the whole text, the two special tokens included."""
    truncated: NDArray[np.bool_]
    """(n,), true where the text was longer than the window and only its beginning was read."""

    cpu_seconds: float = 0.0
    """Processor time of the workers, in seconds; less where rows were known from an earlier call."""

    def __len__(self) -> int:
        return len(self.tokens)
