"""Readers of public corpora, each file by its name, and how their labels map to ours.

A3CG (sustainability-report sentences with aspects and the state of the action) judges every aspect of a
sentence, so what it does not name is absent; an aspect that spans several ESRS topics is decided by its words
or left open. The ESGBERT sentences say only "something environmental" or "something social": one of several
topics. The goals corpus says whether a sentence is a goal: a plan, or not one.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from model_export.labelled import PILLARS, Example, Split, exhaustive, never_tested, split_of
from training.relabelled import read_relabelled
from training.sources import permissive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from shared.platform.records import ActionLabel, SentimentLabel

ASPECT_TOPICS: dict[str, tuple[str, ...]] = {
    "business compliance": ("G1",),
    "data and cybersecurity protection": ("S4",),
    "ecological conservation": ("E4",),
    "emissions control": ("E1", "E2"),
    "management": ("G1",),
    "outreach": ("S3",),
    "resource optimisation": ("E1", "E3", "E5"),
    "waste management": ("E5",),
    "worker & consumer safety compliance": ("S1", "S4"),
    "workplace": ("S1",),
}
"""The ten categories of A3CG, and what they may be of ours."""
_UNSURE_ASPECTS = frozenset({"management"})
"""Committees and systems of any subject: sometimes business conduct, often not."""
_WORDS = {
    "E1": r"energy|electric|solar|wind|fuel|power|lighting|led|carbon|ghg|greenhouse|co2|climate|scope",
    "E2": r"air|pollut|dust|nox|sox|particulate|odou?r|noise|smoke|chemical|effluent",
    "E3": r"water|effluent|rain",
    "E5": r"material|paper|plastic|packag|recycl|re-?use|waste|circular",
    "S1": r"employee|worker|staff|workplace|occupational|site|accident|injur|colleague|labou?r",
    "S4": r"customer|consumer|product|food|patient|passenger|guest|label|quality",
}
_STATES: dict[str, ActionLabel] = {"implemented": "implemented", "planning": "planned"}
_POLARITY: dict[str, SentimentLabel] = {
    "positive": "positive",
    "neutral": "neutral",
    "negative": "negative",
    "0": "negative",
    "1": "positive",
}
_EVALUATED = re.compile(r"Deutsche Post|DHL|Global Forwarding|GoGreen|\bExpress\b")
"""A report of this company is annotated for evaluation, and those of its other years repeat sentences."""
_PHRASE_WORDS = 6
"""Shorter pieces of film reviews say too little on their own."""


def read_directory(directory: Path, *, permissive_only: bool = False) -> list[Example]:
    """Every example of the known corpora under `directory`; files of other names are passed over.

    `permissive_only` leaves out those whose licence is unclear. Sentences that were labelled again for this
    project (see `relabelled`) carry those labels.
    """
    examples = [
        example
        for path in sorted(directory.rglob("*"))
        if (read := _READERS.get(path.name))
        for example in read(path)
        if permissive(example) or not permissive_only
    ]
    if any(example.source == "esgbert" for example in examples):
        # The same sentences, with less said of them.
        examples = [example for example in examples if example.source != "esgbert_environmental"]
    labels = read_relabelled()
    return [labels.applied_to(example) for example in _without_pieces_of_tests(examples)]


def _a3cg(path: Path) -> Iterator[Example]:
    for row in json.loads(path.read_text(encoding="utf-8")):
        present: set[str] = set()
        unsure: set[str] = set()
        for category, terms in row["aspect_categories"].items():
            topics = ASPECT_TOPICS.get(category, ())
            named = (
                [topic for topic in topics if _mentions(topic, terms)] if len(topics) > 1 else list(topics)
            )
            (present if named and category not in _UNSURE_ASPECTS else unsure).update(named or topics)
        example = Example(
            row["text"],
            "a3cg",
            exhaustive(present, unsure),
            action=_action(row["aspects"]),
            aspects=frozenset(row["aspect_categories"]) & frozenset(ASPECT_TOPICS),
        )
        # The corpus comes with a part to test on; the rest is trained on.
        split: Split = "test" if path.stem.endswith("_val") else never_tested(example)
        yield dataclasses.replace(example, split=split)


def _mentions(topic: str, terms: list[str]) -> bool:
    return any(re.search(rf"\b(?:{_WORDS[topic]})", term, re.IGNORECASE) for term in terms)


def _action(aspects: dict[str, Any]) -> ActionLabel:
    """The state most aspects are in; a plan beats an equal number of deeds, being the rarer thing to say."""
    states = Counter(_STATES[state] for values in aspects.values() for state in values if state in _STATES)
    if not states:
        return "none"
    return "planned" if states["planned"] >= states["implemented"] else "implemented"


def _esgbert(path: Path) -> Iterator[Example]:
    for row in _rows(path):
        pillars = {name: row[name] == "1" for name in PILLARS if row.get(name)}
        topics: dict[str, bool] = {}
        for name, present in pillars.items():
            if name == "gov" or not present:
                topics |= dict.fromkeys(PILLARS[name], present)
        some = next((PILLARS[name] for name in ("env", "soc") if pillars.get(name)), ())
        yield Example(row["text"], "esgbert", topics, some, pillars=pillars)


def _esgbert_environmental(path: Path) -> Iterator[Example]:
    for row in _rows(path):
        present = row["env"] == "1"
        topics = {} if present else dict.fromkeys(PILLARS["env"], False)
        yield Example(
            row["text"],
            "esgbert_environmental",
            topics,
            PILLARS["env"] if present else (),
            pillars={"env": present},
        )


def _goals(path: Path) -> Iterator[Example]:
    for row in _rows(path):
        if _EVALUATED.search(row["sentence"]):
            continue
        goal = row["label"] == "1"
        yield Example(row["sentence"], "goals", action="planned" if goal else None, not_planned=not goal)


def _sentiment(path: Path) -> Iterator[Example]:
    source = path.stem.removeprefix("sentiment_").split("_")[0]
    for row in _rows(path):
        # "12_3": the third sentence of the twelfth article or review.
        document = row.get("id", "").split("_")[0]
        group = f"{source} {document}" if document else ""
        yield Example(row["text"], source, sentiment=_POLARITY[row["label"]], group=group)


def _phrases(path: Path) -> Iterator[Example]:
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        text, label = line.rsplit("\t", 1)
        if len(text.split()) >= _PHRASE_WORDS:
            yield Example(text.strip(), "sst2", sentiment=_POLARITY[label], polar=True, split="train")


def _two_class(path: Path) -> Iterator[Example]:
    source = path.stem.removeprefix("sentiment_")
    for line in path.read_text(encoding="utf-8").splitlines():
        text, label = line.rsplit("\t", 1)
        yield Example(text.strip(), source, sentiment=_POLARITY[label.strip()], polar=True)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _without_pieces_of_tests(examples: Sequence[Example]) -> list[Example]:
    """Film-review phrases were cut from the sentences of the other film corpus: none from its test or dev."""
    whole = [example for example in examples if example.source == "sst5" and split_of(example) != "train"]
    apart = " | ".join(["", *(_letters(example.text) for example in whole), ""])
    return [
        example
        for example in examples
        if not (example.source == "sst2" and f" {_letters(example.text)} " in apart)
    ]


def _letters(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


_READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "topic_a3cg_train.json": _a3cg,
    "topic_a3cg_val.json": _a3cg,
    "topic_esgbert_multilabel_train.csv": _esgbert,
    "topic_esgbert_environmental_train.csv": _esgbert_environmental,
    "goals_dax_train.csv": _goals,
    "sentiment_sentfin_train.csv": _sentiment,
    "sentiment_amazon_snippets.csv": _sentiment,
    "sentiment_nyt_editorial_train.csv": _sentiment,
    "sentiment_newsmtsc_train.csv": _sentiment,
    "sentiment_sst5_train.csv": _sentiment,
    "sentiment_sst2_train.tsv": _phrases,
    "sentiment_uci_amazon.tsv": _two_class,
    "sentiment_uci_yelp.tsv": _two_class,
}
