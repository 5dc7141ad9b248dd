"""Empty the outbox, a bounded part at a time; what fails waits for its next attempt and holds nothing up."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from shared.digests.exchange import Unanswered
from shared.digests.schedules import Email, Webhook
from shared.digests.tell import addresses, outbox
from shared.digests.tell.trouble import Later
from shared.platform.clients import emulator, secret
from shared.platform.errors import Permanent, Retryable
from shared.platform.logs import get_logger
from shared.platform.retry import is_transient
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.digests.records import Digest, Quote
    from shared.digests.tell.addresses import Resolver
    from shared.digests.tell.outbox import Taken

LEAST_SECONDS = 1.0
"""With less than this left, nothing more is begun."""
REFUSED_HINT = (
    "See its log for why; the schedule's recipients, HEADRACE_SMTP_USER and _FROM are the usual reasons, and "
    "553 that an address has letters beyond ASCII before its @, or a domain in such letters that DNS has no "
    "spelling for, and the server lacks SMTPUTF8"
)


def tell_pending(client: firestore.Client, at: datetime, *, resolve: Resolver = addresses.resolve) -> int:
    """Send what is due, and return how many were delivered; never raises.

    To be called on every heartbeat, by several instances at once.
    """
    started = time.monotonic()
    told = 0
    try:
        for reference in outbox.due(client, at):
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
        taken = outbox.take(client, reference, at)
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
            outbox.undelivered(client, taken, ended, f"{_refusals(taken)}. {REFUSED_HINT}.")
            log.warning("not delivered to all", refused=len(refused))
            return False
        outbox.delivered(client, taken, ended)
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
        outbox.undelivered(client, taken, at, f"{error.message}. {error.hint}{already}.")
        return
    # Of errors that are not ours the message may hold anything.
    reason = error.message if isinstance(error, (Retryable, Unanswered)) else type(error).__name__
    outbox.postponed(client, taken, at, f"{reason}{already}", error.wait if isinstance(error, Later) else 0)


def _refusals(taken: Taken) -> str:
    """Of all attempts, and without addresses."""
    of = len(set(taken.target.to)) if isinstance(taken.target, Email) else 0
    codes = ", ".join(map(str, sorted(set(taken.refused.values()))))
    return f"The mail server refused {len(taken.refused)} of {of} recipients for good ({codes})"


def _send(client: firestore.Client, taken: Taken, seconds: float, resolve: Resolver) -> dict[str, int]:
    """Send one message; the recipients that were refused for good now, with the code of the reply."""
    from shared.digests import store
    from shared.digests.links import object_link
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
    from shared.digests.tell import posting, webhooks

    form = webhooks.as_slack if target.format == "slack" else webhooks.as_json
    headers = {"content-type": "application/json; charset=utf-8", "headrace-delivery": taken.id}
    url = _secret(target.secret).strip()
    posting.send(url, form(digest, page), headers, seconds=seconds, resolve=resolve)


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
    from shared.digests.links import object_link

    return object_link(quote.bucket, quote.name, quote.page, storage_host)
