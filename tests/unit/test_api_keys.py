"""Whom a key lets in, for how long, how often, and to what."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.keys import (
    CACHE_SECONDS,
    FIRST,
    MAX_CACHED,
    MAX_CHARACTERS,
    NOTED_EVERY,
    PASSED_SECONDS,
    PREFIX,
    Bucket,
    KeyRing,
    Scope,
    StoredKey,
    accepted,
    key_hash,
    parse_hashes,
)
from shared.api.requests import Problem
from shared.documents.store import now
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

HASHES = (key_hash("old key"), key_hash("new key"))
ID = "0123456789ab"


_SECRETS = count(1)  # the same in every process of pytest: they stand in the names of tests


def a_key(identifier: str = ID) -> str:
    return f"{PREFIX}{identifier}_{next(_SECRETS):x>43}"


KEY = a_key()


class Ring(KeyRing):
    """A ring over records in memory, whose clock is turned by hand."""

    def __init__(self, *records: StoredKey) -> None:
        self.records = {record.id: record for record in records}
        self.loaded: list[str] = []
        self.noted: list[str] = []
        self.at = 1000.0
        super().__init__(self.load, self.noted.append, lambda: HASHES, lambda: self.at)

    def load(self, identifier: str) -> StoredKey | None:
        self.loaded.append(identifier)
        return self.records.get(identifier)


def stored(**fields: Any) -> StoredKey:
    given: dict[str, Any] = {
        "id": ID,
        "name": "a program",
        "scopes": (Scope.READ,),
        "created_at": now(),
        "hash": key_hash(KEY),
    }
    return StoredKey(**given | fields)


def refused(ask: Callable[[], object], status: HTTPStatus) -> Problem:
    with pytest.raises(Problem) as caught:
        ask()
    assert caught.value.status == status
    return caught.value


def test_every_key_in_the_secret_opens() -> None:
    """While keys are rotated the old and the new one both do; their hashes and anything else do not."""
    hashes = parse_hashes("\n".join(HASHES).encode() + b"\n")
    assert hashes == HASHES
    assert accepted("old key", hashes)
    assert accepted("new key", hashes)
    for wrong in ("", "old key ", HASHES[0], "schlüssel", "\ud800", "x" * 100_000):
        assert not accepted(wrong, hashes)


@pytest.mark.parametrize("secret", [b"", b"\n", b"old key", HASHES[0].upper().encode(), b"\xff"])
def test_a_secret_without_hashes_lets_nobody_in(secret: bytes) -> None:
    """A secret that holds something else is a mistake in the setup, not an open door."""
    with pytest.raises(SetupError, match="SHA-256"):
        parse_hashes(secret)


def test_an_empty_key_opens_nothing() -> None:
    """Not even where its hash was stored, by a command whose variable was not set; the setup is refused."""
    empty = key_hash("")
    with pytest.raises(SetupError, match="of an empty key"):
        parse_hashes("\n".join([*HASHES, empty]).encode())
    ring = KeyRing(lambda _: None, lambda _: None, lambda: (*HASHES, empty))
    for key in (None, ""):
        refused(lambda key=key: ring.check(key, None), HTTPStatus.UNAUTHORIZED)  # type: ignore[misc]


def test_the_first_key_has_every_scope_and_no_limit() -> None:
    """Firestore is not asked about it, so it works while Firestore does not."""
    ring = Ring()
    for scope in (*Scope, None):
        for _ in range(1000):
            assert ring.check("new key", scope) is FIRST
    assert not ring.loaded
    assert not ring.noted


@pytest.mark.parametrize(
    "key",
    [
        *("guess-7531", a_key("0" * 12), a_key(), KEY[:-1], KEY + "a", KEY + "\n", KEY.upper()),
        *(f"{PREFIX}../documents_{'7531' * 11}", "\ud800", "x" * (MAX_CHARACTERS + 1), key_hash(KEY)),
    ],
)
def test_anything_else_is_no_key(key: str) -> None:
    """401 with a challenge; what was sent is not repeated, and no such use is noted."""
    ring = Ring(stored())
    problem = refused(lambda: ring.check(key, None), HTTPStatus.UNAUTHORIZED)
    assert problem.code == "unauthorized"
    assert "WWW-Authenticate" in problem.headers
    assert b"7531" not in problem.body()
    assert not ring.noted


def test_a_long_key_is_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its length alone."""
    hashed: list[str] = []
    monkeypatch.setattr("shared.api.keys.key_hash", hashed.append)
    refused(lambda: Ring().check("x" * (MAX_CHARACTERS + 1), None), HTTPStatus.UNAUTHORIZED)
    assert not hashed


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_opens_itself_alone(scope: Scope) -> None:
    """No scope includes another; what is missing is named."""
    ring = Ring(stored(scopes=(scope,)))
    assert ring.check(KEY, scope).id == ID
    assert ring.check(KEY, None).id == ID
    for other in set(Scope) - {scope}:
        problem = refused(lambda other=other: ring.check(KEY, other), HTTPStatus.FORBIDDEN)  # type: ignore[misc]
        assert problem.code == "missing-scope"
        assert other.value in problem.detail


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"revoked_at": now()}, "key-revoked"),
        ({"expires_at": now()}, "key-expired"),
        ({"expires_at": now() - timedelta(days=9)}, "key-expired"),
    ],
)
def test_a_revoked_or_expired_key_is_refused_and_says_so(fields: dict[str, Any], code: str) -> None:
    """To its holder; who has not the secret learns nothing of the record. Sessions end too."""
    ring = Ring(stored(**fields))
    assert refused(lambda: ring.check(KEY, Scope.READ), HTTPStatus.UNAUTHORIZED).code == code
    assert refused(lambda: ring.check(a_key(), Scope.READ), HTTPStatus.UNAUTHORIZED).code == "unauthorized"
    assert refused(lambda: ring.check_again(ID, Scope.READ), HTTPStatus.UNAUTHORIZED).code == code


