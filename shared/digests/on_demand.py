"""Ask for a digest of the time until a moment, apart from any schedule's plan; nobody is notified of it.

It is made by the function `digest`, which has the memory and the time; whoever asks gets its id at once. The
id follows from what is asked, so that asking again for the same is one digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from shared.digests.records import NOW
from shared.digests.schedules import schedule_named
from shared.platform.pubsub import publish
from shared.platform.records import Record
from shared.platform.settings import TICKS

if TYPE_CHECKING:
    from google.cloud import firestore


class Wanted(Record):
    """A digest that is asked for."""

    end: AwareDatetime
    """Until when; the digest is made once this is past."""
    schedule: str | None = None
    """The schedule whose filter, zone and window the digest has; None: everything."""
    seconds: float | None = Field(default=None, gt=0)
    """How far it goes back instead; None: as the schedule does, or seven days."""

    @property
    def id(self) -> str:
        """The id that the digest will have."""
        kind = NOW if self.schedule is None else f"{self.schedule}-{NOW}"
        length = "" if self.seconds is None else f"-{self.seconds:.0f}s"
        # Two in a second may be of different windows.
        return f"{kind}-{self.end:%Y%m%dT%H%M%S%f}Z{length}"


def ask(client: firestore.Client, wanted: Wanted) -> str:
    """Have a digest made; return the id that it will have.

    Raises:
        Missing: there is no such schedule. Published, the message would end as a dead letter.
    """
    if wanted.schedule is not None:
        schedule_named(client, wanted.schedule)
    publish(TICKS, [(wanted.model_dump_json().encode(), {"kind": "digest", "asked": "now"})])
    return wanted.id
