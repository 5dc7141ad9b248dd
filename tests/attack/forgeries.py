"""What a stranger could send: messages to topics and ports, calls to the API, writes to Firestore."""

from __future__ import annotations

import base64
import http.client
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    Message = tuple[bytes, dict[str, str]]

BUCKET = "headrace-local-uploads"
HUGE = 10**30
ANSWERS = {204, 400, 413, 429, 503}
"""Statuses with which a function may answer a push."""


def publish(topic: str, messages: list[Message]) -> None:
    """Publish as anybody may who has the right to."""
    from shared.platform.clients import publisher

    request = {
        "topic": f"projects/headrace-local/topics/{topic}",
        "messages": [{"data": data, "attributes": attributes} for data, attributes in messages],
    }
    publisher().publish(request=request)


@contextmanager
def overheard(*topics: str) -> Iterator[dict[str, Callable[[], list[Message]]]]:
    """Subscribe to topics; each gives what was published to it since."""
    import os

    from local.provision import subscriber

    client = subscriber(os.environ["PUBSUB_EMULATOR_HOST"])
    paths = {topic: f"projects/headrace-local/subscriptions/overheard-{topic}" for topic in topics}
    for topic, path in paths.items():
        client.create_subscription(request={"name": path, "topic": f"projects/headrace-local/topics/{topic}"})

    def pull(path: str) -> list[Message]:
        found = client.pull(request={"subscription": path, "max_messages": 1000, "return_immediately": True})
        return [(one.message.data, dict(one.message.attributes)) for one in found.received_messages]

    try:
        yield {topic: lambda path=path: pull(path) for topic, path in paths.items()}  # type: ignore[misc]
    finally:
        for path in paths.values():
            client.delete_subscription(request={"subscription": path})


def notification(name: str, generation: object, bucket: str = BUCKET, **more: str) -> Message:
    """Cloud Storage's, of an object."""
    attributes = {
        "bucketId": bucket,
        "objectId": name,
        "objectGeneration": str(generation),
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
    }
    return json.dumps({"size": "1"}).encode(), attributes | more


def uploads(known: list[tuple[str, int]]) -> Iterator[Message]:
    """Notifications of what was never uploaded, or not so."""
    for name, at in known:
        for generation in (at, at - 1, 1, 0, -1, HUGE, 2**63, "", "x", "1.5", "0x10", f" {at}", f"{at}\n"):
            yield notification(name, generation)
        for run in ("0", "-1", "7", str(HUGE), "x", ""):
            yield notification(name, at, restartRun=run)
        for body in (
            b"",
            b"{}",
            b"[]",
            b"null",
            b'{"size": "x"}',
            b'{"size": -1}',
            b'{"size": 1e400}',
            b"\xff\xfe",
        ):
            yield body, notification(name, at)[1]
        yield b'{"size": %d}' % HUGE, notification(name, at)[1]
        yield (
            json.dumps({"size": 1, "metadata": {"headrace-archive": "x" * 9_000}}).encode(),
            notification(name, at)[1],
        )
    yield from (
        notification(name, 5, bucket) for name in ("", "no\x00thing") for bucket in ("", "elsewhere", "../x")
    )


def batches(real: list[dict[str, Any]], record: dict[str, Any]) -> Iterator[Message]:
    """Batches of the runs of `real` ones, and of a document that is being analyzed, that no plan has."""
    planned = {name: record["batches"][name] for name in ("model", "artefact")} | {"source": None}
    at_work = [
        one | {"document": record["id"], "run": record["run"], "generation": int(record["generation"])}
        | planned | {"batch": n}
        for n, one in enumerate(real[:2])
    ]  # fmt: skip
    other = real[-1]
    for one in (*at_work, *real[:4]):
        for field, values in {
            "batch": (record["batches"]["total"], 99, HUGE, -1, "0", None),
            "start": (1, 3, one["end"], HUGE, -1),
            "end": (1, 2, one["end"] + 1, HUGE, 0),
            "byte_start": (1, 100, HUGE),
            "byte_end": (1, one["byte_end"] - 1, HUGE),
            "lanes": (1, 7, HUGE, 0),
            "run": (one["run"] + 1, HUGE, 0, "1", 1.5),
            "generation": (one["generation"] + 1, HUGE, 1),
            "model": ("f" * 64, "", None),
            "artefact": (other["artefact"], "", "../", f"runs/{one['document']}/9/x/", None),
            "document": (other["document"], "0" * 24, "", "a/b", "__x__", "..", "x" * 2_000),
            "source": ({"document": other["document"], "run": 1}, {"document": one["document"], "run": HUGE}),
        }.items():
            yield from ((json.dumps(one | {field: value}).encode(), {}) for value in values)
        yield json.dumps(one | {"start": 0, "end": 1, "batch": 1}).encode(), {}
        yield json.dumps(one | {"extra": 1}).encode(), {}
    yield from rubbish()


