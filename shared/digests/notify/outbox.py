"""Deliver notifications: one record a target, retried until it is delivered or given up.

`digests/{id}/deliveries/{n}` is one record for each target of the schedule, in its order. The records are
written in the transaction that creates the digest, so they are delivered even if the process ends right
afterwards. A sender takes a record by moving `next_at` beyond the time that sending may take, and by counting
the attempt. That count fences two senders of one record; one that is killed has used its attempt. What was
sent and could not be recorded is sent again, under the same id.

The query for due records is over the collection group `deliveries`. Firestore needs an index for it, of scope
COLLECTION_GROUP, with the fields `state` ascending and `next_at` ascending.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import NonNegativeInt

from shared.digests.exchange import Later, Unanswered
from shared.digests.notify import webhooks
from shared.digests.records import DELIVERIES
from shared.digests.schedules import Target, Webhook
from shared.documents.store import Documents, now
from shared.platform.clients import secret, where
from shared.platform.errors import Permanent, Retryable
from shared.platform.logs import get_logger
from shared.platform.records import Record
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.platform.transaction import ShortTransaction


MAX_ATTEMPTS = 10
FIRST_WAIT, LONGEST_WAIT = 60.0, 6 * 3600.0
"""Seconds between attempts, doubled from one to the next: ten attempts take eight and a half hours."""
LEASE_SECONDS = 300.0
"""For one attempt: more than the longest that `notify_target_seconds` can be."""
PER_CALL = 25
"""Most deliveries that one call takes."""
LEAST_SECONDS = 1.0
"""With less than this left, no other delivery is started."""


class Delivery(Record):
    """A message to one target."""

    state: Literal["pending", "delivered", "undelivered"]
    """Delivered: to every recipient; undelivered: to some, or to none."""
    target: Target
    attempts: NonNegativeInt = 0
    next_at: datetime
    """When it is tried, or tried again."""
    created_at: datetime
    ended_at: datetime | None = None
    """When it was delivered, or given up."""
    reason: str | None = None
    """Why the last attempt failed; without addresses."""


def enqueue(
    writer: firestore.Transaction | firestore.WriteBatch,
    digest: firestore.DocumentReference,
    targets: Sequence[Target],
) -> None:
    """Write a pending delivery for each target, in the commit that creates the digest."""
    at = now()
    for number, target in enumerate(targets):
        delivery = Delivery(state="pending", target=target, next_at=at, created_at=at)
        writer.create(digest.collection(DELIVERIES).document(str(number)), delivery.model_dump())


def due(client: firestore.Client, at: datetime) -> list[firestore.DocumentReference]:
    """Return the deliveries to try by now, the longest overdue first."""
    pending = where(client.collection_group(DELIVERIES), ("state", "==", "pending"), ("next_at", "<=", at))
    query = pending.order_by("next_at").limit(PER_CALL)
    return [snapshot.reference for snapshot in query.stream()]


def take(client: firestore.Client, reference: firestore.DocumentReference, at: datetime) -> Delivery | None:
    """Lease a delivery and count the attempt; None where another process has it, or nothing is left to do.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
        ValidationError: another release wrote it; the attempt is counted, so it holds up no other.
    """

    def step(transaction: ShortTransaction) -> dict[str, Any] | None:
        [fields] = transaction.read(reference)
        if fields is None or fields["state"] != "pending" or fields["next_at"] > at:  # None: erased
            return None
        if fields["attempts"] >= MAX_ATTEMPTS:  # the last one was killed
            reason = fields["reason"] or "Every attempt was interrupted"
            transaction.update(reference, {"state": "undelivered", "ended_at": at, "reason": reason})
            return None
        lease = {"attempts": fields["attempts"] + 1, "next_at": at + timedelta(seconds=LEASE_SECONDS)}
        transaction.update(reference, lease)
        return fields | lease

    fields = Documents(client).run(step)
    return None if fields is None else Delivery.model_validate(fields)


def record(
    client: firestore.Client,
    reference: firestore.DocumentReference,
    taken: Delivery,
    failure: Exception | None,
    at: datetime,
) -> None:
    """Record how an attempt ended, unless another process took the delivery since, or it was erased."""
    fields: dict[str, Any] = {"state": "delivered", "ended_at": at, "reason": None}
    if isinstance(failure, Permanent):
        fields |= {"state": "undelivered", "reason": f"{failure.message}. {failure.hint}."}
    elif failure is not None:
        # The message of an error that is not ours may hold anything.
        ours = failure.message if isinstance(failure, (Retryable, Unanswered)) else None
        reason = ours or type(failure).__name__
        if taken.attempts >= MAX_ATTEMPTS:
            reason = f"{reason}; given up after {taken.attempts} attempts"
            fields |= {"state": "undelivered", "reason": reason}
        else:
            wait = failure.wait if isinstance(failure, Later) else 0
            pause = min(max(wait, FIRST_WAIT * 2 ** (taken.attempts - 1)), LONGEST_WAIT)
            fields = {"next_at": at + timedelta(seconds=pause), "reason": reason}

    def step(transaction: ShortTransaction) -> None:
        [stored] = transaction.read(reference, fields=["state", "attempts"])
        if stored == {"state": "pending", "attempts": taken.attempts}:
            transaction.update(reference, fields)

    Documents(client).run(step)


def notify_pending(client: firestore.Client, at: datetime) -> int:
    """Send what is due, and return how many messages were delivered; never raises.

    Call it on every heartbeat; several instances may do so at once.
    """
    started = time.monotonic()
    notified = 0
    try:
        for reference in due(client, at):
            passed = time.monotonic() - started
            left = settings().notify_seconds - passed
            if left < LEAST_SECONDS:
                break
            seconds = min(left, settings().notify_target_seconds)
            notified += _notify(client, reference, at + timedelta(seconds=passed), seconds)
    except Exception as error:  # noqa: BLE001 - notifications must not keep digests from being made
        get_logger("notify").warning("the outbox could not be read", error=error)
    return notified


def _notify(
    client: firestore.Client, reference: firestore.DocumentReference, at: datetime, seconds: float
) -> bool:
    """Return whether this call delivered the message."""
    started = time.monotonic()
    log = get_logger("notify").bind(digest=reference.path.split("/")[1], delivery=reference.id)
    failure: Exception | None = None
    try:
        taken = take(client, reference, at)
        if taken is None:
            return False
        log = log.bind(kind=taken.target.kind, attempt=taken.attempts)
        try:
            _send(client, reference, taken, seconds)
        except Exception as error:  # noqa: BLE001 - one target must not stop the others
            failure = error
        record(client, reference, taken, failure, at + timedelta(seconds=time.monotonic() - started))
    except Exception as error:  # noqa: BLE001 - its lease ends, and it is tried again
        log.warning("not recorded", error=error)
        return False
    if failure:
        log.warning("not delivered", error=failure)
        return False
    log.info("delivered")
    return True


def _send(
    client: firestore.Client, reference: firestore.DocumentReference, taken: Delivery, seconds: float
) -> None:
    """Send one message, with the same identifier at every attempt, by which receivers recognize a copy."""
    from shared.digests import store
    from shared.digests.notify import mail

    digest = reference.path.split("/")[1]
    stored = store.read(client, digest)
    if stored is None:
        hint = "Nothing is to be done, unless it was erased by mistake"
        raise Permanent("digest_gone", "The digest no longer exists", hint)
    page, target, identifier = store.page_link(stored), taken.target, f"{digest}-{reference.id}"
    if isinstance(target, Webhook):
        body = (webhooks.as_slack if target.format == "slack" else webhooks.as_json)(stored.digest, page)
        headers = {"content-type": "application/json; charset=utf-8", "headrace-delivery": identifier}
        webhooks.send(_secret(target.secret).strip(), body, headers, seconds=seconds)
        return
    password = _secret(pinned) if (pinned := settings().smtp_password) else None
    message = mail.compose(stored, store.source_link, page, target.to, identifier)
    mail.send(message, target.to, password, seconds=seconds)


def _secret(pinned: str) -> str:
    """Return a secret's text. Raise Later, with the secret's name, if it cannot be read."""
    name, _, version = pinned.partition("/")
    try:
        text: str = secret(name, int(version)).decode().rstrip("\r\n")  # an editor's, or of `echo`
    except Exception as error:
        if is_transient(error):
            raise
        message = f"The secret {pinned} cannot be read ({type(error).__name__})"
        hint = "Create that version of it, or name another in the schedule; the function needs access to it"
        raise Later(f"{message}. {hint}") from None
    return text
