"""The API and `headrace search` on a running stack: what was dropped can be read and found."""

from __future__ import annotations

import http.client
import json
import stat
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.e2e.running import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack

SAMPLE = ROOT / "samples" / "tarnholm_sustainability_report_2025.pdf"


def ask(stack: RunningStack, path: str, body: object = None, **query: object) -> Any:
    """What the API answers to the stack's key."""
    port = next(item["port"] for item in stack.stack()["processes"] if item["name"] == "api")
    key = (stack.data / "api-key").read_text().strip()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    target = f"{path}?{urlencode(query)}" if query else path
    connection.request("POST" if body else "GET", target, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert response.status == 200, answer
    return answer


@pytest.fixture(scope="module")
def report(stack: RunningStack) -> dict[str, Any]:
    [shown] = stack.json("drop", str(SAMPLE), "--wait")
    return dict(shown)


def test_the_api_shows_what_the_command_shows(stack: RunningStack, report: dict[str, Any]) -> None:
    """`show --json` and the API print the same document; its passages are all there, with their pages."""
    assert ask(stack, f"/v1/documents/{report['id']}") == report
    listed = ask(stack, "/v1/documents", prefix=SAMPLE.name)["documents"]
    assert listed == [report]
    passages: list[dict[str, Any]] = []
    query: dict[str, Any] = {"page_size": 100}
    while query.get("page_token", "first"):
        page = ask(stack, f"/v1/documents/{report['id']}/passages", **query)
        passages += page["passages"]
        query["page_token"] = page["next_page_token"]
    assert [passage["index"] for passage in passages] == list(range(report["passages"]))
    assert {passage["page"] for passage in passages} <= set(range(1, report["pages"] + 1))
    negative = sum((passage["sentiment"] or {}).get("label") == "negative" for passage in passages)
    assert negative == report["sentiment"]["negative"]


def test_a_passage_is_found_by_meaning(stack: RunningStack, report: dict[str, Any]) -> None:
    """API and command find the same passages, with document and page; the printed hits name both."""
    question = "How much water do the mills save?"
    hits = ask(stack, "/v1/search", q=question, limit=5, document=report["id"])["hits"]
    found = stack.json("search", question, "--limit", "5", "--document", report["id"])
    assert [(hit["index"], hit["page"]) for hit in found] == [(hit["index"], hit["page"]) for hit in hits]
    assert "water" in hits[0]["text"].lower()
    assert hits[0]["document"] == report["id"]
    assert 1 <= hits[0]["page"] <= report["pages"]
    printed = stack.command("search", question, "--limit", "5", "--document", report["id"])
    assert printed.returncode == 0, printed.stderr
    assert f"{SAMPLE.name}  p. {hits[0]['page']}" in printed.stdout


def test_texts_are_analyzed_at_once(stack: RunningStack) -> None:
    """Without any document: the model that reads the bucket's files reads a request's texts."""
    answer = ask(stack, "/v1/analyze", {"texts": ["Two contractors died at the northern plant."]})
    [result] = answer["results"]
    assert result["sentiment"]["label"] == "negative"
    assert len(answer["model"]) == 64


def test_the_key_is_its_owners_alone(stack: RunningStack) -> None:
    """The file can be read by nobody else, and the key stands in no log."""
    path = stack.data / "api-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_text().strip()
    assert len(key) >= 40
    for log in (stack.data / "logs").iterdir():
        assert key not in log.read_text(errors="replace"), log.name


def test_the_key_survives_and_can_be_replaced(own_stack: RunningStack) -> None:
    """A key that is there is used, as after a reset; one that was deleted is replaced by one that opens."""
    key = own_stack.data / "api-key"
    own_stack.data.mkdir()
    key.write_text("the key of before\n")
    own_stack.up()
    assert ask(own_stack, "/v1/documents")["documents"] == []
    own_stack.down()
    key.unlink()
    own_stack.up()
    assert len(key.read_text()) > 40
    assert ask(own_stack, "/v1/documents")["documents"] == []


def test_a_question_without_words_is_refused(stack: RunningStack, tmp_path: Path) -> None:
    """One line that says what to do, for a blank question as for a missing model."""
    for arguments in (["  "], ["water", "--model", str(tmp_path)]):
        done = stack.command("search", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("headrace: ")
        assert done.stderr.count("\n") == 1
