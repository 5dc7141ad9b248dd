"""How an extraction may end badly, in sentences; and how a good answer is told from a bad one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from shared.extract.sandbox.zygote import OUT_OF_MEMORY
from shared.platform.errors import Rejected, SetupError

if TYPE_CHECKING:
    from shared.extract.sandbox.wire import AnswerReader, Ending, Task

_BYTES_A_CHARACTER = 4
"""At most, in UTF-8; and what the pieces hold besides their text is allowed for by a fixed amount."""
_OVERHEAD = 64 << 20
_NEARLY_ALL = 0.75
"""Of the memory: a library that crashed with so much in use crashed for want of more."""


def most_answer_bytes(characters: int) -> int:
    """What an honest answer with so many characters of text cannot exceed."""
    return _BYTES_A_CHARACTER * characters + _OVERHEAD


def refuse_bad_ending(ending: Ending, task: Task) -> None:
    """Raises Rejected for a child that did not end by itself with an answer."""
    if ending.code == -signal.SIGXCPU:
        raise too_slow(task.seconds)
    if ending.code == OUT_OF_MEMORY or (ending.code and ending.peak > _NEARLY_ALL * task.memory):
        raise too_much_memory(task.memory)
    if ending.code:
        how = signal.Signals(-ending.code).name if ending.code < 0 else f"exit status {ending.code}"
        _log(how)
        raise crashed()


def refuse_bad_answer(reader: AnswerReader) -> None:
    """Raises Rejected or SetupError with what the child says, or Rejected where it talks nonsense."""
    try:
        answer = reader.close()
    except ValueError:
        raise misshapen() from None
    if answer.refusal:
        raise Rejected(answer.refusal.code, answer.refusal.message, answer.refusal.hint)
    if answer.setup:
        raise SetupError(answer.setup)
    if answer.failure:
        _log(answer.failure)
        raise crashed()


def misshapen() -> Rejected:
    """The child sent what no child of ours sends."""
    _log("an answer of another shape")
    return crashed()


def crashed() -> Rejected:
    """The reader, or a library under it, could not stand the file."""
    return Rejected(
        "extraction_crashed",
        "The program that reads this type of file broke down on it; the file may be damaged.",
        "Open it in the program it was made with, save it as a new file and upload that.",
    )


def too_slow(seconds: float) -> Rejected:
    """The file takes too long."""
    return Rejected(
        "too_slow",
        f"Reading the file took longer than the {seconds:,.0f} seconds it may take.",
        "Split the document, or save it in a simpler form, such as plain text.",
    )


def too_much_memory(memory: int) -> Rejected:
    """The file takes too much memory."""
    return Rejected(
        "too_much_memory",
        f"Reading the file took more than the {memory / (1 << 20):,.0f} MiB of memory it may take.",
        "Split the document, or save it in a simpler form, such as plain text.",
    )


def _log(how: str) -> None:
    """For whoever looks after the readers; `how` comes from an untrusted process, so it is kept short."""
    import structlog

    structlog.get_logger().warning("extraction crashed", how=how[:300])
