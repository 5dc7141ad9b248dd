"""The labelled sentences: sound in themselves, and still resolving to their text where the samples are."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import pytest

from benchmarks.annotations import load as loading
from benchmarks.annotations.agreement import kappa, readings, report
from benchmarks.annotations.load import (
    DATA,
    HERE,
    LabelFile,
    load,
    read_files,
    read_keys,
    read_labels,
    samples_directory,
)
from benchmarks.annotations.spans import raw_places, sentence, text_hash
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS, ActionLabel, SentimentLabel

if TYPE_CHECKING:
    from pathlib import Path

LEAST_PER_TOPIC = 12
LEAST_SENTENCES = 300
LEAST_DOCUMENTS = 12
LEAST_RANDOM_SHARE = 0.4


@pytest.mark.parametrize("which", get_args(LabelFile))
def test_codes_are_valid(which: LabelFile) -> None:
    """Labels use the codes the model answers with, and all passes label the same sentences."""
    labels = read_labels(which)
    assert labels.keys() == {key.text for key in read_keys()}
    for label in labels.values():
        assert label.topics <= set(TOPICS)
        assert label.action in get_args(ActionLabel)
        assert label.sentiment in get_args(SentimentLabel)


def test_set_is_large_and_broad_enough() -> None:
    """Hundreds of sentences from a dozen documents, every class present, a good part drawn uniformly."""
    labels, keys = read_labels(), read_keys()
    topics = Counter(code for label in labels.values() for code in label.topics)
    assert len(labels) >= LEAST_SENTENCES
    assert {code for code in TOPICS if topics[code] < LEAST_PER_TOPIC} == set()
    assert sum(not label.topics for label in labels.values()) >= LEAST_PER_TOPIC
    assert {label.action for label in labels.values()} == set(get_args(ActionLabel))
    assert {label.sentiment for label in labels.values()} == set(get_args(SentimentLabel))
    assert len({key.file for key in keys}) >= LEAST_DOCUMENTS
    assert sum(key.drawn == "random" for key in keys) >= LEAST_RANDOM_SHARE * len(keys)


def test_spans_are_unique_and_apart() -> None:
    """No sentence is counted twice: texts differ, and spans of one place do not overlap."""
    keys = sorted(read_keys(), key=lambda key: (key.file, key.place, key.start))
    assert len({key.text for key in keys}) == len(keys)
    assert all(key.start < key.end for key in keys)
    for before, after in pairwise(keys):
        assert (before.file, before.place) != (after.file, after.place) or before.end <= after.start


def test_final_label_follows_the_passes_or_gives_a_reason() -> None:
    """Where the passes agree the final label is theirs; any other has its reason written beside it."""
    first, second, final = read_labels("pass1"), read_labels("pass2"), read_labels()
    lines = (DATA / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    reasoned = {line.split("\t")[0] for line in lines if line.split("\t")[-1]}
    decided = {text for text in final if not first[text] == second[text] == final[text]}
    assert decided == reasoned


def test_committed_data_is_small_and_holds_no_sentence() -> None:
    """Digests, numbers and codes only: no field but a short reason is longer than a SHA-256."""
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 200_000
    for path in DATA.glob("*.tsv"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert all(len(cell) <= 64 for cell in line.split("\t"))


@pytest.mark.parametrize(
    ("raw", "suffix", "clean"),
    [
        ("Our long\ufffeterm view\r\nholds.", "pdf", "Our long-term view holds."),  # part of the word
        ("The de\ufffevice  is\r\nnew.", "pdf", "The device is new."),  # a syllable break
        ("A well-known\nline.", "txt", "A well-known line."),  # a hyphen within a line stays
        ("Pay &amp; <b>hours</b>\nmatter.", "html", "Pay & hours matter."),  # markup goes, entities are read
        ("Pay &amp; hours.", "txt", "Pay &amp; hours."),  # but only in HTML
    ],
)
def test_clean_sentence(raw: str, suffix: str, clean: str) -> None:
    """A raw span becomes one line as a reader would write it."""
    assert sentence(raw, suffix) == clean


def test_places_of_each_kind(tmp_path: Path) -> None:
    """A place is a line's `text`, a line's fourth field or the whole file; one the file lacks is left out."""
    lines, table, plain = tmp_path / "a.jsonl", tmp_path / "a.tsv", tmp_path / "a.txt"
    lines.write_text(json.dumps({"text": "First.\nSecond."}) + "\n", encoding="utf-8")
    table.write_bytes(b'5\tx\ty\tSays "yes".\t1\r\n4\tx\ty\tSays no.\t1\r\n')
    plain.write_bytes(b"One.\r\nTwo.")
    assert raw_places(lines, "jsonl", [1, 9]) == {1: "First.\nSecond."}
    assert raw_places(table, "tsv", [1, 2, 9]) == {1: 'Says "yes".', 2: "Says no."}
    assert raw_places(plain, "txt", [1, 1]) == {1: "One.\r\nTwo."}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("aabb", "aabb", 1.0),
        ("aabb", "abab", 0.0),  # observed 1/2, expected 1/2
        ("aaab", "aabb", 0.5),  # observed 3/4, expected (3*2 + 1*2)/16 = 1/2
        ("aa", "aa", 1.0),  # one constant label
        ("ab", "ba", -1.0),
    ],
)
def test_kappa(first: str, second: str, expected: float) -> None:
    """Agreement beyond chance, worked out by hand."""
    assert kappa(first, second) == pytest.approx(expected)


def test_kappa_needs_pairs() -> None:
    """Nothing to compare, or labels without a partner, is the caller's mistake."""
    with pytest.raises(ValueError, match="at least one"):
        kappa("", "")
    with pytest.raises(ValueError, match="shorter"):
        kappa("ab", "a")


