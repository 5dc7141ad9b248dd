"""What there is to deploy, and in which order traffic moves to it."""

from __future__ import annotations

from dataclasses import dataclass

BASE_IMAGE = "python313"
"""Base image of Cloud Run functions, which Google keeps patched."""
MODEL = ("MODEL_CARD.md", "manifest.json", "model.onnx", "tokenizer.json")
TOKENIZER = ("manifest.json", "tokenizer.json")
"""Of the model's files: counting tokens needs no graph."""


@dataclass(frozen=True)
class Function:
    """One of `functions/`; its name is the folder's, the service's, and that of its requirement set."""

    name: str
    model: tuple[str, ...] = ()
    """Files of the model that it reads."""
    digests: bool = False
    """Whether it reads the schedules of digests."""


FUNCTIONS = {
    function.name: function
    for function in (
        Function("deadletter"),
        Function("digest", digests=True),
        Function("api", MODEL),
        Function("analyze", MODEL),
        Function("sweep"),
        Function("ingest", TOKENIZER),
    )
}
"""In the order in which traffic moves: whoever is sent messages before whoever sends them."""
LAST = list(FUNCTIONS)[-1]
"""Whose traffic moves last: with it a promotion is done."""
