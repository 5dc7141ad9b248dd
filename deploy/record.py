"""The record of the last deployment, in the work bucket: whether it has ended, and what served before.

It is the lock as well. Whoever deploys replaces the generation that was read when the build began, so that of
two builds which overlap, the later one fails before it changes anything. It is written again on the way: then
whoever lost it, to a rollback or after a long pause, stops.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import BaseModel, PrivateAttr

from shared.platform.clients import storage_client
from shared.platform.errors import Retryable
from shared.platform.settings import settings

NAME = "deployment.json"
HELD = timedelta(minutes=30)
"""A deployment that has written nothing for so long was killed: longer than its longest step."""


class Record(BaseModel):
    """The last deployment."""

    deployment: str
    finished: bool
    before: dict[str, str] = {}
    """The revision that each function served which the deployment has moved: what a rollback goes back to."""
    _generation: int = PrivateAttr(0)

    @classmethod
    def take(cls, deployment: str, *, generation: int | None = None, rollback: bool = False) -> Self:
        """Begin a deployment, or go on with one of the same name that stopped.

        Args:
            deployment: its name.
            generation: the record's when the build began; None: any.
            rollback: keep what served before the last deployment, and take the record also from one that is
                under way.

        Raises:
            Retryable: another deployment has begun since, or is under way.
        """
        last, found, written = read()
        if generation is not None and found != generation:
            raise Retryable(
                "Another deployment or a rollback began after this build. Build the newest commit."
            )
        others = not last.finished and last.deployment != deployment
        if others and not rollback and datetime.now(UTC) < written + HELD:
            raise Retryable(
                f"Deployment {last.deployment} is under way. If it was stopped, go on after "
                f"{written + HELD:%H:%M} UTC, or take back what it moved: make rollback"
            )
        # What a deployment replaced that was killed is still what a rollback goes back to.
        before = {} if last.finished and not rollback else last.before
        held = cls(deployment=deployment, finished=False, before=before)
        held._generation = found
        held.write()
        return held

    def write(self) -> None:
        """Write the record, and so show that the deployment goes on.

        Raises:
            Retryable: another deployment or a rollback has taken it.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = storage_client().bucket(settings().work_bucket).blob(NAME)
        try:
            blob.upload_from_string(
                self.model_dump_json(),
                content_type="application/json",
                if_generation_match=self._generation,
            )
        except PreconditionFailed:
            raise Retryable("Another deployment or a rollback has begun: this one stops.") from None
        assert blob.generation is not None
        self._generation = blob.generation

    def finish(self) -> None:
        """Let the next deployment begin."""
        self.finished = True
        self.write()


def read() -> tuple[Record, int, datetime]:
    """Return the record, its generation, which is 0 where there is none yet, and when it was written."""
    blob = storage_client().bucket(settings().work_bucket).get_blob(NAME)
    if blob is None:
        return Record(deployment="", finished=True), 0, datetime.now(UTC)
    assert blob.generation is not None
    assert blob.updated is not None
    return Record.model_validate_json(blob.download_as_bytes()), blob.generation, blob.updated
