"""What corpora, files of a user's own and taxonomies say must become labels faithfully."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export.labelled import OWN, Example, read_labelled, split_of
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS
from training.corpora import read_directory, read_relabelled, relabelled, text_hash
from training.rows import own_sentences, read_examples, read_taxonomy
from training.targets import OPEN, Targets
from training.train import train_linear

if TYPE_CHECKING:
    from pathlib import Path


def a3cg(directory: Path, categories: dict[str, list[str]], states: list[str]) -> Example:
    row = {
        "text": "A sentence.",
        "aspect_categories": categories,
        "aspects": {str(number): [state] for number, state in enumerate(states)},
    }
    (directory / "topic_a3cg_train.json").write_text(json.dumps([row]))
    (example,) = read_directory(directory)
    return example


@pytest.mark.parametrize(
    ("categories", "present", "open_topics"),
    [
        ({}, set(), set()),  # nothing named: no topic applies
        ({"workplace": ["training"]}, {"S1"}, set()),
        ({"emissions control": ["carbon emissions"]}, {"E1"}, set()),  # decided by its words
        ({"emissions control": ["emissions"]}, set(), {"E1", "E2"}),  # either: left open
        ({"management": ["committee"]}, set(), {"G1"}),  # of any subject: left open
        ({"outreach": ["schools"], "waste management": ["waste"]}, {"S3", "E5"}, set()),
    ],
)
def test_aspects_become_topics(
    tmp_path: Path, categories: dict[str, list[str]], present: set[str], open_topics: set[str]
) -> None:
    """Named aspects apply, ambiguous ones are left open, all others do not apply."""
    example = a3cg(tmp_path, categories, [])
    assert {topic for topic, applies in example.topics.items() if applies} == present
    assert set(TOPICS) - set(example.topics) == open_topics


@pytest.mark.parametrize(
    ("states", "action"),
    [
        ([], "none"),
        (["indeterminate"], "none"),
        (["implemented", "indeterminate"], "implemented"),
        (["implemented", "planning"], "planned"),  # a tie: the rarer
        (["implemented", "implemented", "planning"], "implemented"),
    ],
)
def test_states_become_an_action(tmp_path: Path, states: list[str], action: str) -> None:
    """The commonest state wins; what is neither done nor planned is no action."""
    assert a3cg(tmp_path, {}, states).action == action


def test_something_environmental_is_one_of_five(tmp_path: Path) -> None:
    """A yes on a pillar names a group, a no denies all of it, a blank says nothing."""
    (tmp_path / "topic_esgbert_multilabel_train.csv").write_text("text,env,soc,gov\nA sentence.,1,0,\n")
    (example,) = read_directory(tmp_path)
    assert example.any_of == ("E1", "E2", "E3", "E4", "E5")
    assert example.topics == dict.fromkeys(("S1", "S2", "S3", "S4"), False)


def test_own_lines(tmp_path: Path) -> None:
    """A label left out is unknown; an empty list of topics says that none applies."""
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"text": "a", "topics": []}\n{"text": "b", "sentiment": "negative"}\n'
        '{"text": "c", "salience": 0, "initiative": false}\n'
    )
    first, second, third = read_labelled(path)
    assert (third.salience, third.initiative, first.salience) == (0, False, None)
    assert first.topics == dict.fromkeys(TOPICS, False)
    assert (first.action, first.sentiment) == (None, None)
    assert (second.topics, second.sentiment) == ({}, "negative")


@pytest.mark.parametrize(
    "line",
    [
        '{"text": ""}',
        '{"text": "a", "salience": 4}',
        '{"text": "a", "topics": ["E9"]}',
        '{"texts": "a"}',
        "a",
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, line: str) -> None:
    """A misspelt label is refused with file and line, not learnt."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(SetupError, match=r"mine\.jsonl, line 2"):
        read_labelled(path)


def test_our_own_sentences() -> None:
    """Every topic has examples in both parts, fully labelled, and no sentence is in both."""
    train, heldout = read_labelled(OWN / "train.jsonl"), read_labelled(OWN / "heldout.jsonl")
    for part in (train, heldout):
        assert all(example.action and example.sentiment and example.topics for example in part)
        for topic in TOPICS:
            assert sum(example.topics[topic] for example in part) >= 3
    assert not {example.text for example in train} & {example.text for example in heldout}


def test_films_keep_their_tests_apart(tmp_path: Path) -> None:
    """A phrase cut from a sentence of the test or development split is not trained on."""
    sentences = [f"film number {number} drags on and never finds its feet" for number in range(60)]
    rows = "".join(f"{text},negative,1\n" for text in sentences)
    (tmp_path / "sentiment_sst5_train.csv").write_text("text,label,fine_0_4\n" + rows)
    phrases = "".join(f"number {number} drags on and never finds\t0\n" for number in range(60))
    (tmp_path / "sentiment_sst2_train.tsv").write_text("sentence\tlabel\n" + phrases)
    examples = read_directory(tmp_path)
    kept = {e.text.split()[1] for e in examples if e.source == "sst2"}
    learnt = {e.text.split()[2] for e in examples if e.source == "sst5" and split_of(e) == "train"}
    assert kept == learnt
    assert 0 < len(kept) < 60


