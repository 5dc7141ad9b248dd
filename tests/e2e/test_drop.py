"""A file dropped into the bucket is analyzed and shown."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.platform.records import TOPICS
from tests.e2e.running import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack

SAMPLES = sorted(
    path for path in (ROOT / "samples").iterdir() if path.suffix in {".pdf", ".txt", ".csv", ".jsonl"}
)
SHAPE = {
    *("id", "name", "generation", "state", "route", "pages", "passages", "tokens", "language", "sentiment"),
    *("topics", "initiatives", "summary", "error", "timings", "model"),
}
GOOD_AND_BAD = (
    "Brackwater Foundry cut the greenhouse gas emissions of its furnaces by 31% between 2019 and 2025. "
    "We will replace the last coke oven with an electric one by 2028.\n\n"
    "In March 2025 two contractors died when a crane collapsed at the northern plant.\n"
)


def names(passage: dict[str, Any]) -> list[str]:
    return [topic["name"] for topic in passage["topics"]]


def check_completed(shown: dict[str, Any]) -> None:
    assert set(shown) >= SHAPE
    assert shown["state"] == "completed", shown["error"]
    assert shown["error"] is None
    assert shown["route"] == "function"
    assert isinstance(shown["generation"], str)
    assert set(shown["topics"]) == set(TOPICS)
    assert 0 < sum(shown["sentiment"].values()) <= shown["passages"]
    assert 0 <= shown["initiatives"] <= shown["passages"]
    assert shown["tokens"] > shown["passages"]
    assert len(shown["model"]) == 64


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_each_sample_is_analyzed(stack: RunningStack, sample: Path) -> None:
    """Every file in samples/ completes, with a result in the documented shape, and `show` prints the same."""
    [shown] = stack.json("drop", str(sample), "--wait")
    check_completed(shown)
    assert 1 <= len(shown["summary"]) <= 8
    pages = {sentence["page"] for sentence in shown["summary"]}
    if sample.suffix == ".pdf":
        assert shown["pages"] > 1
        assert len(pages) > 1
        assert all(1 <= page <= shown["pages"] for page in pages)
    else:
        assert pages == {None}
    assert stack.json("show", shown["id"]) == [shown]


def test_what_a_person_reads(stack: RunningStack, tmp_path: Path) -> None:
    """Summary, sentiment, topics and initiatives stand in the printed result, the bad news included."""
    report = tmp_path / "brackwater.txt"
    report.write_text(GOOD_AND_BAD)
    done = stack.command("drop", str(report), "--wait")
    assert done.returncode == 0, done.stderr
    for heading in ("Summary", "Sentiment", "Topics", "Initiatives"):
        assert heading in done.stdout
    assert "two contractors died" in done.stdout
    assert "E1 climate change" in done.stdout
    listed = stack.command("show")
    assert "brackwater.txt" in listed.stdout


def test_passages_for_a_spreadsheet(stack: RunningStack, tmp_path: Path) -> None:
    """A line each under one header, for several documents; what would run in a cell is text."""
    one, other = tmp_path / "one.csv", tmp_path / "other.md"
    one.write_text(
        "stars,review\n5,=1+1 is what the plant saved in water this year.\n1,The plant spilled oil.\n"
    )
    other.write_text("# Water\n\nThe mill in the north used less water in the last year.\n")
    stack.json("drop", str(one), str(other), "--wait")
    done = stack.command("show", "one.csv", "other.md", "--csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["document"], row["row"], row["section"], row["label"]) for row in rows] == [
        ("one.csv", "1", "", "5"),
        ("one.csv", "2", "", "1"),
        ("other.md", "", "Water", ""),
    ]
    assert rows[0]["text"] == "'=1+1 is what the plant saved in water this year."
    assert rows[1]["sentiment"] == "negative"


@pytest.mark.usefixtures("clients")
def test_a_row_is_a_passage(stack: RunningStack, tmp_path: Path) -> None:
    """Rows keep their order and number; the text column can be named by the object's metadata."""
    from shared.platform.clients import firestore_client

    table = tmp_path / "notes.csv"
    rows = [
        f"{number},The plant saved {number} tonnes of water.,internal remark {number}"
        for number in range(1, 151)
    ]
    table.write_text("id,said,text\n" + "\n".join(rows) + "\n")
    [shown] = stack.json("drop", str(table), "--wait", "--text-column", "said")
    check_completed(shown)
    assert shown["passages"] == 150
    assert shown["pages"] is None
    passages = firestore_client().collection("documents").document(shown["id"]).collection("passages")
    stored = [snapshot.to_dict() for snapshot in passages.order_by("index").stream()]
    assert [passage["row"] for passage in stored] == list(range(1, 151))
    assert stored[41]["text"] == "The plant saved 42 tonnes of water."
    [figure] = stored[41]["figures"]
    assert figure.items() >= {"kind": "quantity", "value": 42.0, "unit": "t", "printed": "42"}.items()
    assert len(stored[41]["embedding"]) == 384
    assert sum(number * number for number in stored[41]["embedding"]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.txt", b""),
        ("blank.txt", b" \n\t\n"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("broken.pdf", b"%PDF-1.7\nnothing that follows is a PDF"),
        ("program.bin", bytes(range(256)) * 40),
    ],
)
def test_what_cannot_be_read_is_rejected(
    stack: RunningStack, tmp_path: Path, name: str, content: bytes
) -> None:
    """The document ends as rejected with code, message and hint, and the command's status is 1."""
    path = tmp_path / name
    path.write_bytes(content)
    [shown] = stack.json("drop", str(path), "--wait", status=1)
    assert shown["state"] == "rejected"
    assert all(shown["error"][part] for part in ("code", "message", "hint"))
    assert shown["summary"] == []
    assert name in stack.command("show").stdout