def rubbish() -> list[Message]:
    """Messages of no kind."""
    bodies = (b"{}", b"[]", b"null", b"\xff", b'{"document": {}}', b"[" * 50_000, b"1" * 100_000, b"NaN")
    reasons = ("x", "[]", '{"code": 1}', '{"code": "c", "message": "m", "hint": "h", "more": 1}', "null")
    return [(body, {}) for body in bodies] + [(b"{}", {"headraceReason": reason}) for reason in reasons]


def pushes(ports: dict[str, int], messages: list[Message]) -> tuple[int, list[str]]:
    """Post envelopes to the functions themselves; how many, and answers that none should give."""
    message = {"messageId": "1", "data": "e30="}
    bodies: list[bytes] = [
        b"", b"{", b"null", b"[]", b"1", b"\xff" * 9, b"[" * 100_000, b'{"message": ' * 5_000,
    ]  # fmt: skip
    envelopes: list[object] = [
        {}, {"message": None, "subscription": "s"}, {"message": [], "subscription": "s"},
        {"message": message}, {"message": {"messageId": 1}, "subscription": 2},
        {"message": message | {"data": "e30"}, "subscription": "s"},
        {"message": message | {"data": "*"}, "subscription": "s"},
        {"message": message | {"attributes": {"a": 1}}, "subscription": "s"},
        {"message": message | {"attributes": "x"}, "subscription": "s"},
        {"message": message | {"publishTime": "0001-01-01T00:00:00+14:00"}, "subscription": "s"},
        {"message": message | {"publishTime": HUGE}, "subscription": "s"},
        {"message": message | {"publishTime": "yesterday"}, "subscription": "s"},
        {"message": message, "subscription": "s", "deliveryAttempt": HUGE},
        {"message": message, "subscription": "s", "deliveryAttempt": "x"},
        {"message": {"messageId": "1"}, "subscription": "s"},
    ]  # fmt: skip
    for data, attributes in messages[::7]:
        coded = base64.b64encode(data).decode()
        real: dict[str, Any] = {"messageId": "2", "data": coded, "attributes": attributes}
        envelopes.append({"message": real, "subscription": "s"})
        envelopes.append({"message": real | {"data": real["data"][:-3]}, "subscription": "s"})
    bodies += [json.dumps(envelope).encode() for envelope in envelopes]
    wrong, tries = [], 0
    for service, port in ports.items():
        _wake(port)
        for number, body in enumerate(bodies):
            kind = ("application/json", "application/cloudevents+json", "text/plain")[number % 3]
            status, _, _ = call(port, "POST", "/", body, {"Content-Type": kind})
            tries += 1
            if status not in ANSWERS:
                wrong.append(f"{service} answers {status} to {body[:80]!r}")
    return tries, wrong


def _wake(port: int) -> None:
    """Call a function on demand until there is a process."""
    deadline = time.monotonic() + 30
    while not call(port, "GET", "/robots.txt", None, {})[0] and time.monotonic() < deadline:
        time.sleep(0.5)


