"""Tasks for a sandbox, and what became of them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from shared.extract import ExtractOptions, Limits
from shared.extract.sandbox.wire import Task
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.sandbox.client import Sandbox


TEXT = "A sentence about a pump.\n\nAnother about a mill — „fein“.\n"
MEMORY = 256 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's means are Linux's")


def task(function: str, path: Path, seconds: float = 20, **limits: int) -> Task:
    options = ExtractOptions(password="open sesame", limits=Limits(**limits))
    return Task(f"tests.unit.harmful:{function}", str(path), "a.txt", "text/plain", options, seconds, MEMORY)


def rejection(sandbox: Sandbox, function: str, path: Path, seconds: float = 20) -> Rejected:
    with pytest.raises(Rejected) as caught:
        sandbox.run(task(function, path, seconds))
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


def said_pids(sandbox: Sandbox, path: Path) -> tuple[int, int]:
    """Of the child and of the zygote."""
    child, zygote = sandbox.run(task("pids", path)).blocks[0].text.split()
    return int(child), int(zygote)


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
