"""Run the texts of requests through the model in short passes, so that no request waits for a long one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.inference.engine import Outputs

PASS_CHARACTERS = 1_024
"""Limit of one pass: some 250 tokens. Four times as many would save 6% of the processor time, and let a
sentence that arrives beside requests of 256 texts wait 350 ms instead of 80."""

Row = tuple["Outputs", int]
"""The result of a text: a row of these outputs."""


class Passes:
    """Runs texts through an engine; safe to call from any thread."""

    def __init__(self, run: Callable[[Sequence[str]], Outputs], slots: int) -> None:
        """`run` is an engine's; `slots` passes may run at once."""
        self._run = run
        self._workers = ThreadPoolExecutor(slots, thread_name_prefix="passes")

    def run(self, texts: Sequence[str]) -> list[Row]:
        """Return a row for each text, in order; raises what the engine raises.

        Passes run in the order in which they are asked for, and the next of this request is asked for when
        one is done.
        """
        rows: list[Row] = []
        for part in slices(texts):
            outputs = self._workers.submit(self._run, part).result()
            rows += [(outputs, row) for row in range(len(part))]
        return rows


def slices(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Consecutive parts of `texts`, each of at most `PASS_CHARACTERS` or of one longer text."""
    start = characters = 0
    for position, text in enumerate(texts):
        if position > start and characters + len(text) > PASS_CHARACTERS:
            yield texts[start:position]
            start, characters = position, 0
        characters += len(text)
    if start < len(texts):
        yield texts[start:]
