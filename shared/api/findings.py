"""What of the stored state needs somebody: `headrace doctor` and the console's Operations show the same.

Each check only reads Firestore, and yields one finding at least: that all is well, or what is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from shared.api.keys import Scope, listed, state
from shared.digests.records import DELIVERIES
from shared.digests.schedules import definitions
from shared.digests.ticks import TICKS
from shared.documents import batches
from shared.documents.model import Document
from shared.documents.recovery import PER_TICK, SETTLED, standing_still
from shared.documents.replay import COLLECTION as DEAD_LETTERS
from shared.documents.store import Documents, now, select
from shared.platform.clients import LIMITS, number_of, where
from shared.platform.errors import SetupError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from google.cloud import firestore

    from shared.api.keys import Key

Status = Literal["ok", "warning", "wrong", "unknown"]
"""Unknown: this account may not ask, or a local stack does not have it."""
DIGESTS_SHOWN = 20
"""Failed digests, undelivered notifications or unusable schedules that are reported, of each kind."""
KEYS_SHOWN = 20
KEY_ENDS_SOON = timedelta(days=14)
KEY_UNUSED = timedelta(days=90)
LETTERS_SINCE = timedelta(days=1)
LETTERS_SHOWN = 100
"""Messages given up that are looked at, the newest."""
DIGESTS_SINCE = timedelta(days=40)
"""For how long a failed digest or notification is reported: for a monthly one, until the next. The records
are never deleted."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    status: Status
    detail: str
    fix: str | None = None
    """What to do: a command, or a sentence with one."""


def stored(client: firestore.Client, digest: str | None) -> Iterator[Finding]:
    """Yield what is found in Firestore.

    Args:
        client: the process's own.
        digest: of the model that results are compared with; None: they are not.
    """
    yield from check_failed(client)
    yield from check_dead_letters(client)
    yield from check_standing_still(client)
    yield from check_announced(client)
    if digest is not None:
        yield from check_models_of_results(client, digest)
    yield from check_schedules(client)
    yield from check_digests(client)
    yield from check_notified(client)
    yield from check_keys(client)


def check_failed(client: firestore.Client) -> Iterator[Finding]:
    """Yield how many documents have failed."""
    if number := number_of(select(client, ("state", "==", "failed")), **LIMITS):
        detail = f"{_documents_have(number)} failed; headrace show says why."
        yield Finding("failed", "warning", detail, "When the cause is gone: headrace replay --all")
    else:
        yield Finding("failed", "ok", "no document has failed")


def check_dead_letters(client: firestore.Client) -> Iterator[Finding]:
    """Yield how many messages were given up of late, and not replayed since."""
    letters = client.collection(DEAD_LETTERS)
    total = number_of(letters, **LIMITS)
    recent = where(letters, ("recorded_at", ">", now() - LETTERS_SINCE))
    newest = recent.order_by("recorded_at", direction="DESCENDING").limit(LETTERS_SHOWN).get(**LIMITS)
    left = [letter for each in newest if not (letter := each.to_dict()).get("replayed_at")]
    if left:
        number = f"{len(left)} or more" if len(newest) == LETTERS_SHOWN else str(len(left))
        detail = f"{number} in the last day, {total} in all; the newest: {left[0]['reason']['message']}"
        fix = left[0]["replay"] and f"When the cause is gone: {left[0]['replay']}"
        yield Finding("dead letters", "warning", detail, fix or left[0]["reason"]["hint"])
    else:
        yield Finding("dead letters", "ok", f"none in the last day that was not replayed, {total} in all")


def check_standing_still(client: firestore.Client) -> Iterator[Finding]:
    """Yield each document that the next sweep will recover: its lease has expired, or no batch moves."""
    candidates = map(Document.model_validate, standing_still(client))
    still = [document for document in candidates if not _moves(client, document)]
    for document in still[:PER_TICK]:
        if document.lease:
            why = f"its lease ended {_seconds_since(document.lease.expires_at)} ago, and was not taken over"
        else:
            why = f"no batch of it has moved for {_seconds_since(document.updated_at)}"
        recovered = f"the sweep has recovered it {document.recovery.attempts} times"
        detail = f"{document.id} ({document.name}): {why}; {recovered}."
        fix = f"The next sweep recovers it; if that does not help: headrace replay {document.id}"
        yield Finding("standing still", "wrong", detail, fix)
    if not still:
        yield Finding("standing still", "ok", "no document stands still")


def _moves(client: firestore.Client, document: Document) -> bool:
    """Return whether a batch of the run was written lately, which the document does not say."""
    if document.state == "extracting":
        return False
    reference = Documents(client).reference(document.id)
    times = [record["updated_at"] for record in batches.records(reference, document.run)]
    return bool(times) and max(times) > now() - timedelta(seconds=settings().sweep_patience)


def check_announced(client: firestore.Client) -> Iterator[Finding]:
    """Yield how many results were not announced."""
    waiting = select(client, ("results_pending", "==", True), ("updated_at", "<", now() - SETTLED))
    if number := number_of(waiting, **LIMITS):
        detail = f"{_documents_have(number)} ended more than a minute ago and not announced."
        yield Finding("results", "wrong", detail, "The next sweep announces them.")
    else:
        yield Finding("results", "ok", "every result was announced")


