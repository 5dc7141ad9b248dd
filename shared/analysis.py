"""Passages through the model: one piece of code that every route runs, so that a result depends on none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.figures import figures
from shared.inference import interpret
from shared.records import PassageResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.inference import Engine
    from shared.records import Passage


class Analysis(NamedTuple):
    """Results in the order of the passages."""

    results: list[PassageResult]
    worker_seconds: float
    """Processor time of the engine's threads; that of the caller's comes on top."""


def analyse(engine: Engine, passages: Sequence[Passage]) -> Analysis:
    """What the model says of each passage, in their order."""
    outputs = engine.run([passage.text for passage in passages])
    results = []
    for position, passage in enumerate(passages):
        read = interpret(engine.manifest, outputs, position)
        results.append(
            PassageResult(
                index=passage.index,
                page=passage.page,
                row=passage.row,
                span=passage.span,
                text=passage.text,
                sentiment=read.sentiment,
                topics=read.topics,
                action=read.action,
                figures=figures(passage.text),
                truncated=bool(outputs.truncated[position]),
                embedding=outputs.embedding[position].tolist(),
            )
        )
    return Analysis(results, outputs.cpu_seconds)
