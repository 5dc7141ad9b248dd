"""What a run of the installer called, one after another; and its death at one of them.

A scenario writes `kill` into the state: `{"words": "builds submit"}`. Then the program that is called with
these words ends itself and whoever called it, without a word, as a machine that is taken away, after it has
done all; with `"applies": 20`, a Terraform after it has made that many changes.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from tests.cloud.state import changing, load

if TYPE_CHECKING:
    from pathlib import Path

STATE, LOCK = "default.tfstate", "default.tflock"
"""Objects in the bucket of Terraform's state, of which the second holds its own id: what a killed one leaves."""


def begin(path: Path, command: list[str]) -> int:
    """Note a call, and return its number, from 1 on."""
    with changing(path) as cloud:
        cloud.state["calls"].append(command)
        return len(cloud.state["calls"])


def end(path: Path, number: int) -> None:
    """Nothing is left to be done but to say so; keep what there is now, where `CLOUD_SNAPSHOTS` names a folder."""
    kill = _killed(path)
    if kill is not None and "applies" not in kill:
        die()
    if snapshots := os.environ.get("CLOUD_SNAPSHOTS"):
        import shutil

        shutil.copytree(path.parent, f"{snapshots}/{number:03}")


def applies_until_death(path: Path) -> int | None:
    """After how many changes the Terraform that runs is killed; None: it lives."""
    applies: int | None = (_killed(path) or {}).get("applies")
    return applies


def _killed(path: Path) -> dict[str, Any] | None:
    state = load(path)
    kill: dict[str, Any] | None = state["kill"]
    return kill if kill and kill["words"] in " ".join(state["calls"][-1]) else None


def die() -> None:
    """Kill the caller, and this process."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
