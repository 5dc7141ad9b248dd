"""Keys for programs: what each may do, how often, and until when. The API, the console and MCP ask `check`.

A key is `headrace_ID_SECRET`. Firestore's `keys/{id}` has the SHA-256 of the whole key, never the key. The
first key is not in Firestore: its hash is in Secret Manager, and it has every scope.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import threading
import time
from collections import OrderedDict
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from shared.api.requests import KEY_HEADER, Problem
from shared.documents.store import Documents, now
from shared.platform import clients
from shared.platform.errors import Permanent, SetupError
from shared.platform.logs import get_logger
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud import firestore

    from shared.platform.transaction import ShortTransaction

COLLECTION = "keys"
PREFIX = "headrace_"
"""Begins every key, so that scanners for leaked secrets can find one."""
SECRET_BYTES = 32
MAX_CHARACTERS = 256
"""Longest key that is looked at: longer ones are refused unread."""
CACHE_SECONDS = 10.0
"""For so long an instance trusts what it knows of a key: a revocation takes effect everywhere within it."""
MAX_CACHED = 1_000
"""Ids of which one instance remembers what Firestore said, also that there is no such key."""
PER_MINUTE = 600
"""Default limit of requests a minute, in each instance."""
MAX_PER_MINUTE = 100_000
NOTED_EVERY = timedelta(hours=1)
"""`used_at` is written at most once in this span."""
NOTE_SECONDS = 2.0
"""Timeout of that write, for which a request waits."""


PASSED = "headrace-passed."
"""Begins what the console passes on to the API, signed with the hash of the first key."""
PASSED_SECONDS = 60
_PASSED = re.compile(re.escape(PASSED) + r"((?:[0-9a-f]{2}){1,200})\.([0-9]{1,12})\.([0-9a-f]{64})")


class Scope(StrEnum):
    """What a key lets its holder do. No scope includes another."""

    READ = "read"
    """Analyze texts; read documents, passages, figures, digests; search and export."""
    ORIGINALS = "originals"
    """See pages as they were before redaction."""
    CORRECT = "correct"
    """Correct what the model said."""
    UPLOAD = "upload"
    """Upload files."""
    OPERATE = "operate"
    """Replay, erase, make digests, read dead letters and replay them."""


NAME = r"[A-Za-z0-9][A-Za-z0-9 .@+/_-]{0,79}"
NAME_HINT = "Give 1 to 80 letters, digits, spaces and . @ + / _ -, the first a letter or digit."


class Key(Record):
    """A key without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime | None = None
    """None: of the first key, which Secret Manager has."""
    expires_at: datetime | None = None
    """None: never."""
    revoked_at: datetime | None = None
    rotated_at: datetime | None = None
    """When it got its present secret, if not when it was made."""
    used_at: datetime | None = None
    """When it was last used, to within `NOTED_EVERY`."""
    per_minute: PositiveInt | None = None
    """Most requests a minute, in each instance; None: no limit."""


class StoredKey(Key):
    """The record of a key in Firestore."""

    hash: str = Field(repr=False)
    """SHA-256 of the key, in hexadecimal."""
    previous_hash: str | None = Field(default=None, repr=False)
    """The same of the key before its last rotation."""
    previous_until: datetime | None = None
    """Until when that one is valid."""

    def hashes(self, moment: datetime) -> tuple[str, ...]:
        """Return the hashes that open at this moment, apart from expiry and revocation."""
        if (
            self.previous_hash is not None
            and self.previous_until is not None
            and moment < self.previous_until
        ):
            return self.hash, self.previous_hash
        return (self.hash,)


def state(key: Key, moment: datetime) -> Literal["valid", "expired", "revoked"]:
    """Return whether a key opens anything at this moment."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= moment else "valid"


FIRST = Key(id="first", name="first key", scopes=tuple(Scope))
"""The key, or keys, whose hashes are in Secret Manager."""


class UnknownKey(Permanent):
    """No key has this id or name, or several have the name."""


def key_hash(key: str) -> str:
    """SHA-256 of a key, in hexadecimal. Keys are long and random, so a slow hash would add nothing."""
    # A form of the console may bring halves of characters, which plain UTF-8 has no bytes for.
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


_HASH = re.compile(r"[0-9a-f]{64}")
_EMPTY = key_hash("")
"""The hash of an empty key, which is stored if the shell's variable with the key was not set."""


