"""The task that this process is in its execution, and whether it was asked to stop."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType


@dataclass(frozen=True)
class Task:
    """One task of an execution, as Cloud Run numbers them."""

    index: int
    """Number of this task, from 0."""
    count: int
    attempt: int
    """How often this task was started before."""
    execution: str
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the process was asked to end."""

    @property
    def holder(self) -> str:
        """Name of this task in leases. A later attempt of the task has the same, and takes them over."""
        return f"{self.execution}/{self.index}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the task that Cloud Run's variables name; without them, the only one of an execution."""
        environ = os.environ if environ is None else environ
        index, count, attempt = (
            int(environ.get(f"CLOUD_RUN_TASK_{name}", default))
            for name, default in (("INDEX", 0), ("COUNT", 1), ("ATTEMPT", 0))
        )
        execution = environ.get("CLOUD_RUN_EXECUTION") or f"by-hand-{secrets.token_hex(4)}"
        return cls(index, count, attempt, execution)

    def listen(self) -> None:
        """Make SIGTERM a request to stop: what is under way is committed, nothing more is begun."""

        def asked(_number: int, _frame: FrameType | None) -> None:
            self.stop.set()

        signal.signal(signal.SIGTERM, asked)
        signal.signal(signal.SIGINT, asked)

    def mine_first(self, total: int) -> list[int]:
        """Return the numbers below `total`: this task's own, then the others', rotated for each task."""
        own = range(self.index, total, self.count)
        others = [number for number in range(total) if number % self.count != self.index]
        turn = len(others) * self.index // self.count
        return [*own, *others[turn:], *others[:turn]]
