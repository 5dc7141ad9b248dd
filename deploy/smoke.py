"""`python -m deploy.smoke` sends a sample and a dead letter through the functions, and erases both.

The sample's text is new each time, since what has been analysed before is copied.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deploy.gcloud import reporting
from deploy.plan import PLAN_FILE, read_plan
from shared.digests.store import erase
from shared.documents.store import COLLECTION, document_id
from shared.inference.manifest import read_manifest
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Retryable
from shared.platform.pubsub import publish
from shared.platform.records import TERMINAL
from shared.platform.settings import DEAD_LETTERS, settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.firestore_v1 import DocumentSnapshot

    from shared.inference.manifest import Manifest

T = TypeVar("T")
SAMPLES = ".headrace-sample/"
SAMPLE_KEPT = timedelta(hours=1)
SECONDS = 300.0
"""For the sample to come through: candidates start cold, and a refused push comes again after a while."""
POLL_SECONDS = 0.5
TOPIC = "E1"
"""That the text is on, where the model has it: another taxonomy may have others, or none."""
TEXT = """Smoke test {build}

In 2025 we replaced the gas boilers of four factories by heat pumps and cut greenhouse gas emissions by 31 %.
By 2030 we will buy electricity from renewable sources alone.

Two workers were injured at the plant in Ostrel last year, which we regret; we have since retrained all shift
leaders in occupational safety.
"""


def clear() -> int:
    """Erase samples whose files builds left behind; how many."""
    bucket, found = settings().uploads_bucket, 0
    for blob in storage_client().list_blobs(bucket, prefix=SAMPLES):
        if blob.updated < datetime.now(UTC) - SAMPLE_KEPT:
            remove(blob.name)
            found += 1
    return found


def remove(name: str) -> None:
    """Erase a sample: its object, and all that was made of it."""
    from google.api_core.exceptions import NotFound

    bucket = settings().uploads_bucket
    with suppress(NotFound):
        storage_client().bucket(bucket).blob(name).delete()
    erase(firestore_client(), document_id(bucket, name))


def travel(build: str, model: Manifest | None, seconds: float) -> dict[str, Any]:
    """Upload the sample and wait until it is done; the document.

    Raises:
        Retryable: it did not end in time, or not as it should have.
    """
    name = f"{SAMPLES}{build}/sample.txt"
    bucket = settings().uploads_bucket
    text = TEXT.format(build=build)
    try:
        storage_client().bucket(bucket).blob(name).upload_from_string(text, content_type="text/plain")
        reference = firestore_client().collection(COLLECTION).document(document_id(bucket, name))
        done = _until(
            lambda: _ended(reference.get()), seconds, "The sample has not come through the candidates"
        )
        check(done, model)
        passages = len(list(reference.collection("passages").select([]).stream()))
        if passages != done["passages"]:
            raise Retryable(f"The sample has {passages} passages stored, and {done['passages']} counted.")
        return done
    finally:
        remove(name)


def check(done: dict[str, Any], model: Manifest | None) -> None:
    """Whether the document is what the sample must become; `model`: by which, if that is known.

    What the model finds in the text is asked of one that knows its topic alone.

    Raises:
        Retryable: it is not.
    """
    if done["state"] != "completed":
        raise Retryable(f"The sample ended as {done['state']}: {done['error']}")
    if model and model.digest != done["model"]:
        raise Retryable(
            f"The sample was analysed with model {done['model']}, and {model.digest} is deployed."
        )
    if not done["passages"] or not done["summary"]:
        raise Retryable(f"The sample has {done['passages']} passages and the summary {done['summary']}.")
    if model and TOPIC in model.topics and not (done["topics"][TOPIC] and done["initiatives"]):
        found = f"topics {done['topics']}, initiatives {done['initiatives']}"
        raise Retryable(f"The model did not find the sample's initiatives: {found}.")


def die(build: str, seconds: float) -> None:
    """Publish a dead letter and wait for its record.

    Raises:
        Retryable: there was none in time.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    data = json.dumps({"smoke": build}).encode()
    reason = {"code": "smoke_test", "message": "A deployment was tried.", "hint": "Nothing is to be done."}
    attributes = {"headraceFunction": "smoke", "headraceReason": json.dumps(reason)}
    digest = FieldFilter("data.sha256", "==", hashlib.sha256(data).hexdigest())
    records = firestore_client().collection("dead_letters").where(filter=digest)
    try:
        publish(DEAD_LETTERS, [(data, attributes)])
        _until(lambda: list(records.stream()) or None, seconds, "No record was made of the dead letter")
    finally:
        for record in records.stream():
            record.reference.delete()


def _ended(snapshot: DocumentSnapshot[Any]) -> dict[str, Any] | None:
    stored: dict[str, Any] = snapshot.to_dict() or {}
    return stored if stored.get("state") in TERMINAL and not stored.get("results_pending") else None


def _until(look: Callable[[], T | None], seconds: float, otherwise: str) -> T:
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise Retryable(f"{otherwise} within {seconds:.0f} s. See the candidates' logs.")
        time.sleep(POLL_SECONDS)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Try the candidates, if the plan changes anything; the exit status is 1 where they failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.smoke", description=__doc__)
    parser.add_argument("--build", default=os.environ.get("BUILD_ID") or secrets.token_hex(8))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="patience (default: %(default)s)")
    parser.add_argument(
        "--model", type=Path, default=Path("build/ingest/model"), help="(default: %(default)s)"
    )
    options = parser.parse_args(arguments)

    def step() -> None:
        plan = read_plan() if PLAN_FILE.is_file() else None
        if plan and not plan.changes:
            print("nothing has changed")
            return
        # Where neither changes, theirs may be another model than the one that lies here.
        kept = plan and plan.functions["ingest"].action == plan.functions["analyze"].action == "keep"
        model = None if kept else read_manifest(options.model)
        clear()
        done = travel(options.build, model, options.seconds)
        die(options.build, options.seconds)
        seconds = done["timings"]["total_seconds"]
        print(
            f"{done['passages']} passages came through the candidates in {seconds:.1f} s, and a dead letter"
        )

    return reporting("smoke", step)


if __name__ == "__main__":
    sys.exit(main())
