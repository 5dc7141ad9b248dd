"""What a run of the installer called, one after another; and its death at one of them.

A scenario writes `kill` into the state. `{"after": []}`: each command that changes something, and each
Terraform, ends itself and whoever called it once, without a word and after it has done all, as a machine that
is taken away; the list is of those that did. `{"applies": 20}`: so does a Terraform that has made 20 changes.
"""

from __future__ import annotations

import json
import os
import signal
import zlib
from typing import TYPE_CHECKING

from tests.cloud.state import changing, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud.state import Cloud

STATE, LOCK = "default.tfstate", "default.tflock"
"""Objects in the bucket of Terraform's state, of which the second holds its own id: what a killed one leaves."""


def begin(path: Path, command: list[str]) -> int:
    """Note a call; how the project was then, for `end`."""
    with changing(path) as cloud:
        cloud.state["calls"].append(command)
        return _fingerprint(cloud)


def end(path: Path, before: int) -> None:
    """Nothing is left to be done but to say so."""
    with changing(path) as cloud:
        command, killed = cloud.state["calls"][-1], (cloud.state["kill"] or {}).get("after")
        changed = command[0] == "terraform" or _fingerprint(cloud) != before
        if killed is None or not changed or command in killed:
            return
        killed.append(command)
    die()


def _fingerprint(cloud: Cloud) -> int:
    if cloud.state["kill"] is None:
        return 0  # nobody asks
    seen = {name: one for name, one in cloud.state.items() if name not in ("calls", "kill")}
    return zlib.crc32(json.dumps(seen).encode())


def applies_until_death(path: Path) -> int | None:
    """After how many changes the Terraform that runs is killed; None: it lives."""
    applies: int | None = (load(path)["kill"] or {}).get("applies")
    return applies


def die() -> None:
    """Kill the caller, and this process."""
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
