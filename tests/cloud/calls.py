"""What a run of the installer called, one after another; and its death at one of them.

A scenario writes `kill` into the state: `{"call": 7, "when": "before" | "after"}`. Then the 7th program that is called
ends itself and whoever called it, without a word, as a machine that is taken away: before it does anything,
or after all of it. `"when": "during", "applies": 20`: a Terraform after it has made that many changes.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.cloud.state import changing, load

if TYPE_CHECKING:
    from pathlib import Path


def begin(path: Path, command: list[str]) -> int:
    """Note a call, and return its number, from 1 on."""
    with changing(path) as cloud:
        cloud.state["calls"].append(command)
        number = len(cloud.state["calls"])
    _die_if(path, number, "before")
    return number


def end(path: Path, number: int) -> None:
    """Nothing is left to be done but to say so."""
    _die_if(path, number, "after")


def applies_until_death(path: Path) -> int | None:
    """After how many changes the Terraform that runs is killed; None: it lives."""
    state = load(path)
    kill = state.get("kill") or {}
    dies = kill.get("call") == len(state["calls"]) and kill["when"] == "during"
    return int(kill["applies"]) if dies else None


def die() -> None:
    """Kill the caller, and this process."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _die_if(path: Path, number: int, when: str) -> None:
    kill = load(path).get("kill") or {}
    if (kill.get("call"), kill.get("when")) == (number, when):
        die()
