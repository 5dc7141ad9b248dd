"""Exports and progress over HTTP; initiatives, corrections and digests."""

from __future__ import annotations

import csv
import http.client
import io
import json
import threading
import time
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.api import streams
from shared.api.requests import Problem
from shared.digests.on_demand import Wanted
from tests.integration.api_documents import IDS, NAMES
from tests.integration.api_server import FOLLOW_SECONDS

if TYPE_CHECKING:
    from tests.integration.api_server import Answer, ApiServer

pytestmark = pytest.mark.usefixtures("stored")
DOCUMENT, CORRECTED = IDS[NAMES[0]], IDS[NAMES[2]]


def export(api: ApiServer, form: str, **query: object) -> Answer:
    answer = api.get("/v1/exports", format=form, **query)
    assert answer.status == 200, answer.json
    assert answer.headers["Content-Disposition"] == f'attachment; filename="headrace.{form}"'
    return answer


def test_lines_come_as_they_are_read(api: ApiServer) -> None:
    """CSV of passages and JSON lines of everything, of the documents that are named or selected."""
    rows = list(
        csv.DictReader(io.StringIO(export(api, "csv", rows="passages", document=DOCUMENT).body.decode()))
    )
    passages = api.get(f"/v1/documents/{DOCUMENT}/passages", page_size=100).json["passages"]
    assert [row["text"] for row in rows] == [each["text"] for each in passages]
    lines = [json.loads(line) for line in export(api, "jsonl", prefix=NAMES[0]).body.splitlines()]
    assert lines[0]["type"] == "document"
    assert sum(line["type"] == "passage" for line in lines) == len(passages)


def test_files_are_whole(api: ApiServer) -> None:
    """A workbook, and Parquet with its mark at both ends."""
    with zipfile.ZipFile(io.BytesIO(export(api, "xlsx").body)) as book:
        assert "xl/workbook.xml" in book.namelist()
    content = export(api, "parquet", rows="initiatives").body
    assert (content[:4], content[-4:]) == (b"PAR1", b"PAR1")


def test_an_export_of_nothing_is_refused_before_it_begins(api: ApiServer) -> None:
    """404 for a document that is not there; 422 for a format that is none."""
    assert api.get("/v1/exports", format="csv", document="0" * 24).status == 404
    assert api.get("/v1/exports", format="pdf").status == 422


def test_so_many_streams_are_open_at_once() -> None:
    """The next one gets 503 and is told when to try again; one that ends makes room."""
    slots = threading.BoundedSemaphore(1)
    stream = streams._streamed(iter([b"x"]), "text/plain", {}, slots)
    streams._enter(slots)
    with pytest.raises(Problem) as caught:
        streams._enter(slots)
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": str(streams.RETRY_SECONDS)})
    stream.close()
    streams._enter(slots)


def events(answer: Answer) -> list[dict[str, Any]]:
    """What each event says, with its id."""
    found = []
    for block in answer.body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields:
            found.append({"id": fields["id"], **json.loads(fields["data"])})
    return found


def test_progress_of_what_has_ended_is_one_event(api: ApiServer) -> None:
    """And none for whoever has it: 204, after which a browser asks no more."""
    path = f"/v1/documents/{DOCUMENT}/progress"
    answer = api.get(path)
    assert answer.headers["Content-Type"] == "text/event-stream"
    [event] = events(answer)
    assert (event["document"], event["state"]) == (DOCUMENT, "completed")
    again = api.send("GET", path, Last_Event_ID=event["id"])
    assert (again.status, again.body) == (204, b"")
    assert api.get(f"/v1/documents/{'0' * 24}/progress").status == 404


def test_progress_is_told_for_a_while_and_goes_on(api: ApiServer) -> None:
    """A document that is at work: the stream ends by itself; asked again, only what is new is sent."""
    reference = api.firestore.collection("documents").document(IDS[NAMES[5]])
    path = f"/v1/documents/{reference.id}/progress"
    started = time.monotonic()
    [first] = events(api.get(path))
    assert time.monotonic() - started >= FOLLOW_SECONDS - 0.5
    assert first["state"] == "analyzing"
    assert events(api.send("GET", path, Last_Event_ID=first["id"])) == []
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=60)
    connection.request("GET", path, headers={"X-API-Key": api.keys[0], "Last-Event-ID": first["id"]})
    response = connection.getresponse()
    assert response.readline().startswith(b"retry:")
    reference.update({"state": "extracting"})
    assert b'"state":"extracting"' in response.read()
    reference.update({"state": "analyzing"})
    connection.close()


