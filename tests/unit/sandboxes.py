"""Tasks for a sandbox, and what became of them."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from shared.extract.sandbox.wire import Task
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.sandbox.client import Sandbox


TEXT = "A sentence about a pump.\n\nAnother about a mill — „fein“.\n"
MEMORY = 256 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's means are Linux's")


class Heard:
    """The pieces of an answer."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def take(self, piece: bytes) -> None:
        said = json.loads(piece)
        if said == {"kind": "sculpture"}:
            raise ValueError("not of this shape")
        self.pieces.append(said)


def task(function: str, path: Path, seconds: float = 20, **arguments: Any) -> Task:
    return Task(f"tests.unit.harmful:{function}", str(path), arguments, 20_000_000, seconds, MEMORY)


def said(sandbox: Sandbox, task: Task) -> Any:
    """The only piece of the answer."""
    (piece,) = sandbox.run(task, Heard)[0].pieces
    return piece


def rejection(sandbox: Sandbox, function: str, path: Path, seconds: float = 20) -> Rejected:
    with pytest.raises(Rejected) as caught:
        sandbox.run(task(function, path, seconds), Heard)
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


def said_pids(sandbox: Sandbox, path: Path) -> tuple[int, int]:
    """Of the child and of the zygote."""
    child, zygote = said(sandbox, task("pids", path))
    return child, zygote


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