def test_a_session_is_checked_by_its_keys_id() -> None:
    """With the same scopes; that of the first key, too, and of no key that does not exist."""
    ring = Ring(stored())
    assert ring.check_again(ID, Scope.READ).id == ID
    refused(lambda: ring.check_again(ID, Scope.OPERATE), HTTPStatus.FORBIDDEN)
    refused(lambda: ring.check_again("0" * 12, None), HTTPStatus.UNAUTHORIZED)
    assert ring.check_again(FIRST.id, Scope.OPERATE) is FIRST


def test_the_old_secret_of_a_rotated_key_ends_with_its_grace() -> None:
    """Until then both open."""
    fresh = a_key()
    record = stored(
        hash=key_hash(fresh), previous_hash=key_hash(KEY), previous_until=now() + timedelta(days=1)
    )
    ring = Ring(record)
    assert ring.check(KEY, None) == ring.check(fresh, None) == record
    ring = Ring(record.model_copy(update={"previous_until": now()}))
    refused(lambda: ring.check(KEY, None), HTTPStatus.UNAUTHORIZED)
    assert ring.check(fresh, None).id == ID


def test_a_revocation_takes_effect_within_the_time_of_the_cache() -> None:
    """Firestore is asked once in that time, about keys that do not exist too."""
    ring = Ring(stored())
    ring.check(KEY, None)
    ring.records[ID] = stored(revoked_at=now())
    ring.at += CACHE_SECONDS - 0.001
    ring.check(KEY, None)
    assert ring.loaded == [ID]
    ring.at += 0.001
    refused(lambda: ring.check(KEY, None), HTTPStatus.UNAUTHORIZED)
    unknown = a_key("0" * 12)
    for _ in range(3):
        refused(lambda: ring.check(unknown, None), HTTPStatus.UNAUTHORIZED)
    assert ring.loaded == [ID, ID, "0" * 12]


def test_a_record_is_as_old_as_the_question() -> None:
    """A slow answer is not trusted for longer: what was revoked while it came would last beyond the time."""
    ring = Ring(stored())
    load = ring.load

    def slow(identifier: str) -> StoredKey | None:
        found = load(identifier)
        ring.at += 3
        return found

    ring._load = slow
    ring.check(KEY, None)
    ring.at += CACHE_SECONDS - 3
    ring.check(KEY, None)
    assert ring.loaded == [ID, ID]


def test_guessed_ids_do_not_fill_the_memory() -> None:
    """The oldest are forgotten."""
    ring = Ring()
    for number in range(MAX_CACHED + 5):
        refused(lambda number=number: ring.check(a_key(f"{number:012x}"), None), HTTPStatus.UNAUTHORIZED)  # type: ignore[misc]
    assert len(ring._records) == MAX_CACHED


def test_a_key_over_its_limit_is_told_when_to_come_again() -> None:
    """429 with Retry-After, for refused scopes too; other keys go on, and it does after that time."""
    other = a_key("f" * 12)
    ring = Ring(stored(per_minute=3), stored(id="f" * 12, hash=key_hash(other), per_minute=3))
    ring.check(KEY, Scope.READ)
    ring.check_again(ID, Scope.READ)
    refused(lambda: ring.check(KEY, Scope.OPERATE), HTTPStatus.FORBIDDEN)
    problem = refused(lambda: ring.check(KEY, Scope.READ), HTTPStatus.TOO_MANY_REQUESTS)
    assert problem.headers == {"Retry-After": "20"}
    ring.check(other, Scope.READ)
    ring.at += 20
    ring.check(KEY, Scope.READ)
    refused(lambda: ring.check(KEY, Scope.READ), HTTPStatus.TOO_MANY_REQUESTS)


