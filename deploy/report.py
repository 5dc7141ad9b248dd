"""`python -m deploy.report` measures each staged function: what is deployed, and how long its import takes.

The import is of the handler alone, in a process of its own, the best of a few: what a cold start pays before
the first request, in this environment's Python.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.functions import FUNCTIONS, Function
from deploy.gcloud import reporting
from deploy.imports import Source
from deploy.stage import ROOT, named, stage

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
    """What a function may cost, at most: about twice what it was measured at (docs/deploy.md)."""

    megabytes: float
    """Of the folder."""
    import_seconds: float
    """Of processor time."""


SMALL, LARGE = Budget(2.5, 1.5), Budget(40.0, 1.5)
BUDGETS = {name: LARGE if "model.onnx" in function.model else SMALL for name, function in FUNCTIONS.items()}


@dataclass(frozen=True)
class Measured:
    """One function."""

    name: str
    files: int
    megabytes: float
    packages: int
    """Pinned in its requirements."""
    import_seconds: float
    modules: int
    """That the import loads."""
    import_megabytes: float
    """Resident after it, at most."""


def measure(function: Function, model: Path, source: Source, runs: int = RUNS) -> Measured:
    """Stage it somewhere and import it."""
    with tempfile.TemporaryDirectory() as folder:
        staged = stage(function, Path(folder), model, source)
        pins = (Path(staged.folder) / "requirements.txt").read_text().count("==")
        command = [sys.executable, "-B", "-c", MEASURE]
        told = [
            json.loads(
                subprocess.run(command, cwd=staged.folder, capture_output=True, text=True, check=True).stdout
            )
            for _ in range(runs)
        ]
    seconds, modules, kilobytes = min(told)
    megabytes = round(staged.size / 1e6, 1)
    memory = round(kilobytes / 1e3, 1)
    return Measured(function.name, staged.files, megabytes, pins, round(seconds, 2), modules, memory)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the exit status is 1 where a budget is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m deploy.report", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions (default: all)")
    parser.add_argument("--model", type=Path, default=Path("build/model"), help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    over: list[str] = []

    def step() -> None:
        source = Source(ROOT)
        found = [measure(function, options.model, source) for function in named(options.names)]
        over.extend(one.name for one in found if exceeds(one))
        if options.json:
            print(json.dumps([asdict(one) for one in found], indent=2))
            return
        print("function     files     MB  packages  import s  modules  memory MB")
        for one in found:
            print(
                f"{one.name:<11} {one.files:>6} {one.megabytes:>6.1f} {one.packages:>9} "
                f"{one.import_seconds:>9.2f} {one.modules:>8} {one.import_megabytes:>10.0f}"
            )

    return reporting("report", step) or int(bool(over))


def exceeds(one: Measured) -> bool:
    """Whether it costs more than it may."""
    budget = BUDGETS[one.name]
    return one.megabytes > budget.megabytes or one.import_seconds > budget.import_seconds


if __name__ == "__main__":
    sys.exit(main())
