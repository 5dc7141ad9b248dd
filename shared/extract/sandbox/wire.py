"""What goes to a child and what comes back: JSON, since nothing may be executed of what a child sends."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from shared.extract.recognised import from_plain, to_plain
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter

_CHARACTERS = 100_000
"""Of blocks that are packed together, or a few more."""


@dataclass(frozen=True, slots=True)
class Task:
    """Call `function` (`module:name`) as `extract` is called, for so many seconds and bytes at most."""

    function: str
    path: str
    name: str
    content_type: str | None
    options: ExtractOptions
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The arguments of Rejected."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the three: the text, a refusal, or the type of an exception nobody expected and its place."""

    extracted: Extracted | None = None
    refusal: Refusal | None = None
    failure: str | None = None


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
    recognised = task.options.recognised
    plain = asdict(replace(task, options=replace(task.options, recognised={})))
    plain["options"]["recognised"] = to_plain(recognised)
    return json.dumps(plain).encode("ascii")


def pack_answer(answer: Answer) -> Iterator[bytes]:
    """Lines of JSON in UTF-8: blocks, some at a time, and last the answer without them.

    The blocks are taken out of the answer, whose list is empty afterwards: so a text is not kept twice.
    Halves of surrogate pairs, which UTF-8 cannot hold, become question marks.
    """
    blocks = answer.extracted.blocks if answer.extracted else []
    blocks.reverse()
    while blocks:
        some: list[Block] = []
        size = 0
        while blocks and size < _CHARACTERS:
            some.append(blocks.pop())
            size += len(some[-1].text)
        yield _pack(some) + b"\n"
    yield _pack(answer)


def pack_ending(ending: Ending) -> bytes:
    """JSON."""
    return _pack(ending)


def unpack_task(data: bytes) -> Task:
    """The opposite of `pack_task`; for the child, which trusts its caller."""
    task = json.loads(data)
    options = task["options"]
    own = {"limits": Limits(**options["limits"]), "recognised": from_plain(options["recognised"])}
    return Task(**task | {"options": ExtractOptions(**options | own)})


class AnswerReader:
    """The opposite of `pack_answer`, fed as it comes; for the caller, which does not trust the child."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._line = bytearray()
        self._sound = True

    def feed(self, data: bytes) -> None:
        """Part of an answer."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._line += line
            self._read_blocks()
            self._line = bytearray()
        self._line += rest

    def close(self) -> Answer:
        """The answer; raises ValueError for what is none, down to the last field."""
        if not self._sound:
            raise ValueError("blocks of another shape")
        _, answers = _adapters()
        answer = answers.validate_json(bytes(self._line), strict=True)
        if answer.extracted is None:
            return answer
        return replace(answer, extracted=replace(answer.extracted, blocks=self._blocks))

    def _read_blocks(self) -> None:
        blocks, _ = _adapters()
        try:
            self._blocks += blocks.validate_json(bytes(self._line), strict=True)
        except ValueError:
            self._sound = False


@cache
def _adapters() -> tuple[TypeAdapter[list[Block]], TypeAdapter[Answer]]:
    from pydantic import TypeAdapter  # here, since it would be most of what the zygote loads

    return TypeAdapter(list[Block]), TypeAdapter(Answer)


def unpack_ending(data: bytes) -> Ending:
    """The opposite of `pack_ending`; raises ValueError where the zygote did not live to say it all."""
    return Ending(**json.loads(data))


def _pack(value: Any) -> bytes:  # noqa: ANN401 - whatever `_fields` takes apart
    return json.dumps(value, default=_fields, ensure_ascii=False).encode("utf-8", "replace")


def _fields(value: Any) -> Any:  # noqa: ANN401 - json calls it with whatever it cannot write itself
    if isinstance(value, Block):  # a file may have some hundred thousand
        return {
            "text": value.text,
            "kind": value.kind,
            "page": value.page,
            "row": value.row,
            "label": value.label,
        }
    if isinstance(value, Extracted):
        return {name: getattr(value, name) for name in Extracted.__dataclass_fields__}
    if isinstance(value, Answer):
        return {"extracted": value.extracted, "refusal": value.refusal, "failure": value.failure}
    return asdict(value)
