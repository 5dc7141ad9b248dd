"""`python -m benchmarks.accuracy`: the table of docs/accuracy.md."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy.sets import Row, read_data, rows_of, sentiment_rows, topic_rows
from benchmarks.accuracy.shipped import run_shipped
from benchmarks.accuracy.systems import (
    Answers,
    Features,
    answers_of_model,
    answers_of_tfidf,
    answers_of_vader,
    strangers,
)
from shared.inference.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_export.training.examples import Example

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("<!-- measured -->", "<!-- end of measured -->")


def main() -> None:
    """Measure, print, and put the tables between the marks of docs/accuracy.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    shared = Path(os.environ.get("HEADRACE_SHARED") or ROOT.parent / "shared") / "data"
    parser.add_argument("--model", type=Path, default=ROOT / "build" / "model")
    parser.add_argument("--data", type=Path, default=shared / "train", help="corpora (default: %(default)s)")
    parser.add_argument("--samples", type=Path, default=shared / "samples")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "accuracy.md")
    options = parser.parse_args()
    data = read_data(options.data, options.samples)
    for problem in data.problems:
        print(f"skipped: {problem}")
    asked = [example.text for example in data.asked]
    # What heads of their own and the sources left out are fitted on; the rest need not be run.
    learnt = [e for e in data.learnt if e.pillars or e.aspects is not None or (e.sentiment and not e.polar)]
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
        *_strangers(learnt, data.asked, _part(frozen, 0, count), _part(frozen, count)),
    ]
    text = "\n\n".join(parts)
    print(text)
    _write(options.write, text)


def _strangers(
    learnt_from: Sequence[Example], asked: Sequence[Example], learnt: Features, vectors: Features
) -> list[str]:
    """The table of sources that the training knew nothing of."""
    texts = [example.text for example in asked]
    lines = []
    for row, source in sentiment_rows(asked):
        found = strangers(learnt.vectors, learnt_from, vectors.vectors, texts, source)
        values = " | ".join(f"{value:.3f}" for answers in found.values() if (value := row.value(answers)))
        lines.append(f"| {row.title} | {values} |")
    if not lines:
        return []
    head = "| | frozen encoder | TF-IDF |\n| --- | ---: | ---: |"
    return ["Sentiment of a source that the regression was not trained on:", "\n".join([head, *lines])]


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


def _write(path: Path, text: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
