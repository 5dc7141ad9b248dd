"""Measure each staged function: what is deployed, and how long its import takes.

The import is the handler's alone, in a process of its own, the best of a few: what a cold start pays before
the first request, in this environment's Python.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.stage import FUNCTIONS, Function, stage

RUNS = 3
MEASURE = """
import json, resource, sys, time
before = set(sys.modules)
started = time.process_time()
import main
seconds = time.process_time() - started
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, len(set(sys.modules) - before), memory]))
"""


@dataclass(frozen=True)
class Budget:
    """The most that a function may cost: about twice what it was measured at (docs/deploy.md)."""

    megabytes: float
    """Size of the folder."""
    import_seconds: float
    """Processor time."""


SMALL, LARGE = Budget(2.5, 1.5), Budget(40.0, 1.5)
BUDGETS = {name: LARGE if "model.onnx" in function.model else SMALL for name, function in FUNCTIONS.items()}


@dataclass(frozen=True)
class Measured:
    """What a function costs."""

    name: str
    files: int
    megabytes: float
    packages: int
    """Pinned in its requirements."""
    import_seconds: float
    modules: int
    """Loaded by the import."""
    import_megabytes: float
    """The most memory that was resident."""

    @property
    def exceeds(self) -> bool:
        """Whether it costs more than it may."""
        budget = BUDGETS[self.name]
        return self.megabytes > budget.megabytes or self.import_seconds > budget.import_seconds


def measure(function: Function, model: Path, runs: int = RUNS) -> Measured:
    """Stage a function in a temporary folder and import it there."""
    with tempfile.TemporaryDirectory() as folder:
        staged = stage(function, Path(folder), model)
        sizes = [path.stat().st_size for path in staged.rglob("*") if path.is_file()]
        pins = (staged / "requirements.txt").read_text().count("==")
        command = [sys.executable, "-B", "-c", MEASURE]
        printed = [
            subprocess.run(command, cwd=staged, capture_output=True, text=True, check=True).stdout
            for _ in range(runs)
        ]
    seconds, modules, kilobytes = min(map(json.loads, printed))
    megabytes = round(sum(sizes) / 1e6, 1)
    memory = round(kilobytes / 1e3, 1)
    return Measured(function.name, len(sizes), megabytes, pins, round(seconds, 2), modules, memory)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 where a function exceeds its budget."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.staged", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions (default: all)")
    parser.add_argument("--model", type=Path, default=Path("build/model"), help="(default: %(default)s)")
    measured = []
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(FUNCTIONS):
        parser.error(f"There is no function {unknown.pop()}.")
    print("function     files     MB  packages  import s  modules  memory MB")
    for name in options.names or FUNCTIONS:
        each = measure(FUNCTIONS[name], options.model)
        measured.append(each)
        print(
            f"{each.name:<11} {each.files:>6} {each.megabytes:>6.1f} {each.packages:>9} "
            f"{each.import_seconds:>9.2f} {each.modules:>8} {each.import_megabytes:>10.0f}"
        )
    over = [each.name for each in measured if each.exceeds]
    if over:
        print(f"over budget: {', '.join(over)}", file=sys.stderr)
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
