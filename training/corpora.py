"""Readers of the public corpora that `corpora.toml` lists, and how their labels map to ours.

A3CG (sustainability-report sentences with aspects and the state of the action) judges every aspect of a
sentence, so what it does not name is absent; an aspect that spans several ESRS topics is decided by its words
or left open. The ESGBERT sentences say only "something environmental" or "something social": one of several
topics. The goals corpus says whether a sentence is a goal: a plan, or not one.

Some sentences of the last two were read again by the guideline in `benchmarks/annotations/GUIDELINE.md`.
Those labels are in `model_export/data/relabelled.tsv`, by hash; none is of a test split.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from model_export.labelled import OWN, PILLARS, Example, Split, exhaustive, never_tested, split_of
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shared.platform.records import ActionLabel, SentimentLabel

_ASPECTS = tomllib.loads(Path(__file__).with_name("aspects.toml").read_text(encoding="utf-8"))
ASPECT_TOPICS: dict[str, list[str]] = _ASPECTS["topics"]
_UNSURE_ASPECTS = frozenset({"management"})
"""Committees and systems of any subject: sometimes business conduct, often not."""
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
_PERMISSIVE = ("MIT", "Apache-2.0")


def read_directory(directory: Path, *, permissive_only: bool = False) -> list[Example]:
    """Every example of the known corpora under `directory`; files of other names are passed over.

    `permissive_only` leaves out those whose licence is unclear. Relabelled sentences carry our labels.
    """
    examples = [
        example
        for path in sorted(directory.rglob("*"))
        if (source := FILES.get(path.name))
        for example in _READERS[_CORPORA[source]["format"]](path, source)
        if permissive(example) or not permissive_only
    ]
    if any(example.source == "esgbert" for example in examples):
        # The same sentences, with less said of them.
        examples = [example for example in examples if example.source != "esgbert_environmental"]
    labels = read_relabelled()
    return [relabelled(example, labels) for example in _without_pieces_of_tests(examples)]


def permissive(example: Example) -> bool:
    """Whether the licence of its text is known and permissive; that of a user's own files is unknown."""
    source = SOURCES.get(example.source)
    return example.source == "own" or (source is not None and source.licence in _PERMISSIVE)


def _a3cg(path: Path, source: str) -> Iterator[Example]:
    for row in json.loads(path.read_text(encoding="utf-8")):
        present: set[str] = set()
        unsure: set[str] = set()
        for category, terms in row["aspect_categories"].items():
            topics = ASPECT_TOPICS.get(category, [])
            named = [t for t in topics if _mentions(t, terms)] if len(topics) > 1 else topics
            (present if named and category not in _UNSURE_ASPECTS else unsure).update(named or topics)
        example = Example(
            row["text"],
            source,
            exhaustive(present, unsure),
            action=_action(row["aspects"]),
            aspects=frozenset(row["aspect_categories"]) & frozenset(ASPECT_TOPICS),
        )
        # The corpus comes with a part to test on; the rest is trained on.
        split: Split = "test" if path.stem.endswith("_val") else never_tested(example)
        yield dataclasses.replace(example, split=split)


def _mentions(topic: str, terms: list[str]) -> bool:
    return any(re.search(rf"\b(?:{_ASPECTS['words'][topic]})", term, re.IGNORECASE) for term in terms)


def _action(aspects: dict[str, Any]) -> ActionLabel:
    """The state most aspects are in; a plan beats an equal number of deeds, being the rarer thing to say."""
    states = Counter(_STATES[state] for values in aspects.values() for state in values if state in _STATES)
    if not states:
        return "none"
    return "planned" if states["planned"] >= states["implemented"] else "implemented"


def _pillars(path: Path, source: str) -> Iterator[Example]:
    for row in _rows(path):
        pillars = {name: row[name] == "1" for name in PILLARS if row.get(name)}
        topics: dict[str, bool] = {}
        for name, present in pillars.items():
            if name == "gov" or not present:
                topics |= dict.fromkeys(PILLARS[name], present)
        group = next((PILLARS[name] for name in ("env", "soc") if pillars.get(name)), ())
        yield Example(row["text"], source, topics, group, pillars=pillars)


def _goals(path: Path, source: str) -> Iterator[Example]:
    for row in _rows(path):
        if not _EVALUATED.search(row["sentence"]):
            goal = row["label"] == "1"
            yield Example(row["sentence"], source, action="planned" if goal else None, not_planned=not goal)


def _sentiment(path: Path, source: str) -> Iterator[Example]:
    for row in _rows(path):
        # "12_3": the third sentence of the twelfth article or review.
        document = row.get("id", "").split("_")[0]
        group = f"{source} {document}" if document else ""
        yield Example(row["text"], source, sentiment=_POLARITY[row["label"]], group=group)


def _two_class(path: Path, source: str) -> Iterator[Example]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text, label = line.rsplit("\t", 1)
        if sentiment := _POLARITY.get(label.strip()):  # not the line of titles
            yield Example(text.strip(), source, sentiment=sentiment, polar=True)


def _phrases(path: Path, source: str) -> Iterator[Example]:
    for example in _two_class(path, source):
        if len(example.text.split()) >= _PHRASE_WORDS:
            yield dataclasses.replace(example, split="train")


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


_READERS: dict[str, Callable[[Path, str], Iterator[Example]]] = {
    "a3cg": _a3cg,
    "pillars": _pillars,
    "goals": _goals,
    "sentiment": _sentiment,
    "phrases": _phrases,
    "two_class": _two_class,
}
_CORPORA: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
FILES: dict[str, str] = {file: name for name, corpus in _CORPORA.items() for file in corpus["files"]}
"""The corpus that each file name belongs to."""
SOURCES = {
    name: Source(**{key: value for key, value in corpus.items() if key not in {"files", "format"}})
    for name, corpus in _CORPORA.items()
}
"""Where the sentences of each corpus came from, and under what terms."""


@dataclasses.dataclass(frozen=True, slots=True)
class Labels:
    """What a reader said of one sentence."""

    topics: dict[str, bool]
    action: ActionLabel
    sentiment: SentimentLabel


def relabelled(example: Example, labels: Mapping[str, Labels]) -> Example:
    """`example` with our labels where there are some and it is not a test; otherwise as it is.

    Where the corpus says that a pillar is touched and we found none of its topics, or the other way round,
    both readings have something for them: the pillar's topics stay open.
    """
    ours = labels.get(text_hash(example.text))
    if ours is None or split_of(example) == "test":
        return example
    topics = dict(ours.topics)
    any_of: tuple[str, ...] = ()
    for pillar, touched in example.pillars.items():
        group = PILLARS[pillar]
        if touched != any(ours.topics[name] for name in group):
            topics = {name: present for name, present in topics.items() if name not in group}
            any_of = any_of or (group if touched else ())
    return dataclasses.replace(
        example, topics=topics, any_of=any_of, action=ours.action, sentiment=ours.sentiment
    )


def read_relabelled() -> dict[str, Labels]:
    """Labels of our own by the hash of the text: lines of hash, topics (or -), action and sentiment."""
    with (OWN / "relabelled.tsv").open(encoding="utf-8", newline="") as file:
        return {
            row["text"]: Labels(
                exhaustive([] if row["topics"] == "-" else row["topics"].split(",")),
                cast("ActionLabel", row["action"]),
                cast("SentimentLabel", row["sentiment"]),
            )
            for row in csv.DictReader(file, delimiter="\t")
        }


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
