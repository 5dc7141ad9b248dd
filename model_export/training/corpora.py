"""Readers of public corpora, each file by its name, and how their labels map to ours.

A3CG (sustainability-report sentences with aspects and the state of the action) judges every aspect of a
sentence, so what it does not name is absent; an aspect that spans several ESRS topics is decided by its words
or left open. The ESGBERT sentences say only "something environmental" or "something social": one of several
topics.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from model_export.training.examples import Example, exhaustive
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shared.records import ActionLabel, SentimentLabel

ENVIRONMENTAL = ("E1", "E2", "E3", "E4", "E5")
SOCIAL = ("S1", "S2", "S3", "S4")

_ASPECT_TOPICS: dict[str, tuple[str, ...]] = {
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


SOURCES = {
    "a3cg": Source(
        name="A3CG, github.com/keanepotato/a3cg_greenwash",
        revision="47a2a0c36b31a3e5679aef0489f803e8fee2ee05",
        licence="none stated for the data",
        use="training sentences for topic and action",
    ),
    "esgbert": Source(
        name="ESGBERT 2k, github.com/elizabap/ESGlassifier",
        revision="a8c7035cdb085ec7d2a08d4bbf3e0f2b05cc3c87",
        licence="Apache-2.0 (environmental), none stated (social, governance)",
        use="training sentences for topic",
    ),
    "sentfin": Source(
        name="SEntFiN, github.com/pyRis/SEntFiN",
        revision="eba43610fe3cb57a3e5773cd6c037da1f8992ad5",
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "amazon": Source(
        name="Hutto 2014 product reviews, github.com/cjhutto/vaderSentiment",
        revision="44fc044cd877310ee8278a0eadf34bcd50d41d06",
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "nyt": Source(
        name="Hutto 2014 editorials, github.com/cjhutto/vaderSentiment",
        revision="44fc044cd877310ee8278a0eadf34bcd50d41d06",
        licence="MIT",
        use="training sentences for sentiment",
    ),
    "newsmtsc": Source(
        name="NewsMTSC, github.com/fhamborg/NewsMTSC",
        revision="b9d9b79704ed1b35cecaf1d7c2343dc1bd734fb7",
        licence="MIT",
        use="training sentences for sentiment",
    ),
}


def read_directory(directory: Path) -> Iterator[Example]:
    """Every example of the known corpora under `directory`; files of other names are passed over."""
    for path in sorted(directory.rglob("*")):
        reader = _READERS.get(path.name)
        if reader is not None:
            yield from reader(path)


def _a3cg(path: Path) -> Iterator[Example]:
    for row in json.loads(path.read_text(encoding="utf-8")):
        present: set[str] = set()
        unsure: set[str] = set()
        for category, terms in row["aspect_categories"].items():
            topics = _ASPECT_TOPICS.get(category, ())
            named = (
                [topic for topic in topics if _mentions(topic, terms)] if len(topics) > 1 else list(topics)
            )
            (present if named and category not in _UNSURE_ASPECTS else unsure).update(named or topics)
        yield Example(row["text"], "a3cg", exhaustive(present, unsure), action=_action(row["aspects"]))


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
        judged = {name: row.get(name) for name in ("env", "soc", "gov")}
        topics: dict[str, bool] = {}
        any_of: list[str] = []
        for name, group in (("env", ENVIRONMENTAL), ("soc", SOCIAL)):
            if judged[name] == "0":
                topics |= dict.fromkeys(group, False)
            elif judged[name] == "1":
                any_of += [] if any_of else group
        if judged["gov"]:
            topics["G1"] = judged["gov"] == "1"
        yield Example(row["text"], "esgbert", topics, tuple(any_of))


def _sentiment(path: Path) -> Iterator[Example]:
    source = path.stem.removeprefix("sentiment_").split("_")[0]
    for row in _rows(path):
        yield Example(row["text"], source, sentiment=_POLARITY[row["label"]])


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


_READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "topic_a3cg_train.json": _a3cg,
    "topic_esgbert_multilabel_train.csv": _esgbert,
    "sentiment_sentfin_train.csv": _sentiment,
    "sentiment_amazon_snippets.csv": _sentiment,
    "sentiment_nyt_editorial_train.csv": _sentiment,
    "sentiment_newsmtsc_train.csv": _sentiment,
}
