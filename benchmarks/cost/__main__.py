"""`make cost`: counts what documents take, and writes docs/cost.md and docs/scale.md from it."""

from __future__ import annotations

import argparse
import json

from benchmarks.cost import model, report, scale


def main() -> None:
    """Measure, keep the figures, write the documentation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--again", action="store_true", help="only calculate, from the figures that are kept")
    if not parser.parse_args().again:
        from benchmarks.cost.measure import measure

        model.MEASURED.write_text(json.dumps(measure(), indent=1) + "\n")
    report.write(model.measured())
    scale.write(model.measured())
    print(report.report(model.measured()))


if __name__ == "__main__":
    main()
