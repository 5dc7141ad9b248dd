"""`headrace digest`: a digest is asked for, found again, and its numbers hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.running import RunningStack, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parents[2] / "samples"
DROPPED = (
    "tarnholm_sustainability_report_2025.pdf",
    "velmora_press_release.txt",
    "sustainability_news.jsonl",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with the samples, and nothing else: the digest is about all that there is."""
    running = RunningStack(tmp_path_factory.mktemp("digest"), free_ports())
    running.up()
    dropped = running.command("drop", *(str(SAMPLES / name) for name in DROPPED), "--wait", "--json")
    assert dropped.returncode == 0, dropped.stderr
    yield running
    running.end()


@pytest.fixture(scope="module")
def digest(stack: RunningStack) -> dict[str, Any]:
    """The digest of the last seven days."""
    answer: dict[str, Any] = stack.json("digest")
    return answer


def test_it_counts_what_was_dropped(stack: RunningStack, digest: dict[str, Any]) -> None:
    """Documents, passages and initiatives are the sums of what `show` says of each document."""
    shown = stack.json("show")
    assert digest["overview"]["completed"] == len(DROPPED)
    sentences = sum(sum(one["sentiment"].values()) for one in shown)  # rows and fragments are not counted
    assert digest["overview"]["passages"] == sentences < sum(one["passages"] for one in shown)
    for measure in digest["sentiments"]:
        assert measure["count"] == sum(one["sentiment"][measure["name"]] for one in shown)
    for row in digest["topics"]:
        assert row["share"]["count"] == sum(one["topics"][row["name"]] for one in shown)


def test_it_quotes_documents_with_their_pages(digest: dict[str, Any]) -> None:
    """The summary has sentences of several documents; those of the report have a page."""
    quotes = digest["summary"]
    assert len({quote["document"] for quote in quotes}) > 1
    assert all(quote["page"] for quote in quotes if quote["name"].endswith(".pdf"))
    deaths = ("lost his life", "was killed")
    assert any(words in quote["text"] for quote in digest["incidents"] for words in deaths)


def test_its_page_is_a_file_here(digest: dict[str, Any]) -> None:
    """Which opens without the stack, and holds what the answer holds."""
    page = Path(digest["html"]).read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert digest["summary"][0]["text"].split()[0] in page
    assert "<script" not in page


def test_its_numbers_can_be_counted_again(stack: RunningStack, digest: dict[str, Any]) -> None:
    """From the passages; a digest that there is none of is an error."""
    assert stack.json("digest", "verify", digest["id"]) == []
    missing = stack.command("digest", "verify", "weekly-20200101T0000Z")
    assert missing.returncode == 1
    assert "headrace digest list" in missing.stderr


def test_a_schedule_lends_its_filter_and_window(stack: RunningStack, digest: dict[str, Any]) -> None:
    """Here those of everything, so the digest says the same; an unknown schedule names those there are."""
    weekly = stack.json("digest", "--schedule", "weekly")
    assert weekly["schedule"] == "weekly"
    assert weekly["overview"]["passages"] == digest["overview"]["passages"]
    unknown = stack.command("digest", "--schedule", "yearly")
    assert unknown.returncode == 1
    assert "weekly" in unknown.stderr


def test_it_is_listed(stack: RunningStack, digest: dict[str, Any]) -> None:
    """Beside the schedule of the file that the repository brings."""
    listed = stack.json("digest", "list")
    assert digest["id"] in [one["id"] for one in listed["digests"]]
    [weekly] = listed["schedules"]
    assert (weekly["name"], weekly["window"], listed["problems"]) == ("weekly", "week", [])
    assert weekly["next"] is not None
    plain = stack.command("digest", "list").stdout
    assert digest["line"].split(",")[0] in plain


@pytest.mark.parametrize("span", ["7", "d", "0d", "-1d", "7y", "99999w", "1.5d", "\u0667d"])
def test_a_span_that_is_none_is_refused(stack: RunningStack, span: str) -> None:
    """With the forms that would do."""
    answer = stack.command("digest", f"--since={span}")
    assert answer.returncode == 1
    assert "12h, 7d, 4w" in answer.stderr


@pytest.mark.usefixtures("clients")
def test_its_forms_are_in_the_bucket(digest: dict[str, Any]) -> None:
    """The page, the JSON and the Markdown, beside each other; the JSON is what the command printed."""
    from shared.platform.clients import storage_client
    from shared.platform.settings import settings

    prefix = f"digests/now/{digest['id']}."
    blobs = storage_client().list_blobs(settings().results_bucket, prefix=prefix)
    found = {blob.name.rpartition(".")[2]: blob.download_as_bytes() for blob in blobs}
    assert set(found) == {"html", "json", "md"}
    assert found["html"] == Path(digest["html"]).read_bytes()
    printed = {name: value for name, value in digest.items() if name not in {"html", "reads", "seconds"}}
    assert json.loads(found["json"]) == printed


@pytest.mark.usefixtures("clients")
def test_a_number_that_no_longer_holds_is_named(stack: RunningStack, digest: dict[str, Any]) -> None:
    """With what the digest says and what there is; the status is 1."""
    from shared.platform.clients import firestore_client

    document = digest["summary"][0]["document"]
    firestore_client().document(f"outcomes/{document}").delete()
    printed = stack.command("digest", "verify", digest["id"], "--json")
    assert printed.returncode == 1
    completed = digest["overview"]["completed"]
    expected = {"what": "overview.completed", "stored": str(completed), "found": str(completed - 1)}
    assert expected in json.loads(printed.stdout)
