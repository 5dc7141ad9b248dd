"""A long run: python -m tests.fuzz --inputs 20000 --seed 1."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.run import KEPT, fuzz

parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
parser.add_argument("--inputs", type=int, default=20_000, help="how many mutants")
parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same mutants")
parser.add_argument("--format", action="append", default=[], help="a suffix, such as .pdf; may be repeated")
arguments = parser.parse_args()

started = time.monotonic()
with tempfile.TemporaryDirectory() as folder:
    report = fuzz(arguments.seed, arguments.inputs, Path(folder), arguments.format)
for outcome, count in report.outcomes.most_common():
    print(f"{count:8,}  {outcome}")
print(f"{arguments.inputs:8,}  in {time.monotonic() - started:,.0f} s")
print(f"slowest {report.slowest[0]:.2f} s of CPU ({report.slowest[1]})")
print(f"largest {report.largest[0] / 1024:,.0f} MiB ({report.largest[1]})")
for failure in report.failures:
    print(f"FAILED   {failure}")
sys.exit(f"{len(report.failures)} failures, kept under {KEPT}" if report.failures else 0)