def test_report_names_every_scale() -> None:
    """The table has a line for each topic, the action and the sentiment, and says how it was come by."""
    text = report()
    assert all(f"\n{name} " in text for name in (*TOPICS, "topic set", "action", "sentiment"))
    assert "blind to the first" in text


def test_guideline_has_the_agreement_of_readings() -> None:
    """The page's table is what the command prints of the readings before anything was settled."""
    printed = [line.split()[-6:] for line in readings().splitlines()[3:6]]
    table = [f"| {' | '.join(cell.removeprefix('0') for cell in cells)} |" for cells in printed]
    page = (HERE / "GUIDELINE.md").read_text(encoding="utf-8")
    assert [row for row in table if row not in page] == []


def test_missing_samples_are_named(tmp_path: Path) -> None:
    """An empty directory yields no sentence and a problem for each file; none at all says what to set."""
    loaded = load(tmp_path)
    assert loaded.sentences == []
    assert len(loaded.problems) == len(read_files())
    assert all("missing" in problem for problem in loaded.problems)
    with pytest.raises(SetupError, match="HEADRACE_SHARED"):
        load(tmp_path / "nowhere")


def test_changed_sample_is_named(tmp_path: Path) -> None:
    """A file of a known name with other content is reported as changed, not as missing, and not read."""
    name = next(iter(read_files().values()))
    (tmp_path / name).write_bytes(b"other content")
    problem = next(problem for problem in load(tmp_path).problems if problem.startswith(name))
    assert "changed" in problem


def test_text_that_is_not_the_annotated_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span whose text has another hash yields a problem instead of a wrongly labelled sentence."""
    digest = text_hash("Kept as it was.")
    file = tmp_path / "report.txt"
    file.write_text("Kept as it was. Read otherwise.", encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    whole = hashlib.sha256(file.read_bytes()).hexdigest()
    (data / "files.tsv").write_text(f"sha256\tname\n{whole}\treport.txt\n", encoding="utf-8")
    (data / "sentences.tsv").write_text(
        "text\tfile\tplace\tstart\tend\tdrawn\n"
        f"{digest}\t{whole[:16]}\t1\t0\t15\trandom\n"
        f"{'0' * 16}\t{whole[:16]}\t1\t16\t31\ttargeted\n",
        encoding="utf-8",
    )
    (data / "labels.tsv").write_text(
        f"text\ttopics\taction\tsentiment\treason\n{digest}\tE1,S1\tplanned\tneutral\t\n", encoding="utf-8"
    )
    monkeypatch.setattr(loading, "DATA", data)
    renamed = tmp_path / "renamed.txt"
    shutil.move(file, renamed)
    loaded = load(tmp_path)
    assert [(one.text, one.label.topics, one.source, one.drawn) for one in loaded.sentences] == [
        ("Kept as it was.", frozenset({"E1", "S1"}), "report.txt", "random")
    ]
    assert len(loaded.problems) == 1
    assert "16-31" in loaded.problems[0]


def test_every_key_resolves() -> None:
    """With the sample documents at hand, every span gives the very sentence that was labelled."""
    try:
        directory = samples_directory()
    except SetupError as absent:
        pytest.skip(str(absent))
    loaded = load(directory)
    assert loaded.problems == []
    assert len(loaded.sentences) == len(read_keys())
