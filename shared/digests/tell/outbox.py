"""Deliver notifications: one record a target, retried until it is delivered or given up."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field, NonNegativeInt

from shared.digests.exchange import Later, Unanswered
from shared.digests.schedules import Email, Target, Webhook
from shared.digests.tell import webhooks
from shared.documents.store import Documents, now
from shared.platform.clients import emulator, secret
from shared.platform.errors import Permanent, Retryable
from shared.platform.logs import get_logger
from shared.platform.records import Record
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.digests.records import Digest, Quote
    from shared.digests.tell.webhooks import Resolver


COLLECTION = "deliveries"
MAX_ATTEMPTS = 10
FIRST_WAIT, LONGEST_WAIT = 60.0, 6 * 3600.0
"""Seconds between attempts, doubled from one to the next: ten attempts take eight and a half hours."""
LEASE_SECONDS = 300.0
"""For one attempt: more than the longest that `tell_target_seconds` and its lookups can be."""
PER_CALL = 25
"""Deliveries that one call takes at most."""


class Delivery(Record):
    """A message to one target."""

    state: Literal["pending", "delivered", "undelivered"]
    """Delivered: to every recipient."""
    target: Target
    left: list[str] | None = None
    """The recipients of an e-mail that are still to be told; None: all."""
    refused: dict[str, int] = Field(default_factory=dict)
    """Those that the mail server refused for good, with the code of its reply."""
    attempts: NonNegativeInt
    next_at: datetime
    """When it is tried, or tried again."""
    created_at: datetime
    ended_at: datetime | None
    """When it was delivered, or given up."""
    reason: str | None
    """What the last attempt met with; without addresses."""


class Taken(NamedTuple):
    """A delivery that is this process's to send."""

    reference: firestore.DocumentReference
    target: Target
    attempt: int
    left: list[str] | None
    """As in `Delivery`, and `refused`."""
    refused: dict[str, int]

    @property
    def digest(self) -> str:
        """Id of the digest that it tells of."""
        collection = self.reference.parent
        assert collection.parent is not None
        return str(collection.parent.id)

    @property
    def id(self) -> str:
        """The same at every attempt, so that receivers know what they have."""
        return f"{self.digest}-{self.reference.id}"


def enqueue(
    writer: firestore.Transaction | firestore.WriteBatch,
    digest: firestore.DocumentReference,
    targets: Sequence[Target],
) -> None:
    """Put down, in the same commit, that these are to be told of the digest which it creates."""
    at = now()
    for number, target in enumerate(targets):
        delivery = Delivery(
            state="pending",
            target=target,
            attempts=0,
            next_at=at,
            created_at=at,
            ended_at=None,
            reason=None,
        )
        writer.create(digest.collection(COLLECTION).document(str(number)), delivery.model_dump())


