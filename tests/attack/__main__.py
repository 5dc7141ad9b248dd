"""Attack a fresh local stack from outside: `make attack`, or one: python -m tests.attack hostile_files.

Prints, in Markdown, what was tried, how often, and what fell; the exit status is 1 if anything did.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attack.arena import Arena, Outcome, arena
from tests.attack.attacks import FRAGILE, ON_FRAGILE, ON_PATIENT, PATIENT
from tests.attack.files import PERSONAL

if TYPE_CHECKING:
    from collections.abc import Callable

STACKS = ((FRAGILE, ON_FRAGILE), (PATIENT, ON_PATIENT))
SHOWN = 12
"""Lines that are printed about what is wrong after an attack."""


def main() -> int:
    """Run the attacks that are named, or all."""
    every = {attack.__name__: attack for _, attacks in STACKS for attack in attacks}
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("attack", nargs="*", choices=[[], *every], help="default: all")
    chosen = parser.parse_args().attack or list(every)
    rows = []
    started = time.monotonic()
    for settings, attacks in STACKS:
        names = [attack.__name__ for attack in attacks if attack.__name__ in chosen]
        if not names:
            continue
        with tempfile.TemporaryDirectory() as folder, arena(Path(folder), settings) as made:
            rows += [_row(made, name, every[name]) for name in names]
    where = f"{os.cpu_count()} cores of {platform.machine()}"
    print(f"\n{datetime.now(UTC):%d %B %Y}, {where}, {time.monotonic() - started:.0f} s:\n")
    print("| Tried | Times | What fell | |\n| --- | ---: | ---: | --- |")
    for row in rows:
        print(f"| {row.what} | {row.tries:,} | {len(row.wrong) or 'nothing'} | {row.note} |")
    return int(any(row.wrong for row in rows))


def _row(made: Arena, name: str, attack: Callable[[Arena], Outcome]) -> Outcome:
    """Attack; the outcome with what the invariants say after it, which is told at once."""
    outcome = attack(made)
    wrong = [*outcome.wrong, *made.check(list(PERSONAL.values()))]
    print(f"{name}: {outcome.tries} tries, {len(wrong)} wrong {outcome.note}", file=sys.stderr)
    for line in wrong[:SHOWN]:
        print(f"    {line}", file=sys.stderr)
    return Outcome(outcome.what, outcome.tries, wrong, outcome.note)


if __name__ == "__main__":
    sys.exit(main())
