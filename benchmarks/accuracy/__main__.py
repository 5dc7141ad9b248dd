"""`make accuracy`: how often the model that ships is right, and how good what is made of it."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy import curve, facts, passages, search, sets, shown
from benchmarks.accuracy.documents import SAMPLES, analyze_all
from benchmarks.accuracy.labels import read_labels
from benchmarks.accuracy.sets import read_data
from benchmarks.accuracy.shipped import run_shipped
from benchmarks.accuracy.systems import (
    answers_of_model,
    answers_of_tfidf,
    answers_of_vader,
    scores_of_tfidf,
)
from shared.inference.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
UNJUDGED = ROOT / "build" / "accuracy-unjudged.tsv"
"""What is shown first and nobody has judged yet."""
START, END = "<!-- measured -->", "<!-- end of measured -->"


def main() -> None:
    """Measure, print, and put the tables between their marks in docs/accuracy.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    shared = Path(os.environ.get("HEADRACE_SHARED") or ROOT.parent / "shared") / "data"
    parser.add_argument("--model", type=Path, default=ROOT / "build" / "model")
    parser.add_argument("--weights", type=Path, default=ROOT / "build" / "weights")
    parser.add_argument("--data", type=Path, default=shared, help="texts (default: %(default)s)")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "accuracy.md")
    options = parser.parse_args()
    parts: list[str] = []
    for measure in MEASURES:
        began = time.monotonic()
        for part in measure(options):
            parts.append(part)
            print(f"{part}\n", flush=True)
        print(f"({time.monotonic() - began:.0f} seconds)\n", flush=True)
    before, _, rest = options.write.read_text(encoding="utf-8").partition(START)
    text = "\n\n".join([START, *parts, END])
    options.write.write_text(f"{before}{text}{rest.partition(END)[2]}", encoding="utf-8")


def _about(options: argparse.Namespace) -> Iterator[str]:
    manifest = read_manifest(options.model)
    size = f"{manifest.model.size / 1e6:.1f} MB (goal: 32)"
    model = f"Model `{manifest.digest[:12]}`, {manifest.precision}, {size}"
    yield f"{model}; Python {platform.python_version()}. Left blank: no answer."


def _passages(options: argparse.Namespace) -> Iterator[str]:
    """Passages and sentences of companies kept apart."""
    print("reading reports: minutes where build/training holds none yet", flush=True)
    found = read_labels(options.data)
    if found.missing:
        print(f"skipped: {found.missing:,} labels without a text below {options.data}")
    if not found.passages.texts:
        return
    asked = found.passages.texts + found.sentences.texts
    count = len(found.passages.texts)
    systems = {"shipped": run_shipped(options.model, asked), "TF-IDF": scores_of_tfidf(found.learnt, asked)}
    yield "## Passages of companies that no training saw"
    of_passages = {name: scores.of(0, count) for name, scores in systems.items()}
    yield passages.table(found.passages, of_passages)
    errors = passages.calibration(found.passages, of_passages["shipped"])
    listed = ", ".join(f"{name} {value:.3f}" for name, value in errors.items())
    yield f"Expected calibration error of each head: {listed}."
    yield "## Accuracy against speed"
    yield curve.table(found.learnt, found.passages, options.model, options.weights)
    if found.sentences.texts:
        yield "## Sentences of these passages, each by itself"
        yield passages.table(found.sentences, {name: scores.of(count) for name, scores in systems.items()})


def _documents(options: argparse.Namespace) -> Iterator[str]:
    """What is made of whole documents."""
    names = {*SAMPLES, *(fact.document for fact in facts.read_facts())}
    analyses, problems = analyze_all(names, options.data, options.model)
    for problem in problems:
        print(f"skipped: {problem}")
    samples = {name: analyses[name] for name in SAMPLES if name in analyses}
    if not samples:
        return
    yield "## Initiatives shown first"
    yield shown.table(samples, UNJUDGED)
    print(f"unjudged: {UNJUDGED}")
    yield "## Key facts in summaries"
    yield facts.table(analyses)
    yield "## Search"
    yield search.table(list(samples.values()), options.model, options.weights)


def _sets(options: argparse.Namespace) -> Iterator[str]:
    """Other corpora and annotated sentences."""
    data = read_data(options.data / "train", options.data / "samples")
    for problem in data.problems:
        print(f"skipped: {problem}")
    asked = [example.text for example in data.asked]
    # What heads of their own are fitted on; the rest need not be run.
    learnt = [example for example in data.learnt if example.pillars or example.aspects is not None]
    said = run_shipped(options.model, [example.text for example in learnt] + asked)
    systems = {
        "shipped": answers_of_model(said.of(0, len(learnt)), learnt, said.of(len(learnt))),
        "TF-IDF": answers_of_tfidf(data.learnt, asked),
        "VADER": answers_of_vader(importlib.import_module("vaderSentiment.vaderSentiment"), asked),
    }
    yield "## Other corpora"
    yield sets.table(data.asked, systems)


MEASURES: tuple[Callable[[argparse.Namespace], Iterator[str]], ...] = (_about, _passages, _documents, _sets)

if __name__ == "__main__":
    main()
