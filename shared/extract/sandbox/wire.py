"""What goes to a child and what comes back: JSON, since nothing may be executed of what a child sends."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from shared.extract.recognised import from_plain, to_plain
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits


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
    """How the child ended: its exit status, or minus the signal that killed it, and its largest memory."""

    code: int
    peak: int
    """Bytes, resident."""


def pack_task(task: Task) -> bytes:
    """JSON in ASCII, which can hold the names of files that are not UTF-8."""
    recognised = task.options.recognised
    plain = asdict(replace(task, options=replace(task.options, recognised={})))
    plain["options"]["recognised"] = to_plain(recognised)
    return json.dumps(plain).encode("ascii")


def pack(value: Answer | Ending) -> bytes:
    """JSON in UTF-8; halves of surrogate pairs, which UTF-8 cannot hold, become question marks."""
    return json.dumps(_fields(value), default=_fields, ensure_ascii=False).encode("utf-8", "replace")


def unpack_task(data: bytes) -> Task:
    """The opposite of `pack_task`; for the child, which trusts its caller."""
    task = json.loads(data)
    options = task["options"]
    own = {"limits": Limits(**options["limits"]), "recognised": from_plain(options["recognised"])}
    return Task(**task | {"options": ExtractOptions(**options | own)})


def unpack_answer(data: bytes) -> Answer:
    """The opposite of `pack`; for the caller, which does not trust the child.

    Raises ValueError for what is no answer, down to the last field.
    """
    from pydantic import TypeAdapter  # here, since it would be most of what the zygote loads

    return TypeAdapter(Answer).validate_json(data, strict=True)


def unpack_ending(data: bytes) -> Ending:
    """The opposite of `pack`; raises ValueError where the zygote did not live to say it all."""
    return Ending(**json.loads(data))


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
