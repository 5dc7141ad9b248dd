"""The API as it is deployed, on functions-framework, over the local services that it asks."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from shared.api.keys import key_hash
from shared.platform.settings import TICKS, UPLOADS
from tests.integration.firestore_server import PROJECT, connect
from tests.integration.pubsub_server import ROOT, free_port, running
from tests.integration.storage_server import started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.cloud.firestore import Client

MODEL = ROOT / "build" / "model"
THREADS = 16
START_SECONDS = 120.0
FOLLOW_SECONDS = 1.5


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ApiServer:
    """A running API with two keys, as while keys are rotated, and the Firestore below it."""

    port: int
    keys: tuple[str, str]
    log: Path
    firestore: Client
    store_address: str
    """Address of the Firestore that the server uses."""

    def send(self, method: str, path: str, body: object = None, **headers: str | None) -> Answer:
        """One request with the first key; a header of None is left out, `x_y` is the header X-Y."""
        given: dict[str, str | None] = {"X-API-Key": self.keys[0]}
        if body is not None:
            given["Content-Type"] = "application/json"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {name: value for name, value in given.items() if value is not None}
        connection.request(method, path, content, sent)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def get(self, path: str, **query: object) -> Answer:
        """GET with the first key."""
        return self.send("GET", quote(path) + (f"?{urlencode(query)}" if query else ""))

    def analyze(self, *texts: str, **options: object) -> Answer:
        """POST /v1/analyze."""
        return self.send("POST", "/v1/analyze", {"texts": texts, **options})

    def logged(self) -> list[dict[str, Any]]:
        """Every line that it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serving(folder: Path) -> Iterator[ApiServer]:
    """Firestore, Secret Manager, Pub/Sub, storage and the API over them, each on a port of its own."""
    for name in ("firestore", "secretmanager", "pubsub"):
        (folder / name).mkdir()
    with (
        running("firestore", folder / "firestore") as store,
        running("secretmanager", folder / "secretmanager") as manager,
        running("pubsub", folder / "pubsub") as pubsub,
        started(folder) as storage,
    ):
        keys = (secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        _store_hashes(manager.address, keys)
        _make_topics(pubsub.address)
        _make_buckets(storage)
        api = ApiServer(free_port(), keys, folder / "api.log", connect(store), store.address)
        environment = os.environ | {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "FIRESTORE_EMULATOR_HOST": store.address,
            "SECRET_MANAGER_EMULATOR_HOST": manager.address,
            "PUBSUB_EMULATOR_HOST": pubsub.address,
            "STORAGE_EMULATOR_HOST": storage,
            "HEADRACE_MODEL_DIR": str(MODEL),
            "HEADRACE_API_FOLLOW_SECONDS": str(FOLLOW_SECONDS),
            "THREADS": str(THREADS),
            "PYTHONPATH": str(ROOT),
        }
        command = [
            *(sys.executable, "-m", "functions_framework", "--target", "api", "--host", "127.0.0.1"),
            *("--source", str(ROOT / "functions" / "api" / "main.py"), "--port", str(api.port)),
        ]
        with api.log.open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
            try:
                _wait(api, process)
                yield api
            finally:
                process.terminate()


def _wait(api: ApiServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            assert api.get("/openapi.json").status == 200
        except OSError:
            assert process.poll() is None, api.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def _make_topics(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        for name in (UPLOADS, TICKS):
            publisher.create_topic(name=f"projects/{PROJECT}/topics/{name}")


def _make_buckets(address: str) -> None:
    for kind in ("uploads", "work", "results"):
        request = urllib.request.Request(
            f"{address}/storage/v1/b?project={PROJECT}",
            data=json.dumps({"name": f"{PROJECT}-{kind}"}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30):
            pass


def _store_hashes(address: str, keys: tuple[str, ...]) -> None:
    with grpc.insecure_channel(address) as channel:
        client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        parent = f"projects/{PROJECT}"
        client.create_secret(
            request={
                "parent": parent,
                "secret_id": "api-key-hash",
                "secret": {"replication": {"automatic": {}}},
            }
        )
        payload = {"data": "\n".join(map(key_hash, keys)).encode()}
        name = f"{parent}/secrets/api-key-hash"
        client.add_secret_version(request={"parent": name, "payload": payload})
