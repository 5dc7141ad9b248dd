"""`headrace train` on a running stack: the job trains, the command follows it and prints what was found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shared.platform.clients import storage_client

if TYPE_CHECKING:
    from tests.e2e.running import RunningStack

pytestmark = pytest.mark.usefixtures("clients")
BUCKET = "labels-of-e2e"


def test_a_training_is_followed_to_its_end(stack: RunningStack) -> None:
    """Too few rows end as rejected, with status 1; started again, the same training is found as it ended."""
    bucket = storage_client().create_bucket(BUCKET)
    rows = [{"text": f"Site {number} was closed.", "action": "implemented"} for number in range(20)]
    bucket.blob("labels/mine.jsonl").upload_from_string("\n".join(json.dumps(row) for row in rows) + "\n{")
    command = ("train", f"gs://{BUCKET}/labels", "--wait", "--json")
    first, again = (stack.command(*command) for _ in range(2))
    assert (first.returncode, again.returncode) == (1, 1)
    training = json.loads(first.stdout)
    report = training["report"]
    assert (training["state"], report["code"]) == ("rejected", "too_few_rows")
    assert (report["rows"]["used"], report["rows"]["rejected"]) == (20, {"not_json": 1})
    assert json.loads(again.stdout)["ended_at"] == training["ended_at"]
    shown = stack.command(*command[:3])
    assert f"training {training['id']}: rejected" in shown.stdout
    assert "20 rows used, 1 left out" in shown.stdout


def test_what_is_no_place_is_refused_at_once(stack: RunningStack) -> None:
    refused = stack.command("train", "labels")
    assert refused.returncode == 1
    assert "is not an address of objects" in refused.stderr
