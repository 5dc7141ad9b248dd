"""Ticks reach the function, which makes what is due: one digest of two ticks at once, and what was missed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.pubsub_v1 import PubsubMessage

from shared.digests.ticks import tick_id
from shared.platform.clients import firestore_client, publisher
from shared.platform.settings import TICKS
from tests.e2e.running import NO_TICKS, RunningStack, free_ports
from tests.e2e.test_failures import until

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.usefixtures("clients")

PROJECT = "headrace-local"
SLOT = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
"""Every day at this time, so once in the last two hours."""
SCHEDULES = f"""
[[schedule]]
name = "daily"
cron = "{SLOT.minute} {SLOT.hour} * * *"
window = "day"

[[schedule]]
name = "bad"
cron = "0 99 * * *"
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with a schedule, and another that cannot be used."""
    folder = tmp_path_factory.mktemp("ticks")
    (folder / "digests.toml").write_text(SCHEDULES)
    extra = {"HEADRACE_DIGESTS_FILE": str(folder / "digests.toml")}
    running = RunningStack(folder / "data", free_ports(), extra, patch=NO_TICKS)
    running.up()
    yield running
    running.end()


def tick(stack: RunningStack, count: int = 1) -> list[dict[str, Any]]:
    """Publish heartbeats at once; what the function said of them all."""
    messages = [PubsubMessage(data=b"{}", attributes={"kind": "digest"})] * count
    topic = f"projects/{PROJECT}/topics/{TICKS}"
    ours = {*publisher().publish(topic=topic, messages=messages).message_ids}
    log = stack.data / "logs" / "digest.log"

    def handled() -> list[dict[str, Any]]:
        text = log.read_text() if log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        found = [line for line in lines if line.get("message_id") in ours]
        ended = {line["message_id"] for line in found if line["message"] == "event handled"}
        return found if ended == ours else []

    lines: list[dict[str, Any]] = until(handled)
    assert {line["status"] for line in lines if line["message"] == "event handled"} == {204}
    return lines


def said(lines: list[dict[str, Any]], message: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["message"] == message]


def digests() -> list[str]:
    return sorted(one.id for one in firestore_client().collection("digests").select([]).stream())


def put_back(upto: datetime) -> None:
    firestore_client().collection("clocks").document("daily").update({"upto": upto})


def test_two_ticks_at_once_make_one_digest(stack: RunningStack) -> None:
    """The first tick ever makes none; with a slot due, two at once make one, and the next no more."""
    first = tick(stack)
    assert digests() == []
    assert {line["schedule"] for line in said(first, "a schedule cannot be used")} == {"bad"}
    put_back(SLOT - timedelta(hours=1))
    lines = tick(stack, 2)
    name = tick_id("daily", SLOT)
    assert digests() == [name]
    assert [line["digest"] for line in said(lines, "digest made")] == [name]
    record = firestore_client().collection("ticks").document(name).get().to_dict() or {}
    assert (record["state"], record["attempts"]) == ("done", 1)
    stored = firestore_client().collection("digests").document(name).get().to_dict() or {}
    window = stored["digest"]["window"]
    assert datetime.fromisoformat(window["end"]) == SLOT
    assert datetime.fromisoformat(window["start"]) == SLOT - timedelta(days=1)
    assert said(tick(stack), "digest made") == []
    assert digests() == [name]


def test_what_was_missed_is_made_after_a_restart(stack: RunningStack) -> None:
    """Its clock says that nobody looked since before yesterday's slot; today's is there already."""
    put_back(SLOT - timedelta(hours=25))
    stack.down()
    stack.up()
    names = [tick_id("daily", SLOT - timedelta(days=1)), tick_id("daily", SLOT)]
    tick(stack)
    assert digests() == names
    records = firestore_client().collection("ticks").stream()
    assert {record.id: (record.to_dict() or {})["state"] for record in records} == dict.fromkeys(
        names, "done"
    )
