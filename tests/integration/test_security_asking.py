"""What the audit asks over HTTP, of real servers: a stranger's call, and keys of what has no client."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests
from google.api_core.exceptions import Forbidden
from google.cloud.run_v2 import Service

from cli.diagnosis.findings import Target
from cli.options import MODEL
from cli.security import reading
from cli.security.audit import Audit, Rules
from cli.security.elsewhere import Store, judge_stores, sources_bucket, stores
from shared.platform.clients import storage_client
from shared.platform.settings import settings
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"


@contextmanager
def answering(**answers: tuple[int, object]) -> Iterator[str]:
    """A server that answers each path, of one segment, with a status and JSON; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path.rpartition("/")[2]]
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Not into the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "expected"), [(401, "ok"), (403, "ok"), (200, "wrong"), (404, "unknown"), (503, "unknown")]
)
def test_a_stranger_is_answered(tmp_path: Path, status: int, expected: str) -> None:
    """What shows neither that a key is asked for nor that none is, is not known."""
    with answering(documents=(status, {})) as address:
        api = Service(
            name="projects/p/locations/europe-west4/services/api", uri=address, ingress="INGRESS_TRAFFIC_ALL"
        )
        audit = Audit(Target(tmp_path, MODEL, None, cloud=True), Rules())
        audit._running = [api]
        [found] = audit.without_key()
    assert found.status == expected
    closing = "gcloud run services update api --region=europe-west4 --ingress=internal"
    assert (closing in str(found.fix)) is (expected == "wrong")


def test_keys_of_the_other_stores_are_read() -> None:
    """In the form in which each API has them; what has none is encrypted by Google's."""
    fields = {store.what: store.key for store in stores("p", "europe-west4")}
    with answering(
        images=(200, {"kmsKeyName": KEY}),
        tables=(200, {"defaultEncryptionConfiguration": {"kmsKeyName": KEY}}),
        results=(200, {"id": "p:headrace.results"}),
        nothing=(404, {"error": {"message": "Not found"}}),
    ) as address:
        listed = [
            Store("images", f"{address}/images", fields["images"], "fix"),
            Store("tables", f"{address}/tables", fields["BigQuery's new tables"], "fix"),
            Store("results", f"{address}/results", fields["BigQuery's results"], "fix"),
            Store("nothing", f"{address}/nothing", ("kmsKeyName",), "fix"),
        ]
        with requests.Session() as session:
            wanted = list(judge_stores(session, listed, required=True))
            found = list(judge_stores(session, listed, required=False))
    assert [(one.check, one.status) for one in wanted] == [
        ("encryption", "ok"),
        ("encryption", "ok"),
        ("encryption", "wrong"),
        ("encryption", "unknown"),
    ]
    assert [one.status for one in found] == ["ok", "ok", "ok", "unknown"]


def test_what_may_not_be_read_is_an_error_of_the_clients_kind() -> None:
    """As of the other services, so that it is told as theirs is."""
    with answering(images=(403, {"error": {"message": "no"}})) as address, requests.Session() as session:
        listed = [Store("images", f"{address}/images", ("kmsKeyName",), "fix")]
        with pytest.raises(Forbidden):
            list(judge_stores(session, listed, required=True))


def test_the_bucket_of_sources_is_read_where_there_is_one(tmp_path: Path) -> None:
    """It is the only one that no setting names."""
    with storing(tmp_path):
        assert list(reading.sources()) == []
        name = sources_bucket(settings().project, "local")
        storage_client().create_bucket(name)
        assert [bucket.name for bucket in reading.sources()] == [name]


def test_an_address_of_a_server_that_is_not_there_is_an_error() -> None:
    """Which is told as unknown."""
    with answering() as address:
        pass
    with pytest.raises(OSError, match="refused"):
        reading.answer_without_key(address)