def parse_hashes(secret: bytes) -> tuple[str, ...]:
    """The hashes in a secret, one per line.

    Raises:
        SetupError: the secret holds no hash, something else, or the hash of an empty key.
    """
    hashes = tuple(secret.decode(errors="replace").split())
    if not hashes or not all(map(_HASH.fullmatch, hashes)):
        raise SetupError(
            "The secret with the API's key hashes must hold the SHA-256 of each key, in lower-case "
            "hexadecimal, one a line."
        )
    if _EMPTY in hashes:
        raise SetupError(
            "The secret with the API's key hashes holds the SHA-256 of an empty key, as where the variable "
            "with the key was not set. Store a version with the SHA-256 of a real one."
        )
    return hashes


def accepted(key: str, hashes: tuple[str, ...]) -> bool:
    """Whether a key has one of these hashes, in constant time."""
    digest = key_hash(key)
    matches = [hmac.compare_digest(digest, known) for known in hashes]
    return any(matches)


def check(key: str | None, scope: Scope | None) -> Key:
    """Return the key that a request brought, if it may do what `scope` says; None: any key may.

    Raises:
        Problem: 401 without a valid key, 403 without the scope, 429 over the key's limit.
        GoogleAPIError: Firestore or Secret Manager does not answer.
    """
    return _ring().check(key, scope)


def check_again(identifier: str, scope: Scope | None) -> Key:
    """Check the key of a session by its id: the console's cookie, whose signature was verified, names it.

    Raises:
        Problem: as `check`; 401 also where there is no such key.
    """
    return _ring().check_again(identifier, scope)


def passed_on(identifier: str) -> str:
    """Return a key for a minute, by which the console asks the API in the name of a person: to read alone."""
    return _ring().passed_on(identifier)


class Bucket:
    """Tokens for the requests of a key: at most `per_minute`, refilled evenly within a minute."""

    def __init__(self, per_minute: int, at: float) -> None:
        """`at` is the time in seconds, of any clock that does not go back."""
        self.tokens = float(per_minute)
        self.at = at

    def take(self, per_minute: int, at: float) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        rate = per_minute / 60
        self.tokens = min(float(per_minute), self.tokens + (at - self.at) * rate)
        self.at = at
        if self.tokens < 1:
            return (1 - self.tokens) / rate
        self.tokens -= 1
        return 0.0


_ID = re.compile(r"[0-9a-f]{12}")
_FORM = re.compile(rf"{PREFIX}({_ID.pattern})_[A-Za-z0-9_-]{{43}}")


