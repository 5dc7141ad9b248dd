"""`python -m benchmarks.accuracy`: the tables of docs/accuracy.md."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy.sets import Row, read_data, rows_of, topic_rows
from benchmarks.accuracy.shipped import HEADS, run_shipped
from benchmarks.accuracy.systems import (
    Answers,
    Features,
    answers_of_model,
    answers_of_tfidf,
    answers_of_vader,
)
from shared.inference.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.sets import Data

ROOT = Path(__file__).resolve().parents[2]
PLOT = "accuracy-depth.svg"


def main() -> None:
    """Measure, print, and put the tables between their marks in docs/accuracy.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    shared = Path(os.environ.get("HEADRACE_SHARED") or ROOT.parent / "shared") / "data"
    parser.add_argument(
        "what",
        nargs="?",
        choices=("shipped", "trainings"),
        default="shipped",
        help="trainings: branches of other depths and on less data; needs torch and half an hour",
    )
    parser.add_argument("--model", type=Path, default=ROOT / "build" / "model")
    parser.add_argument("--weights", type=Path, default=ROOT / "build" / "weights")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "training")
    parser.add_argument("--data", type=Path, default=shared / "train", help="corpora (default: %(default)s)")
    parser.add_argument("--samples", type=Path, default=shared / "samples")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "accuracy.md")
    options = parser.parse_args()
    data = read_data(options.data, options.samples)
    for problem in data.problems:
        print(f"skipped: {problem}")
    measure = _trainings if options.what == "trainings" else _shipped
    text = measure(options, data)
    print(text)
    _write(options.write, options.what, text)


def _trainings(options: argparse.Namespace, data: Data) -> str:
    """Of branches that do not ship."""
    from benchmarks.accuracy.comparisons import compare
    from benchmarks.accuracy.trainings import Laboratory
    from model_export.sources import load_packaged

    checkpoint = load_packaged(options.weights)
    laboratory = Laboratory(
        checkpoint, data, options.data, ROOT / HEADS, options.cache, lambda line: print(line, flush=True)
    )
    text, picture = compare(laboratory)
    (options.write.parent / "images" / PLOT).write_text(picture, encoding="utf-8")
    return text


def _shipped(options: argparse.Namespace, data: Data) -> str:
    """Of the built model, beside the baselines."""
    asked = [example.text for example in data.asked]
    # What heads of their own are fitted on; the rest need not be run.
    learnt = [example for example in data.learnt if example.pillars or example.aspects is not None]
    shipped, frozen = run_shipped(options.model, [example.text for example in learnt] + asked)
    count = len(learnt)
    systems = {
        "shipped": answers_of_model(_part(shipped, 0, count), learnt, _part(shipped, count)),
        "frozen encoder": answers_of_model(_part(frozen, 0, count), learnt, _part(frozen, count)),
        "TF-IDF": answers_of_tfidf(data.learnt, asked),
    }
    if find_spec("vaderSentiment"):
        module = importlib.import_module("vaderSentiment.vaderSentiment")
        systems["VADER"] = answers_of_vader(module, asked)
    else:
        print("skipped: VADER is not installed (requirements/accuracy.in)")
    manifest = read_manifest(options.model)
    about = (
        f"Model `{manifest.digest[:12]}`, {manifest.precision}, {manifest.model.size / 1e6:.1f} MB; "
        f"Python {platform.python_version()}. Left blank: the system has no answer."
    )
    parts = [
        about,
        _table(rows_of(data.asked), systems),
        "Topic by topic, over all annotated sentences (F1; the count is of sentences with the topic):",
        _table(topic_rows(data.asked), {name: systems[name] for name in list(systems)[:3]}),
    ]
    return "\n\n".join(parts)


def _part(features: Features, start: int, stop: int | None = None) -> Features:
    chosen = slice(start, stop)
    return Features(
        features.vectors[chosen],
        features.sentiment[chosen],
        features.action[chosen],
        features.topics[chosen],
        features.thresholds,
    )


def _table(rows: Sequence[Row], systems: dict[str, Answers]) -> str:
    lines = [
        "| | texts | goal | " + " | ".join(systems) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(systems),
    ]
    for row in rows:
        values = [row.value(answers) for answers in systems.values()]
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        goal = "" if row.goal is None else f"{row.goal:.2f}"
        lines.append(f"| {row.title} | {row.texts:,} | {goal} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _write(path: Path, what: str, text: str) -> None:
    start, end = f"<!-- {what} -->", f"<!-- end of {what} -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(start)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
