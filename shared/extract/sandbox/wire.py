"""What goes to a child and what comes back: JSON, since nothing may be executed of what a child sends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Task:
    """Call `function` (`module:name`) with the path and the arguments, within the limits.

    The function is a generator of pieces: whatever JSON can hold, dataclasses included.
    """

    function: str
    path: str
    arguments: dict[str, Any]
    """By name; whatever JSON can hold."""
    characters: int
    """Characters of text that all pieces together may hold."""
    seconds: float
    memory: int
    """Bytes of address space."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The arguments of Rejected."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How the function ended; none of the three where it gave all its pieces."""

    refusal: Refusal | None = None
    setup: str | None = None
    """What a SetupError says."""
    failure: str | None = None
    """The type and place of an exception that nobody expected."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the child ended: its exit status, or minus the signal that killed it, and what it took."""

    code: int
    peak: int
    """Bytes, resident."""
    cpu: float = 0.0
    """Processor seconds."""


def pack_task(task: Task) -> bytes:
    """JSON in ASCII, which can hold the names of files that are not UTF-8."""
    return json.dumps(task, default=_fields).encode("ascii")


def pack_piece(piece: object) -> bytes:
    """A line of JSON in UTF-8. Halves of surrogate pairs, which UTF-8 cannot hold, become question marks."""
    return _pack(piece) + b"\n"


def pack_answer(answer: Answer) -> bytes:
    """JSON behind the last piece's line."""
    return _pack(answer)


def pack_ending(ending: Ending) -> bytes:
    """JSON."""
    return _pack(ending)


def unpack_task(data: bytes) -> Task:
    """The opposite of `pack_task`; for the child, which trusts its caller."""
    return Task(**json.loads(data))


class AnswerReader:
    """Takes pieces and answer apart as they come; for the caller, which does not trust the child."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        """`take` is given each piece as JSON, and raises ValueError for one of another shape."""
        self._take = take
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        """Part of what a child sends; raises what `take` raises."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._line += line
            self._take(bytes(self._line))
            self._line = bytearray()
        self._line += rest

    def close(self) -> Answer:
        """The answer; raises ValueError for what is none, down to the last field."""
        return _adapter().validate_json(bytes(self._line), strict=True)


@cache
def _adapter() -> TypeAdapter[Answer]:
    from pydantic import TypeAdapter  # here, since it would be most of what the zygote loads

    return TypeAdapter(Answer)


def unpack_ending(data: bytes) -> Ending:
    """The opposite of `pack_ending`; raises ValueError where the zygote did not live to say it all."""
    return Ending(**json.loads(data))


def _pack(value: object) -> bytes:
    return json.dumps(value, default=_fields, ensure_ascii=False).encode("utf-8", "replace")


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - json calls it with whatever it cannot write itself
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
