"""Measure redaction on the table of invented cases: recall of each kind, and look-alikes touched.

    python -m benchmarks.redaction

A case counts as found only if each of its values became one pseudonym of the right kind and every other
character stayed. The held-out half was set aside before the rules were written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from shared.text.privacy import redact

TABLE = Path(__file__).parent.parent / "tests/data/redaction.jsonl"
SPLITS = ("development", "held-out")
FIGURE = "figure"
_KEY = b"the key of a measurement"
_PSEUDONYM = re.compile(r"\[(\w+):[0-9a-f]{16}\]")


class Case(NamedTuple):
    kind: str
    """Kind of the personal value; `figure` marks a look-alike, which must stay as it is."""
    country: str
    text: str
    values: list[str]
    split: str


def cases(split: str) -> list[Case]:
    """Return the cases of one half of the table."""
    rows = (Case(**json.loads(line)) for line in TABLE.read_text(encoding="utf-8").splitlines())
    return [case for case in rows if case.split == split]


def is_right(case: Case) -> bool:
    """Return whether redaction replaces the values, as one pseudonym each, and nothing else."""
    expected = case.text
    for value in case.values:
        expected = expected.replace(value, f"[{case.kind}]", 1)
    return _PSEUDONYM.sub(r"[\1]", redact(case.text, _KEY)) == expected


def measure(split: str) -> dict[str, tuple[int, int]]:
    """Return for each kind how many cases are right, of how many."""
    found = cases(split)
    right = Counter(case.kind for case in found if is_right(case))
    return {
        kind: (right[kind], total) for kind, total in sorted(Counter(case.kind for case in found).items())
    }


def recall(measured: dict[str, tuple[int, int]]) -> float:
    """Return the share of cases with personal data that are right."""
    personal = [counts for kind, counts in measured.items() if kind != FIGURE]
    return sum(right for right, _ in personal) / sum(total for _, total in personal)


def touched(measured: dict[str, tuple[int, int]]) -> float:
    """Return the share of look-alikes that redaction alters."""
    right, total = measured[FIGURE]
    return (total - right) / total


def main() -> None:
    for split in SPLITS:
        measured = measure(split)
        print(f"{split}: recall {recall(measured):.3f}, look-alikes touched {touched(measured):.2%}")
        for kind, (right, total) in measured.items():
            print(f"  {kind:<7} {right:>4} of {total}")


if __name__ == "__main__":
    main()
