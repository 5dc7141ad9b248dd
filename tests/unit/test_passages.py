"""Labels of passages, the readings that they come from, and how their texts are found."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import TYPE_CHECKING, Any

from model_export.labelled import OWN, split_of
from shared.platform.records import TOPICS
from training import passages
from training.passages import Company, Labels, Passage, Sentence, digest, read_passages, read_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _rows(name: str) -> list[dict[str, Any]]:
    return list(read_rows(OWN / name))


def test_every_passage_is_labelled_once_and_its_company_has_one_split() -> None:
    rows = [Passage.model_validate(row) for row in _rows(passages.PASSAGES)]
    companies = [Company.model_validate(row) for row in _rows(passages.COMPANIES)]
    assert max(Counter(row.id for row in rows).values()) == 1
    assert max(Counter(company.company for company in companies).values()) == 1
    assert {row.company for row in rows} - {""} == {company.company for company in companies}
    assert {topic for row in rows for topic in row.topics.split(",")} <= {*TOPICS, ""}


def test_sentences_are_of_known_passages_and_do_not_overlap() -> None:
    rows = [Sentence.model_validate(row) for row in _rows(passages.SENTENCES)]
    assert {row.passage for row in rows} <= {row["id"] for row in _rows(passages.PASSAGES)}
    ends: dict[str, int] = {}
    for row in rows:
        assert ends.get(row.passage, 0) <= row.start < row.end
        ends[row.passage] = row.end


def test_readings_are_of_kept_labels() -> None:
    kept = {(row["id"], "", "") for row in _rows(passages.PASSAGES)}
    kept |= {(row["passage"], row["start"], row["end"]) for row in _rows(passages.SENTENCES)}
    first, second = _reading("first.tsv"), _reading("second.tsv")
    assert first == second
    assert len(set(first)) == len(first)
    assert set(first) <= kept


def _reading(name: str) -> list[tuple[str, str, str]]:
    """What was judged, line by line, after its labels were found valid."""
    places = []
    for row in _rows(name):
        places.append((row.pop("passage"), row.pop("start"), row.pop("end")))
        Labels.model_validate({"reader": "", **row})
    return places


def test_labels_hold_no_text() -> None:
    for path in OWN.glob("*.tsv"):
        assert all(len(cell) <= 64 for row in _rows(path.name) for cell in row.values())


def test_texts_are_found_by_hash_in_lists_and_in_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = "We closed the last coal boiler in May. It had burnt 900 t a year."
    cut = "Our drivers worked 12% fewer night shifts than in the year before."
    data, texts = tmp_path / "data", tmp_path / "texts"
    data.mkdir()
    texts.mkdir()
    labels = "1\t{}\timplemented\tpositive\t2\tyes\n"
    head = "reader\ttopics\taction\toutcome\tsalience\tinitiative\n"
    (data / passages.PASSAGES).write_text(
        f"id\tcompany\tsource\thow\tkind\t{head}"
        + "".join(
            f"{key}\t{name}\t{name}_2020\trandom\tprose\t{labels.format(topics)}"
            for key, name, topics in (
                (digest(listed), "alder", "E1"),
                (digest(cut), "birch", "S1"),
                ("0" * 16, "birch", ""),
            )
        )
    )
    (data / passages.COMPANIES).write_text("company\tsplit\nalder\ttrain\nbirch\ttest\n")
    (data / passages.SENTENCES).write_text(
        f"passage\tstart\tend\t{head}{digest(listed)}\t0\t38\t{labels.format('E1')}"
    )
    (texts / "some.tsv").write_text(f"id\ttext\n{digest(listed)}\t{listed}\n")
    (texts / "birch_2020.txt.gz").write_bytes(gzip.compress(f"# Night work\n\n{cut}\n".encode()))
    monkeypatch.setattr(passages, "OWN", data)
    monkeypatch.setattr(passages, "CACHE", tmp_path / "cache")
    for _ in range(2):  # the second time the report is not read again
        found = read_passages(texts)
        assert found.missing == 1
        assert [(e.text, split_of(e), e.source) for e in found.examples] == [
            (listed, "train", "passages"),
            (cut, "test", "passages"),
            (listed[:38], "train", "sentences"),
        ]
        assert found.examples[0].topics["E1"]
        assert found.examples[0].initiative is True


def test_there_are_no_examples_without_their_texts() -> None:
    found = read_passages(None)
    assert not found.examples
    assert found.missing == len(_rows(passages.PASSAGES))
