"""What `headrace doctor` looks at: what a check says, and what it is told of the stack."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path


CALL_SECONDS = 5.0
"""For one call to a service: a doctor is asked when something hangs."""
LIMITS: dict[str, Any] = {"timeout": CALL_SECONDS, "retry": None}

Status = Literal["ok", "warning", "wrong", "unknown"]
"""Unknown: it could not be asked, by this account or of a local stack."""


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
    """What is examined."""

    data: Path
    """The local stack's directory."""
    model: Path
    stack: dict[str, Any] | None
    """`stack.json`; None for a project in the cloud, and where only emulators of the user's are running."""
    cloud: bool
    read: bool = True
    """Whether the settings are those of the functions, and not only of this environment."""

    def repair(self, command: str) -> str:
        """What makes a missing resource: in the cloud `command`; here a start of the stack makes all."""
        return command if self.cloud else f"Stop the stack, then: headrace up --data {quote(str(self.data))}"
