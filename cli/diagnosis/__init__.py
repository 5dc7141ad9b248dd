"""The checks of `headrace doctor`: their findings, and the target that they examine."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path


CALL_SECONDS = 5.0
"""Seconds for one call to a service, which may hang: that is when people call a doctor."""
LIMITS: dict[str, Any] = {"timeout": CALL_SECONDS, "retry": None}

Status = Literal["ok", "warning", "wrong", "unknown"]
"""Unknown: this account may not ask, or a local stack does not have it."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    status: Status
    detail: str
    fix: str | None = None
    """What to do: a command, or a sentence with one."""


@dataclass(frozen=True)
class Target:
    """The stack that is examined."""

    data: Path
    """The local stack's directory."""
    model: Path
    stack: dict[str, Any] | None
    """`stack.json`; None for a project in the cloud, and where only emulators of the user's are running."""
    cloud: bool
    read: bool = True
    """Whether the settings are those of the functions, and not only of this environment."""

    def repair(self, command: str) -> str:
        """Return how to make what is missing: `command` in the cloud; a local stack makes all at start."""
        return command if self.cloud else f"Stop the stack, then: headrace up --data {quote(str(self.data))}"