def due(client: firestore.Client, at: datetime) -> list[firestore.DocumentReference]:
    """Deliveries that are to be tried by now, the longest overdue first."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query = (
        client.collection_group(COLLECTION)
        .where(filter=FieldFilter("state", "==", "pending"))
        .where(filter=FieldFilter("next_at", "<=", at))
        .order_by("next_at")
        .limit(PER_CALL)
    )
    return [snapshot.reference for snapshot in query.stream()]


def take(client: firestore.Client, reference: firestore.DocumentReference, at: datetime) -> Taken | None:
    """Take a delivery to send it; None where another has, or nothing is left to do.

    Raises:
        Retryable: Firestore is contended or cannot be reached.
        ValidationError: another release wrote it; the attempt is counted, so it stands before no other.
    """

    def step(transaction: firestore.Transaction) -> dict[str, Any] | None:
        fields: dict[str, Any] | None = reference.get(transaction=transaction).to_dict()
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
    if fields is None:
        return None
    known = Delivery.model_validate(fields)
    return Taken(reference, known.target, known.attempts, known.left, known.refused)


def delivered(client: firestore.Client, taken: Taken, at: datetime) -> None:
    """Note that it was sent."""
    _note(client, taken, {"state": "delivered", "ended_at": at, "reason": None})


def undelivered(client: firestore.Client, taken: Taken, at: datetime, reason: str) -> None:
    """Note that it will not be, or not to everybody."""
    _note(client, taken, {"state": "undelivered", "ended_at": at, "reason": reason} | _recipients(taken))


def postponed(client: firestore.Client, taken: Taken, at: datetime, reason: str, wait: float = 0) -> bool:
    """Note that it is to be tried again, after `wait` seconds at least; False where it was the last time."""
    if taken.attempt >= MAX_ATTEMPTS:
        undelivered(client, taken, at, f"{reason}; given up after {taken.attempt} attempts")
        return False
    pause = min(max(wait, FIRST_WAIT * 2 ** (taken.attempt - 1)), LONGEST_WAIT)
    _note(client, taken, {"next_at": at + timedelta(seconds=pause), "reason": reason} | _recipients(taken))
    return True


def _recipients(taken: Taken) -> dict[str, object]:
    return {"left": taken.left, "refused": taken.refused}


def _note(client: firestore.Client, taken: Taken, fields: dict[str, object]) -> None:
    """Write, unless another has taken it since or it was erased."""

    def step(transaction: firestore.Transaction) -> None:
        stored = taken.reference.get(["state", "attempts"], transaction=transaction).to_dict()
        if stored == {"state": "pending", "attempts": taken.attempt}:
            transaction.update(taken.reference, fields)

    Documents(client).run(step)


LEAST_SECONDS = 1.0
"""With less than this left, nothing more is begun."""
REFUSED_HINT = (
    "See its log for why; the schedule's recipients, HEADRACE_SMTP_USER and _FROM are the usual reasons, and "
    "553 that an address has letters beyond ASCII before its @, or a domain in such letters that DNS has no "
    "spelling for, and the server lacks SMTPUTF8"
)


def tell_pending(client: firestore.Client, at: datetime, *, resolve: Resolver = webhooks.resolve) -> int:
    """Send what is due, and return how many were delivered; never raises.

    To be called on every heartbeat, by several instances at once.
    """
    started = time.monotonic()
    told = 0
    try:
        for reference in due(client, at):
            left = settings().tell_seconds - (time.monotonic() - started)
            if left < LEAST_SECONDS:
                break
            moment = at + timedelta(seconds=time.monotonic() - started)
            seconds = min(left, settings().tell_target_seconds)
            told += _tell(client, reference, moment, seconds, resolve)
    except Exception as error:  # noqa: BLE001 - to tell must not keep digests from being made
        get_logger("tell").warning("the outbox could not be read", error=error)
    return told


def _tell(
    client: firestore.Client,
    reference: firestore.DocumentReference,
    at: datetime,
    seconds: float,
    resolve: Resolver,
) -> bool:
    """Whether this one was delivered, by this call."""
    started = time.monotonic()
    log = get_logger("tell").bind(digest=reference.path.split("/")[1], delivery=reference.id)
    try:
        taken = take(client, reference, at)
        if taken is None:
            return False
        log = log.bind(kind=taken.target.kind, attempt=taken.attempt)
        try:
            refused = taken.refused | _send(client, taken, seconds, resolve)
        except Exception as error:  # noqa: BLE001 - one target must not stop the others
            ended = at + timedelta(seconds=time.monotonic() - started)
            _put_off(client, taken, ended, error)
            log.warning("not delivered", error=error)
            return False
        ended = at + timedelta(seconds=time.monotonic() - started)
        if refused:
            taken = taken._replace(left=[], refused=refused)
            undelivered(client, taken, ended, f"{_refusals(taken)}. {REFUSED_HINT}.")
            log.warning("not delivered to all", refused=len(refused))
            return False
        delivered(client, taken, ended)
        log.info("delivered")
    except Exception as error:  # noqa: BLE001 - its lease ends, and it is tried again
        log.warning("not noted", error=error)
        return False
    return True


def _put_off(client: firestore.Client, taken: Taken, at: datetime, error: Exception) -> None:
    if isinstance(error, Later):
        left = taken.left if error.left is None else error.left
        taken = taken._replace(left=left, refused=taken.refused | error.refused)
    already = f". {_refusals(taken)}" if taken.refused else ""
    if isinstance(error, Permanent):
        undelivered(client, taken, at, f"{error.message}. {error.hint}{already}.")
        return
    # Of errors that are not ours the message may hold anything.
    reason = error.message if isinstance(error, (Retryable, Unanswered)) else type(error).__name__
    postponed(client, taken, at, f"{reason}{already}", error.wait if isinstance(error, Later) else 0)


def _refusals(taken: Taken) -> str:
    """Of all attempts, and without addresses."""
    of = len(set(taken.target.to)) if isinstance(taken.target, Email) else 0
    codes = ", ".join(map(str, sorted(set(taken.refused.values()))))
    return f"The mail server refused {len(taken.refused)} of {of} recipients for good ({codes})"


def _send(client: firestore.Client, taken: Taken, seconds: float, resolve: Resolver) -> dict[str, int]:
    """Send one message; the recipients that were refused for good now, with the code of the reply."""
    from shared.digests import store
    from shared.digests.store import object_link
    from shared.digests.tell import mail

    stored = store.read(client, taken.digest)
    if stored is None:
        hint = "Nothing is to be done, unless it was erased by mistake"
        raise Permanent("digest_gone", "The digest is there no more", hint)
    storage_host = emulator("STORAGE_EMULATOR_HOST")
    bucket, _, name = stored.html.removeprefix("gs://").partition("/")
    page = object_link(bucket, name, None, storage_host)
    if isinstance(taken.target, Webhook):
        _send_webhook(stored.digest, page, taken, taken.target, seconds, resolve)
        return {}
    mail.check_set_up()
    password = _secret(pinned) if (pinned := settings().smtp_password) else None
    link = partial(_link, storage_host)
    message = mail.compose(stored, link, page, taken.target.to, taken.id)
    return mail.send(message, taken.left or taken.target.to, password, seconds=seconds)


def _send_webhook(  # noqa: PLR0913, PLR0917 - a message's own parts
    digest: Digest, page: str, taken: Taken, target: Webhook, seconds: float, resolve: Resolver
) -> None:
    from shared.digests.tell import webhooks

    form = webhooks.as_slack if target.format == "slack" else webhooks.as_json
    headers = {"content-type": "application/json; charset=utf-8", "headrace-delivery": taken.id}
    url = _secret(target.secret).strip()
    webhooks.send(url, form(digest, page), headers, seconds=seconds, resolve=resolve)


def _secret(pinned: str) -> str:
    """A secret's text. Raises Later, with the secret's name, where it cannot be had: that may be mended."""
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


def _link(storage_host: str | None, quote: Quote) -> str:
    from shared.digests.store import object_link

    return object_link(quote.bucket, quote.name, quote.page, storage_host)