def test_a_wrong_secret_takes_nothing_from_the_limit() -> None:
    """Who knows an id alone could otherwise lock its holder out."""
    ring = Ring(stored(per_minute=1))
    for _ in range(5):
        refused(lambda: ring.check(a_key(), None), HTTPStatus.UNAUTHORIZED)
    assert ring.check(KEY, None).id == ID


@given(st.integers(1, 1000), st.lists(st.floats(0, 100), max_size=300))
def test_no_span_of_time_has_more_than_its_requests(per_minute: int, steps: list[float]) -> None:
    """From a full bucket: a minute's worth and what time has added. Who waits as told is let in."""
    at, bucket = 0.0, Bucket(per_minute, 0.0)
    for admitted, step in enumerate(steps, start=1):
        at += step
        wait = bucket.take(per_minute, at)
        if wait:
            at += wait * (1 + 1e-9)
            assert bucket.take(per_minute, at) == pytest.approx(0, abs=1e-6)
        assert admitted <= per_minute + at * per_minute / 60 + 1e-6


def test_a_bucket_does_not_grow_beyond_a_minute() -> None:
    """However long nobody asked."""
    bucket = Bucket(2, 0.0)
    assert [bucket.take(2, 3600.0) for _ in range(3)] == [0, 0, pytest.approx(30)]


def test_use_is_noted_once_an_hour() -> None:
    """Not for each request, and not where another instance has noted it."""
    ring = Ring(stored())
    for _ in range(5):
        ring.check(KEY, None)
    assert ring.noted == [ID]
    ring.at += NOTED_EVERY.total_seconds()
    ring.check(KEY, None)
    assert ring.noted == [ID, ID]
    used = Ring(stored(used_at=now()))
    used.check(KEY, None)
    assert not used.noted


def test_a_key_does_not_show_its_hashes() -> None:
    """Where it is printed or logged."""
    assert key_hash(KEY) not in repr(stored(previous_hash=key_hash(KEY)))


def test_what_the_console_passes_on_reads_alone_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the name of whoever is signed in, be it a key or a person; and nobody else can make one."""
    ring = Ring()
    passed = ring.passed_on("ann@example.org")
    assert ring.check(passed, Scope.READ).id == "ann@example.org"
    refused(lambda: ring.check(passed, Scope.OPERATE), HTTPStatus.FORBIDDEN)
    head, _, signature = passed.rpartition(".")
    other = signature.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    start, _, expires = head.rpartition(".")
    forgeries = (
        f"{head}.{other}",
        f"{start}.{int(expires) + 1}.{signature}",
        f"{start}ff.{expires}.{signature}",
    )
    for forged in forgeries:
        refused(partial(ring.check, forged, Scope.READ), HTTPStatus.UNAUTHORIZED)
    later = now() + timedelta(seconds=PASSED_SECONDS + 1)
    monkeypatch.setattr("shared.api.keys.now", lambda: later)
    refused(lambda: ring.check(passed, Scope.READ), HTTPStatus.UNAUTHORIZED)


def test_what_is_passed_on_for_a_key_ends_with_the_key() -> None:
    """It has no scope that the key has not, counts against its limit, and is refused once that is revoked."""
    ring = Ring(stored(scopes=tuple(Scope), per_minute=2))
    passed = ring.passed_on(ID)
    assert ring.check(passed, Scope.READ).scopes == (Scope.READ,)
    refused(lambda: ring.check(passed, Scope.OPERATE), HTTPStatus.FORBIDDEN)
    assert ring.check(passed, None).id == ID
    refused(lambda: ring.check(passed, Scope.READ), HTTPStatus.TOO_MANY_REQUESTS)
    weak, revoked = Ring(stored(scopes=(Scope.UPLOAD,))), Ring(stored(revoked_at=now()))
    refused(lambda: weak.check(passed, Scope.READ), HTTPStatus.FORBIDDEN)
    refused(lambda: revoked.check(passed, Scope.READ), HTTPStatus.UNAUTHORIZED)
    refused(lambda: Ring().check(passed, Scope.READ), HTTPStatus.UNAUTHORIZED)
    assert weak.check(passed, None).scopes == ()
    first = ring.check(ring.passed_on(FIRST.id), Scope.READ)
    assert (first.id, first.scopes) == (FIRST.id, (Scope.READ,))


def test_what_is_passed_on_survives_a_rotation_of_the_first_key() -> None:
    """The console may know the old hash alone while the API knows both; a hash that is gone signs nothing."""
    ring, console = Ring(), Ring()
    console._first = lambda: HASHES[1:]
    passed = console.passed_on("ann@example.org")
    assert ring.check(passed, Scope.READ).id == "ann@example.org"
    ring._first = lambda: HASHES[:1]
    refused(lambda: ring.check(passed, Scope.READ), HTTPStatus.UNAUTHORIZED)
