"""The API's candidate is asked where it can be; a wrong answer stops the deployment."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from deploy.answers import ask
from deploy.gcloud import Place
from shared.platform.errors import Retryable
from tests.cloud_build import PROJECT, REPOSITORY, CloudBuild

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = Place(PROJECT, "europe-west1", REPOSITORY)
TOKEN = "Bearer token for https://api-1.europe-west1.run.app"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudBuild:
    """A project in which the placeholder is the API's candidate."""
    build = CloudBuild.fresh(tmp_path)
    state = build.state()
    state["services"]["api"]["tags"] = {"candidate": "api-00001-ter"}
    build.store(state)
    monkeypatch.setenv("PATH", f"{build.bin}:/usr/bin:/bin")
    monkeypatch.setenv("GCLOUD_STATE", str(build.state_file))
    return build


@contextmanager
def answering(cloud: CloudBuild, status: int, body: str) -> Iterator[list[tuple[str, str | None]]]:
    """The candidate's address, which answers so; what was asked of it: path and authorisation."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Not on the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cloud.store(cloud.state() | {"address": f"http://127.0.0.1:{server.server_port}"})
        yield asked
        server.shutdown()


def test_it_is_asked_at_its_tag_with_a_token_for_the_service(cloud: CloudBuild) -> None:
    """The audience is the service, whose address has no tag."""
    with answering(cloud, 200, json.dumps({"info": {"title": "Headrace"}})) as asked:
        assert ask(PLACE) == "api: Headrace"
    assert asked == [("/openapi.json", TOKEN)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "{}"),  # it fails
        (403, "{}"),  # it may not be called
        (200, "It works!"),  # another image
        (200, "{}"),  # something else of JSON
    ],
)
def test_another_answer_stops_the_deployment(cloud: CloudBuild, status: int, body: str) -> None:
    """Before any traffic moves."""
    with answering(cloud, status, body), pytest.raises(Retryable, match="gives no description"):
        ask(PLACE)


def test_what_cannot_be_asked_is_said(cloud: CloudBuild) -> None:
    """By an account without identity tokens, or from outside a load balancer: no fault of the candidate."""
    assert ask(PLACE) == "api: not asked, this account gets no identity token"
    state = cloud.state()
    state["services"]["api"]["ingress"] = "internal-and-cloud-load-balancing"
    cloud.store(state)
    assert ask(PLACE) == "api: not asked, its ingress is internal-and-cloud-load-balancing"
