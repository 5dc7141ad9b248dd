"""A round of sweep in this process."""

from __future__ import annotations

from datetime import UTC, datetime

from functions.sweep.main import on_tick
from shared.platform.pubsub import EMPTY, Push


def tick(**attributes: str) -> None:
    """Hand a heartbeat to sweep, with what it says beside its kind."""
    on_tick(
        Push(
            message_id="1",
            published=datetime.now(UTC),
            data=EMPTY,
            attributes={"kind": "sweep", **attributes},
            subscription="sweep",
            delivery_attempt=1,
        )
    )
