"""Join the committed labels with the sample documents, which are not part of the repository.

A label names its file by SHA-256 and its sentence by span and hash (see `spans`), so a renamed file is found
and an altered one is refused.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from benchmarks.annotations.spans import raw_places, sentence, text_hash
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from shared.platform.records import ActionLabel, SentimentLabel

HERE = Path(__file__).parent
DATA = HERE / "data"
_REPOSITORY = HERE.parents[1]

Drawn = Literal["random", "targeted"]
LabelFile = Literal["pass1", "pass2", "labels"]


@dataclass(frozen=True)
class Label:
    """What an annotator says of one sentence; `labels.tsv` holds the final word."""

    topics: frozenset[str]
    """ESRS codes; empty where the sentence speaks of none."""
    action: ActionLabel
    sentiment: SentimentLabel


@dataclass(frozen=True)
class Key:
    """Where a sentence stands; `file` and `text` are 16 hexadecimal digits of a SHA-256."""

    text: str
    file: str
    place: int
    start: int
    end: int
    drawn: Drawn


@dataclass(frozen=True)
class Annotated:
    """A sentence with its label. `drawn` says whether it was drawn uniformly or searched for its topic."""

    text: str
    label: Label
    source: str
    """The file's name when it was annotated: one document, so the group to split by."""
    drawn: Drawn


@dataclass
class Loaded:
    """What could be resolved, and a sentence about each thing that could not."""

    sentences: list[Annotated] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def samples_directory(given: Path | None = None) -> Path:
    """`given`, else `data/samples` below $HEADRACE_SHARED or below ../shared beside the repository.

    Raises:
        SetupError: there is no such directory.
    """
    root = Path(os.environ.get("HEADRACE_SHARED") or _REPOSITORY.parent / "shared")
    directory = given or root / "data" / "samples"
    if not directory.is_dir():
        raise SetupError(
            f"No sample documents at {directory}: set HEADRACE_SHARED to the directory above data/."
        )
    return directory


def read_labels(which: LabelFile = "labels") -> dict[str, Label]:
    """Labels by text hash, in the order they were written down."""
    return {
        row["text"]: Label(
            frozenset() if row["topics"] == "-" else frozenset(row["topics"].split(",")),
            cast("ActionLabel", row["action"]),
            cast("SentimentLabel", row["sentiment"]),
        )
        for row in read_table(DATA / f"{which}.tsv")
    }


def read_keys() -> list[Key]:
    """Every sentence's place, grouped by file."""
    return [
        Key(
            text=row["text"],
            file=row["file"],
            place=int(row["place"]),
            start=int(row["start"]),
            end=int(row["end"]),
            drawn=cast("Drawn", row["drawn"]),
        )
        for row in read_table(DATA / "sentences.tsv")
    ]


def read_files() -> dict[str, str]:
    """Name by full SHA-256 of each annotated file."""
    return {row["sha256"]: row["name"] for row in read_table(DATA / "files.tsv")}


def load(samples: Path | None = None) -> Loaded:
    """Resolve every key against the files below `samples` (default: see `samples_directory`).

    Raises:
        SetupError: there is no such directory.
    """
    directory = samples_directory(samples)
    labels = read_labels()
    wanted = read_files()
    found, altered = _find(directory, wanted)
    by_file: dict[str, list[Key]] = defaultdict(list)
    for key in read_keys():
        by_file[key.file].append(key)
    loaded = Loaded()
    for digest, name in wanted.items():
        if digest not in found:
            what = (
                f"changed: {altered[name]} has other content"
                if name in altered
                else f"missing below {directory}"
            )
            loaded.problems.append(f"{name} (SHA-256 {digest[:16]}…) is {what}.")
            continue
        _resolve(found[digest], name, by_file[digest[:16]], labels, loaded)
    return loaded


def _resolve(path: Path, name: str, keys: list[Key], labels: dict[str, Label], into: Loaded) -> None:
    suffix = Path(name).suffix.removeprefix(".")
    raw = raw_places(path, suffix, (key.place for key in keys))
    for key in keys:
        text = sentence(raw.get(key.place, "")[key.start : key.end], suffix)
        if text_hash(text) == key.text:
            into.sentences.append(Annotated(text, labels[key.text], name, key.drawn))
        else:
            into.problems.append(
                f"{name}, place {key.place}, span {key.start}-{key.end}: the text is not the one annotated"
                " (another version of the PDF library reads the page differently?)."
            )


def _find(directory: Path, wanted: dict[str, str]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Files by digest; and by name those that bear a wanted name with other content."""
    found: dict[str, Path] = {}
    altered: dict[str, Path] = {}
    suffixes = {Path(name).suffix for name in wanted.values()}
    names = set(wanted.values())
    for path in sorted(directory.rglob("*")):
        if path.suffix not in suffixes or not path.is_file():
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in wanted:
            found[digest] = path
        elif path.name in names:
            altered[path.name] = path
    return found, altered


def read_table(path: Path) -> list[dict[str, str]]:
    """The lines of a tab-separated file by its head; a quotation mark is an ordinary character."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