def check_models_of_results(client: firestore.Client, digest: str) -> Iterator[Finding]:
    """Yield how many results are of another model than this one, or the job's."""
    completed = ("state", "==", "completed")
    models = [digest, settings().job_model_digest or digest]
    total, same = (
        number_of(select(client, completed), **LIMITS),
        number_of(select(client, completed, ("model", "in", models)), **LIMITS),
    )
    if total == same:
        yield Finding("model of results", "ok", f"all {total} results are of the model {digest[:12]}…")
        return
    detail = f"{total - same} of {total} results are of another model; search needs the same encoder."
    fix = "To analyze them again: headrace backfill (docs/jobs.md)"
    yield Finding("model of results", "warning", detail, fix)


def check_schedules(client: firestore.Client) -> Iterator[Finding]:
    """Yield every schedule that cannot be used, or how many can."""
    try:
        defined = definitions(client)
    except SetupError as error:
        yield Finding("schedules", "wrong", error.message, "See docs/digests.md")
        return
    for problem in defined.problems[:DIGESTS_SHOWN]:
        detail = f"{problem.name} of {problem.source} makes no digests: {problem.message}"
        yield Finding("schedules", "wrong", detail, "Correct it; docs/digests.md says what its fields may be")
    if not defined.problems:
        yield Finding("schedules", "ok", f"{len(defined.schedules)} can be used")


def check_digests(client: firestore.Client) -> Iterator[Finding]:
    """Yield the recent digests that could not be made, the newest first."""
    names = [snapshot.id for snapshot in _recent(client.collection(TICKS), "failed", "slot")]
    if not names:
        yield Finding("digests", "ok", f"none failed in the last {DIGESTS_SINCE.days} days")
        return
    others = " and others before these" if names[DIGESTS_SHOWN:] else ""
    detail = f"could not be made: {', '.join(names[:DIGESTS_SHOWN])}{others}; see the log of digest"
    fix = "When the cause is gone, for the same documents: headrace digest --schedule NAME --since SPAN"
    yield Finding("digests", "warning", detail, fix)


def check_notified(client: firestore.Client) -> Iterator[Finding]:
    """Yield the recent notifications that were given up."""
    undelivered = _recent(client.collection_group(DELIVERIES), "undelivered", "next_at")
    if not undelivered:
        detail = f"no message about a digest was given up in the last {DIGESTS_SINCE.days} days"
        yield Finding("notified", "ok", detail)
        return
    newest = undelivered[0].to_dict() or {}
    digest = undelivered[0].reference.path.split("/")[1]
    many = f"{DIGESTS_SHOWN} or more" if undelivered[DIGESTS_SHOWN:] else str(len(undelivered))
    days = max((now() - newest["next_at"]).days, 0)  # it is when the attempt's lease would have ended
    detail = f"messages that were given up: {many}; the newest, {days} days ago, of {digest}"
    yield Finding("notified", "warning", f"{detail}: {newest['reason']}", "headrace digest list")


def check_keys(client: firestore.Client) -> Iterator[Finding]:
    """Yield each key that needs its owner: one that ends soon, is not used, or may do everything for ever."""
    moment = now()
    valid = [key for key in listed(client) if state(key, moment) == "valid"]
    findings = [finding for key in valid if (finding := _concern(key, moment))]
    yield from findings[:KEYS_SHOWN]
    if not findings:
        yield Finding("keys", "ok", f"{len(valid)} can be used, besides the first")


def _concern(key: Key, moment: datetime) -> Finding | None:
    """Return the first thing to do about a valid key."""
    named = f"{key.id} ({key.name})"
    if key.expires_at and key.expires_at - moment < KEY_ENDS_SOON:
        detail = f"{named} expires on {key.expires_at:%Y-%m-%d}."
        return Finding("keys", "warning", detail, f"headrace keys rotate {key.id}")
    if moment - (key.used_at or key.created_at or moment) > KEY_UNUSED:
        since = f"since {key.used_at:%Y-%m-%d}" if key.used_at else "ever"
        detail = f"{named} has not been used {since}."
        return Finding("keys", "warning", detail, f"If nobody needs it: headrace keys revoke {key.id}")
    if set(key.scopes) == set(Scope) and key.expires_at is None:
        detail = f"{named} has every scope and never expires."
        fix = f"headrace keys make NAME --scope ... --expires 90d, then: headrace keys revoke {key.id}"
        return Finding("keys", "warning", detail, fix)
    return None


def _recent(query: Any, state: str, moment: str) -> list[Any]:  # noqa: ANN401 - a collection, or a group
    """Return the newest records in this state, one more than are reported; `moment` is their time's field."""
    chosen = where(query, ("state", "==", state), (moment, ">", now() - DIGESTS_SINCE))
    return list(chosen.order_by(moment, direction="DESCENDING").limit(DIGESTS_SHOWN + 1).get(**LIMITS))


def _documents_have(number: int) -> str:
    return "1 document has" if number == 1 else f"{number} documents have"


def _seconds_since(moment: datetime) -> str:
    return f"{(now() - moment).total_seconds():.0f} s"