def test_initiatives_of_all_documents(api: ApiServer) -> None:
    """Only published runs count, what matters most comes first, and facts of documents filter."""
    found: list[dict[str, Any]] = []
    token: dict[str, object] = {}
    while True:
        page = api.get("/v1/initiatives", page_size=2, **token)
        assert page.status == 200, page.json
        found += page.json["initiatives"]
        if page.json["next_page_token"] is None:
            break
        token = {"page_token": page.json["next_page_token"]}
    assert found
    expected = {
        (name, each["index"])
        for name in NAMES
        for each in api.get(f"/v1/documents/{IDS[name]}/passages", initiative="true", page_size=100).json[
            "passages"
        ]
    }
    assert {(each["name"], each["passage"]["index"]) for each in found} == expected
    assert len(found) == len(expected)
    salience = [each["passage"]["salience"] for each in found]
    assert salience == sorted(salience, reverse=True)
    assert api.get("/v1/initiatives", year=1999).json["initiatives"] == []
    gone = api.get("/v1/initiatives", page_token=f"{'0' * 24}-1-1")
    assert (gone.status, gone.json["type"]) == (409, "urn:headrace:problem:stale-page")


def test_a_digest_is_asked_for_and_read(api: ApiServer) -> None:
    """202 with its id, the same for the same end; 404 until it is made."""
    asked = {"end": "2026-05-01T12:00:00Z", "days": 7}
    begun = [api.send("POST", "/v1/digests", asked) for _ in range(2)]
    assert {answer.status for answer in begun} == {202}
    [identifier] = {answer.json["id"] for answer in begun}
    assert identifier == Wanted(end=datetime(2026, 5, 1, 12, tzinfo=UTC), seconds=7 * 86_400).id
    assert api.get(f"/v1/digests/{identifier}").status == 404
    assert api.send("POST", "/v1/digests", {"end": "2126-05-01T12:00:00Z"}).status == 422
    unknown = api.send("POST", "/v1/digests", {"schedule": "no-such"})
    assert unknown.status == 422
    [error] = unknown.json["errors"]
    assert error["pointer"] == "#/schedule"
    assert error["detail"].startswith("There is no schedule no-such; there are: ")
    assert api.get("/v1/digests").json == {"digests": [], "next_page_token": None}
    assert api.get("/v1/digests", page_token="none").status == 409


def test_a_correction_is_made_guarded_and_undone(api: ApiServer) -> None:
    """If-Match is the version that was seen: 412 once somebody said something else."""
    path = f"/v1/documents/{CORRECTED}/corrections"
    passages = api.get(f"/v1/documents/{CORRECTED}/passages", page_size=1)
    index, run = passages.json["passages"][0]["index"], passages.json["run"]
    change = {"kind": "passage", "run": run, "index": index, "sentiment": "negative"}
    said = api.send("POST", path, change, If_Match='"0"')
    assert said.status == 201, said.json
    assert api.send("POST", path, change | {"sentiment": "positive"}, If_Match='"0"').status == 412
    changed = api.get(f"/v1/documents/{CORRECTED}/passages", page_size=1)
    assert changed.json["passages"][0]["sentiment"]["label"] == "negative"
    assert changed.headers["ETag"] != passages.headers["ETag"]
    undone = api.send("DELETE", f"{path}/{said.json['id']}")
    assert undone.status == 200, undone.json
    assert undone.json["undone_at"] is not None
    [listed] = api.get(path).json["corrections"]
    assert listed == undone.json
    again = api.get(f"/v1/documents/{CORRECTED}/passages", page_size=1).json["passages"][0]
    assert again["sentiment"] == passages.json["passages"][0]["sentiment"]
    assert api.send("DELETE", f"{path}/999999").status == 404
    assert api.send("POST", path, change | {"index": 10_000}).status in {404, 422}