@pytest.mark.usefixtures("clients")
def test_the_same_analysis_without_a_stack(stack: RunningStack, tmp_path: Path) -> None:
    """`analyze` says of every passage what the pipeline stored: a result depends on no route."""
    from shared.platform.clients import firestore_client

    report = tmp_path / "twice.txt"
    report.write_text(GOOD_AND_BAD * 3)
    [shown] = stack.json("drop", str(report), "--wait")
    alone = stack.json("analyze", str(report), "--embeddings")
    passages = firestore_client().collection("documents").document(shown["id"]).collection("passages")
    stored = [snapshot.to_dict() for snapshot in passages.order_by("index").stream()]
    assert len(stored) == len(alone["passages"]) == shown["passages"]
    for pipeline, direct in zip(stored, alone["passages"], strict=True):
        assert pipeline["text"] == direct["text"]
        assert pipeline["sentiment"]["label"] == direct["sentiment"]["label"]
        assert pipeline["action"]["label"] == direct["action"]["label"]
        assert names(pipeline) == names(direct)
        cosine = sum(a * b for a, b in zip(pipeline["embedding"], direct["embedding"], strict=True))
        assert cosine > 0.999
    for field in ("topics", "sentiment", "initiatives", "summary", "tokens", "language", "model"):
        assert alone["document"][field] == shown[field]


@pytest.mark.usefixtures("clients")
def test_personal_data_is_not_stored(stack: RunningStack, tmp_path: Path) -> None:
    """Neither Firestore nor the artefacts nor the logs hold an address that stood in the file."""
    from shared.platform.clients import storage_client

    report = tmp_path / "contact.txt"
    report.write_text(
        GOOD_AND_BAD + "\nWrite to greta.lindqvist@example.com for the full report on our targets.\n"
    )
    [shown] = stack.json("drop", str(report), "--wait")
    work = storage_client().bucket("headrace-local-work")
    artefacts = [blob.download_as_bytes() for blob in work.list_blobs(prefix=f"runs/{shown['id']}/")]
    assert len(artefacts) == 3
    assert all(b"greta.lindqvist" not in content for content in artefacts)
    assert sum(b"[email:" in content for content in artefacts) == 2
    for log in (stack.data / "logs").iterdir():
        assert "greta.lindqvist" not in log.read_text()
        assert "two contractors died" not in log.read_text()
    for database in (stack.data / "firestore").iterdir():
        assert b"greta.lindqvist" not in database.read_bytes()


@pytest.mark.usefixtures("clients")
def test_the_result_is_announced(stack: RunningStack, tmp_path: Path) -> None:
    """A program that reads `results` gets a message per ended document, perhaps twice (`announce`)."""
    from local.provision import subscriber

    report = tmp_path / "announced.txt"
    report.write_text(GOOD_AND_BAD)
    [shown] = stack.json("drop", str(report), "--wait")
    client = subscriber(stack.stack()["environment"]["PUBSUB_EMULATOR_HOST"])
    subscription = "projects/headrace-local/subscriptions/results"
    messages = []
    while pulled := client.pull(subscription=subscription, max_messages=100, timeout=10).received_messages:
        messages += [json.loads(item.message.data) for item in pulled]
        client.acknowledge(subscription=subscription, ack_ids=[item.ack_id for item in pulled])
        if any(message["document"] == shown["id"] for message in messages):
            break
    told = [message for message in messages if message["document"] == shown["id"]]
    assert {(message["state"], message["run"], message["name"]) for message in told} == {
        ("completed", 1, "announced.txt")
    }


def test_a_file_that_is_not_followed_has_the_same_shape(stack: RunningStack, tmp_path: Path) -> None:
    """Without --wait the list holds the same objects, their state `received`."""
    report = tmp_path / "unfollowed.txt"
    report.write_text(GOOD_AND_BAD)
    [shown] = stack.json("drop", str(report))
    assert set(shown) >= SHAPE
    assert (shown["state"], shown["name"], shown["route"]) == ("received", "unfollowed.txt", None)
    assert shown["sentiment"] == {"positive": 0, "neutral": 0, "negative": 0}


def test_an_unknown_document_is_one_line(stack: RunningStack) -> None:
    """The error names what was asked for and what to do."""
    done = stack.command("show", "nosuchdocument")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nosuchdocument" in done.stderr