def call(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer; 0 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers.get("Content-Type") or "", response.read()
    except (OSError, http.client.HTTPException):
        return 0, "", b""
    finally:
        connection.close()


def calls(port: int, key: str, random: Random, names: list[str]) -> tuple[int, list[str]]:
    """Ask the API what nobody asks; how often, and the answers that are wrong."""
    values = [
        "", "0", "-1", "1e9", str(HUGE), "null", "\x00", "%", "\u202e", "a" * 8_000, "' OR 1=1",
        "../..", "E1", "*",
    ]  # fmt: skip
    paths = [
        "/v1/documents", "/v1/documents/{}", "/v1/documents/{}/passages", "/v1/search", "/v1/analyze",
        "/{}", "/v1/{}",
    ]  # fmt: skip
    fields = [
        "limit", "cursor", "state", "name", "q", "topic", "document", "page", "sentiment", "action",
        "x",
    ]  # fmt: skip
    bodies = [
        b"", b"{", b"[]", b"null", b'{"texts": null}', b'{"texts": [1]}', b'{"texts": [""]}',
        b'{"texts": ["\xff"]}', b'{"texts": ["a"], "x": 1}',
        b'{"texts": ["\\ud800"]}', b'{"texts": ["a"], "embeddings": 3}', b"[" * 100_000,
        b'{"texts": ["' + b"x" * 2_000_000,
        json.dumps({"texts": ["a"] * 300}).encode(), json.dumps({"texts": ["w" * 10_001]}).encode(),
    ]  # fmt: skip
    keys: list[str | None] = [None, "", "x", key[:-1], key + " x", key.lower(), "\u00e9", key]
    wrong = []
    for number in range(400):
        path = random.choice(paths).format(quote(random.choice(values), safe=""))
        query = "&".join(f"{quote(random.choice(fields))}={quote(random.choice(values))}" for _ in range(2))
        method = random.choice(("GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"))
        given, kind = keys[number % len(keys)], random.choice(("application/json", "text/xml", ""))
        headers = {"Content-Type": kind} | (
            {} if given is None else {"X-API-Key": given.encode().decode("latin-1")}
        )
        body = random.choice(bodies) if method in {"POST", "PUT", "PATCH"} else None
        status, answered, content = call(port, method, f"{path}?{query}", body, headers)
        asked = f"{method} {path[:60]}?{query[:60]}"
        if not 200 <= status < 500:
            wrong.append(f"{status} to {asked}")
        elif content and answered.partition(";")[0] not in {"application/json", "application/problem+json"}:
            wrong.append(f"{answered or 'no content type'} ({status}) to {asked}")
        elif given != key and status < 300 and any(json.dumps(name).encode() in content for name in names):
            wrong.append(f"a document is told without a key to {asked}")
        elif key.encode() in content:
            wrong.append(f"the key is told to {asked}")
    return 400, wrong


def beyond_firestore() -> tuple[int, list[str]]:
    """Write what the real Firestore refuses; how many tries, and what was taken."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.firestore_v1.vector import Vector

    from shared.platform.clients import firestore_client

    def nested(levels: int) -> dict[str, Any]:
        return {"m": nested(levels - 1)} if levels > 1 else {"leaf": 1}

    reference = firestore_client().collection("attack").document("x")
    refused: dict[str, dict[str, Any]] = {
        "a document of 1 MiB": {f"f{n}": "x" * 100_000 for n in range(11)},
        "a document of 1 MiB in an array": {"a": ["x" * 1_000] * 1_050},
        "a document of 1 MiB of numbers": {"a": [1.5] * 131_072},
        "a value of 1 MiB": {"a": "x" * 2**20},
        "bytes of 1 MiB": {"a": bytes(2**20)},
        "21 levels": nested(21),
        "a field name of 1,501 bytes": {"x" * 1501: 1},
        "a reserved field": {"__a__": 1},
        "an array in an array": {"a": [[1]]},
        "a vector of 2,049": {"v": Vector([0.5] * 2049)},
    }
    taken = []
    for what, fields in refused.items():
        try:
            reference.set(fields, timeout=20, retry=None)
        except GoogleAPICallError:
            continue
        taken.append(what)
    batch = firestore_client().batch()
    for number in range(11):
        batch.set(reference.collection("big").document(str(number)), {"t": "x" * 1_000_000})
    try:
        batch.commit(timeout=20, retry=None)
    except GoogleAPICallError:
        pass
    else:
        taken.append("a request of 10 MiB")
    reference.delete()
    return len(refused) + 1, taken