def test_one_document_one_split(tmp_path: Path) -> None:
    """Sentences of one article stay together, and most articles are learnt from."""
    rows = "".join(f"Sentence {n}.,neutral,0,{n // 10}_{n % 10}\n" for n in range(2000))
    (tmp_path / "sentiment_nyt_editorial_train.csv").write_text("text,label,mean_rating,id\n" + rows)
    splits: dict[str, set[str]] = {}
    for example in read_directory(tmp_path):
        splits.setdefault(example.group, set()).add(split_of(example))
    assert all(len(found) == 1 for found in splits.values())
    counts = [sum(found == {name} for found in splits.values()) for name in ("train", "dev", "test")]
    assert counts[0] > 120
    assert min(counts) > 10


def test_permissive_only(tmp_path: Path) -> None:
    """Sentences of unclear licence are left out; the permissive part of a corpus takes its place."""
    (tmp_path / "sentiment_sst5_train.csv").write_text("text,label,fine_0_4\nDull.,negative,1\n")
    (tmp_path / "topic_esgbert_multilabel_train.csv").write_text("text,env,soc,gov\nGreen.,1,0,\n")
    (tmp_path / "topic_esgbert_environmental_train.csv").write_text("text,env\nGreen.,1\n")
    sources = {example.source for example in read_examples(tmp_path)}
    assert sources == {"own", "sst5", "esgbert"}
    sources = {example.source for example in read_examples(tmp_path, permissive_only=True)}
    assert sources == {"own", "esgbert_environmental"}


def test_relabelled_sentences() -> None:
    """Labels by hash are well formed, and are applied to sentences that are not tested on."""
    labels = read_relabelled()
    assert len(labels) > 1000
    digest, found = next(iter(labels.items()))
    assert len(digest) == 16
    assert set(found.topics) == set(TOPICS)
    unknown = Example("Nobody has read this.", "esgbert", any_of=("E1", "E2"))
    assert text_hash(unknown.text) not in labels
    assert relabelled(unknown, labels) is unknown


def test_targets_mark_what_is_open() -> None:
    """A label not given is nan or OPEN, never a no."""
    examples = [Example("a", "x", {"E1": True}, ("S1",)), Example("b", "x", sentiment="negative", polar=True)]
    targets = Targets.of(examples, TOPICS)
    assert targets.topics[0, 0] == 1
    assert np.isnan(targets.topics[0, 1:]).all()
    assert targets.any_of[0].tolist() == [name == "S1" for name in TOPICS]
    assert targets.action.tolist() == [OPEN, OPEN]
    assert targets.sentiment.tolist() == [OPEN, 2]
    assert targets.polar.tolist() == [False, True]
    assert np.isnan(targets.salience).all()
    assert np.isnan(targets.known("initiative")).all()


def test_salience_is_learnt_by_levels() -> None:
    """A 2 is at least 1 and at least 2."""
    targets = Targets.of([Example("a", "x", salience=2, initiative=True), Example("b", "x")], TOPICS)
    assert targets.known("salience")[0].tolist() == [1, 1, 0]
    assert targets.judged("salience").tolist() == [True, False]
    assert targets.known("initiative")[0].tolist() == [1]


TAXONOMY = """
[[topic]]
code = "mill"
name = "Mills"

[[topic]]
code = "race"
name = "Water channels"
"""


def test_a_taxonomy_of_ones_own(tmp_path: Path) -> None:
    """A CSV file with labels of a user's taxonomy trains heads with these columns, without torch."""
    (tmp_path / "mine.toml").write_text(TAXONOMY)
    data = tmp_path / "data"
    data.mkdir()
    rows = [f"the wheel turns {n},mill" for n in range(40)] + [f"water flows {n},race" for n in range(40)]
    rows += [f"nothing to see {n}," for n in range(40)]
    (data / "labels.csv").write_text("text,labels\n" + "\n".join(rows) + "\n")
    topics = read_taxonomy(tmp_path / "mine.toml")
    examples = read_examples(data, topics)

    def encode(texts: object) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        assert isinstance(texts, list)
        words = ("wheel", "water", "nothing")
        return np.array([[word in text for word in words] for text in texts], np.float32)

    trained = train_linear(examples, topics, encode)
    assert trained.card.labels.topic == ("mill", "race")
    assert trained.card.heldout["topic_micro_f1"] == 1
    assert trained.card.sentences["labels"] > 80
    trained.save(tmp_path / "out")
    assert (tmp_path / "out" / "heads.json").exists()


@pytest.mark.parametrize(
    "content", ["", "[[topic]]\nname = 'x'", TAXONOMY + '[[topic]]\ncode = "mill"\nname = ""', "topic = 3"]
)
def test_a_bad_taxonomy_is_refused(tmp_path: Path, content: str) -> None:
    """No topics, no code, a code twice, nonsense: each is refused with the file's name."""
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(SetupError, match=r"bad\.toml"):
        read_taxonomy(path)


def test_a_topic_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A label of the CSV file that the taxonomy lacks is refused with its line."""
    (tmp_path / "mine.csv").write_text("text,labels\nfine,E1\nodd,E9\n")
    with pytest.raises(SetupError, match=r"mine\.csv, line 3: no such topic: E9"):
        read_examples(tmp_path)


def test_our_sentences_are_split_by_file() -> None:
    """The held-out file is tested on, nothing of the one to learn from, and a part of the written one."""
    examples = own_sentences()
    tested = {example.text for example in examples if split_of(example) == "test"}
    held, learnt, written = (
        {example.text for example in read_labelled(OWN / f"{name}.jsonl")}
        for name in ("heldout", "train", "written")
    )
    assert held <= tested <= held | written
    assert not tested & learnt
    assert len(held) < len(tested) < len(held) + len(written) / 3