class KeyRing:
    """What one instance knows of keys: their records for some seconds, and how often each was used."""

    def __init__(
        self,
        load: Callable[[str], StoredKey | None],
        note: Callable[[str], None],
        first: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` reads a record, `note` writes that a key was used, `first` returns the first's hashes."""
        self._load, self._note, self._first, self._clock = load, note, first, clock
        self._lock = threading.Lock()
        self._records: OrderedDict[str, tuple[float, StoredKey | None]] = OrderedDict()
        self._buckets: dict[str, Bucket] = {}
        self._noted: dict[str, float] = {}

    def check(self, key: str | None, scope: Scope | None) -> Key:
        """See `check` of the module."""
        if not key:
            raise _unauthorized("unauthorized", f"A key is missing: send it in the header {KEY_HEADER}.")
        if (passed := _PASSED.fullmatch(key)) is not None:
            return self._passed(passed, scope)
        if len(key) <= MAX_CHARACTERS:
            form = _FORM.fullmatch(key)
            if form is None:
                if accepted(key, self._first()):
                    return self._admit(FIRST, scope)
            elif (record := self._record(form[1])) and accepted(key, record.hashes(now())):
                return self._admit(record, scope)
        raise _unauthorized("unauthorized", "This is not a key of this service.")

    def check_again(self, identifier: str, scope: Scope | None) -> Key:
        """See `check_again` of the module."""
        record = FIRST if identifier == FIRST.id else self._record(identifier)
        if record is None:
            raise _unauthorized("unauthorized", "The key of this session is gone.")
        return self._admit(record, scope)

    def passed_on(self, identifier: str) -> str:
        """See `passed_on` of the module."""
        head = f"{PASSED}{identifier.encode().hex()}.{int(now().timestamp()) + PASSED_SECONDS}"
        return f"{head}.{_signature(self._first()[0], head)}"

    def _passed(self, form: re.Match[str], scope: Scope | None) -> Key:
        identifier, expires, signature = form.groups()
        head = f"{PASSED}{identifier}.{expires}"
        # By any of the hashes: while the first key is rotated, the console may know others than the API.
        signed = [hmac.compare_digest(signature, _signature(known, head)) for known in self._first()]
        if not any(signed) or int(expires) < now().timestamp():
            raise _unauthorized("unauthorized", "This is not a key of this service.")
        if scope is not None and scope is not Scope.READ:
            raise _missing(scope)
        name = bytes.fromhex(identifier).decode()
        if name == FIRST.id or _ID.fullmatch(name):
            key = self.check_again(name, scope)
            # Who asks what else the key may do, as MCP does, is told of reading alone.
            return key.model_copy(update={"scopes": tuple({Scope.READ} & {*key.scopes})})
        return self._admit(Key(id=name, name=name, scopes=(Scope.READ,), per_minute=PER_MINUTE), scope)

    def _record(self, identifier: str) -> StoredKey | None:
        asked = self._clock()
        with self._lock:
            known = self._records.get(identifier)
        if known is not None and asked - known[0] < CACHE_SECONDS:
            return known[1]
        record = self._load(identifier)
        with self._lock:
            # Its age counts from before it was read: what changed since then is not in it.
            self._records[identifier] = asked, record
            self._records.move_to_end(identifier)
            while len(self._records) > MAX_CACHED:
                self._records.popitem(last=False)
        return record

    def _admit(self, key: Key, scope: Scope | None) -> Key:
        if (stands := state(key, now())) != "valid":
            raise _unauthorized(f"key-{stands}", f"This key is {stands}. Ask for another.")
        # Before the scope: what is refused for want of one counts too.
        self._count(key)
        if scope is not None and scope not in key.scopes:
            raise _missing(scope)
        self._note_use(key)
        return key

    def _count(self, key: Key) -> None:
        if key.per_minute is None:
            return
        with self._lock:
            at = self._clock()
            bucket = self._buckets.setdefault(key.id, Bucket(key.per_minute, at))
            seconds = bucket.take(key.per_minute, at)
        if seconds:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-requests",
                f"This key may make {key.per_minute:,} requests a minute.",
                headers={"Retry-After": str(math.ceil(seconds))},
            )

    def _note_use(self, key: Key) -> None:
        if key.created_at is None or (key.used_at is not None and now() - key.used_at < NOTED_EVERY):
            return
        at, every = self._clock(), NOTED_EVERY.total_seconds()
        with self._lock:
            if at - self._noted.get(key.id, -every) < every:
                return
            self._noted[key.id] = at
        self._note(key.id)


def _unauthorized(code: str, detail: str) -> Problem:
    headers = {"WWW-Authenticate": f'ApiKey header="{KEY_HEADER}"'}
    return Problem(HTTPStatus.UNAUTHORIZED, code, detail, headers=headers)


def _missing(scope: Scope) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, "missing-scope", f"This needs a key with the scope {scope.value}.")


def _signature(known_hash: str, text: str) -> str:
    return hmac.new(known_hash.encode(), text.encode(), "sha256").hexdigest()


@lru_cache(maxsize=1)
def _ring() -> KeyRing:
    return KeyRing(_load, _note, _first_hashes)


@lru_cache(maxsize=1)
def _first_hashes() -> tuple[str, ...]:
    return parse_hashes(clients.secret(settings().api_key_hash, settings().api_key_hash_version))


def _load(identifier: str) -> StoredKey | None:
    return _read(clients.firestore_client().collection(COLLECTION).document(identifier))


def _read(reference: firestore.DocumentReference) -> StoredKey | None:
    fields = reference.get().to_dict()
    return None if fields is None else StoredKey.model_validate(fields)


def _note(identifier: str) -> None:
    from google.api_core.exceptions import GoogleAPIError

    reference = clients.firestore_client().collection(COLLECTION).document(identifier)
    try:
        reference.update({"used_at": now()}, timeout=NOTE_SECONDS, retry=None)
    except GoogleAPIError as error:  # only the doctor misses it
        get_logger("keys").warning("use of a key not noted", key=identifier, error=error)


def make(
    client: firestore.Client,
    name: str,
    scopes: tuple[Scope, ...],
    *,
    expires: timedelta | None = None,
    per_minute: int = PER_MINUTE,
) -> tuple[StoredKey, str]:
    """Make a key; return it and its secret, which is stored nowhere.

    Raises:
        Permanent: the name is invalid, or that of a key that is not revoked.
    """
    if re.fullmatch(NAME, name) is None:
        raise Permanent("invalid_name", f"{name!r} is not a name for a key.", NAME_HINT)
    if any(each.name == name for each in listed(client) if each.revoked_at is None):
        hint = "Choose another name, or: headrace keys rotate, headrace keys revoke"
        raise Permanent("name_taken", f"There is a key {name!r} already.", hint)
    identifier = secrets.token_hex(6)
    secret = _new_secret(identifier)
    made = now()
    record = StoredKey(
        id=identifier,
        name=name,
        scopes=scopes,
        created_at=made,
        expires_at=None if expires is None else made + expires,
        per_minute=per_minute,
        hash=key_hash(secret),
    )
    client.collection(COLLECTION).document(identifier).create(record.model_dump())
    return record, secret


def _new_secret(identifier: str) -> str:
    return f"{PREFIX}{identifier}_{secrets.token_urlsafe(SECRET_BYTES)}"


def rotate(client: firestore.Client, which: str, grace: timedelta) -> tuple[StoredKey, str]:
    """Give a key, by id or name, a new secret; the old one stays valid for `grace`.

    An expiring key gets the same span of life again, from now.

    Raises:
        Permanent: there is no such key, or it was revoked.
    """
    identifier = find(client, which).id
    secret = _new_secret(identifier)
    digest = key_hash(secret)

    def change(key: StoredKey) -> StoredKey:
        if key.hash == digest:  # a commit whose answer was lost
            return key
        if key.revoked_at is not None:
            hint = f"Make another: headrace keys make {key.name!r}"
            raise Permanent("revoked", f"The key {key.name!r} was revoked.", hint)
        moment = now()
        until, expires = moment + grace, key.expires_at
        if expires is not None:
            began = key.rotated_at or key.created_at or moment
            until, expires = min(until, expires), moment + (expires - began)
        fields = {
            "hash": digest,
            "previous_hash": key.hash,
            "previous_until": until,
            "rotated_at": moment,
            "expires_at": expires,
        }
        return key.model_copy(update=fields)

    return _change(client, identifier, change), secret


def revoke(client: firestore.Client, which: str) -> Key:
    """Revoke a key, by id or name, for ever; the first time counts.

    Raises:
        Permanent: there is no such key.
    """
    identifier = find(client, which).id

    def change(key: StoredKey) -> StoredKey:
        return key if key.revoked_at else key.model_copy(update={"revoked_at": now()})

    return _change(client, identifier, change)


def _change(client: firestore.Client, identifier: str, change: Callable[[StoredKey], StoredKey]) -> StoredKey:
    reference = client.collection(COLLECTION).document(identifier)

    def step(transaction: ShortTransaction) -> StoredKey:
        [fields] = transaction.read(reference)
        changed = change(StoredKey.model_validate(fields))
        transaction.set(reference, changed.model_dump())
        return changed

    return Documents(client).run(step)


def listed(client: firestore.Client) -> list[Key]:
    """Return every key of Firestore's, the newest first."""
    found = [StoredKey.model_validate(each.to_dict()) for each in client.collection(COLLECTION).stream()]
    return sorted(found, key=lambda key: (key.created_at or now(), key.id), reverse=True)


def find(client: firestore.Client, which: str) -> Key:
    """Return a key by id, or by name among those that are not revoked.

    Raises:
        UnknownKey: there is none, or several have the name.
    """
    every = listed(client)
    found = [key for key in every if key.id == which] or [
        key for key in every if key.name == which and key.revoked_at is None
    ]
    if len(found) != 1:
        many = "Several keys have" if found else "No key that is not revoked has"
        raise UnknownKey("unknown_key", f"{many} the id or name {which!r}.", "See: headrace keys list")
    return found[0]
