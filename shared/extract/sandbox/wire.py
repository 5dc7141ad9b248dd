"""Messages to a child and back, in JSON: nothing that a child sends may be executed."""

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

    The function is a generator of pieces; pieces and arguments are what JSON can hold, or dataclasses.
    """

    function: str
    path: str
    arguments: dict[str, Any]
    characters: int
    """Limit on the characters of text in all pieces together."""
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
    """How the function ended; no field is set if it yielded all its pieces."""

    refusal: Refusal | None = None
    setup: str | None = None
    """The message of a SetupError."""
    failure: str | None = None
    """The type and place of an unexpected exception."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the child ended, and what it used."""

    code: int
    """Exit status, or minus the signal that killed the child."""
    peak: int
    """Resident bytes."""
    cpu: float = 0.0
    """Processor seconds."""


def pack_task(task: Task) -> bytes:
    """Encode as JSON in ASCII, which can hold file names that are not UTF-8."""
    return json.dumps(task, default=_fields).encode("ascii")


def pack(value: object) -> bytes:
    """Encode as JSON in UTF-8, on one line. Halves of surrogate pairs become question marks."""
    return json.dumps(value, default=_fields, ensure_ascii=False).encode("utf-8", "replace")


def unpack_task(data: bytes) -> Task:
    """Decode what `pack_task` made; for the child, which trusts its caller."""
    return Task(**json.loads(data))


class AnswerReader:
    """Separates pieces and answer as they arrive; for the caller, which does not trust the child."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        """`take` gets each piece as JSON and raises ValueError if it has a wrong shape."""
        self._take = take
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        """Take a chunk of what the child sends; raises what `take` raises."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._line += line
            self._take(bytes(self._line))
            self._line = bytearray()
        self._line += rest

    def close(self) -> Answer:
        """Return the answer; raises ValueError if any field of it has a wrong shape."""
        return _adapter().validate_json(bytes(self._line), strict=True)


@cache
def _adapter() -> TypeAdapter[Answer]:
    from pydantic import TypeAdapter  # here, since it would be most of what the zygote loads

    return TypeAdapter(Answer)


def unpack_ending(data: bytes) -> Ending:
    """Decode an ending; raises ValueError if the zygote died before it was sent whole."""
    return Ending(**json.loads(data))


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - json calls it with whatever it cannot write itself
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
