"""`headrace keys`: a secret is printed once and stored nowhere; what it opens ends when it should."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cli.main import headrace
from shared.api.findings import KEY_ENDS_SOON, KEY_UNUSED, check_keys
from shared.api.keys import (
    COLLECTION,
    Scope,
    StoredKey,
    accepted,
    find,
    key_hash,
    listed,
    make,
    revoke,
    rotate,
)
from shared.documents.store import now
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError, Permanent
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = timedelta(days=1)


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("keys")):
        yield


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(headrace, ["keys", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def record(which: str) -> StoredKey:
    fields = firestore_client().collection(COLLECTION).document(find(firestore_client(), which).id).get()
    return StoredKey.model_validate(fields.to_dict())


def change(which: str, **fields: object) -> None:
    key = find(firestore_client(), which)
    firestore_client().collection(COLLECTION).document(key.id).update(fields)


def test_a_secret_is_printed_once_and_stored_nowhere() -> None:
    """Alone on standard output, so that a shell's variable takes it; what is stored is its hash."""
    made = run("make", "dashboard", "--scope", "upload", "--scope", "read", "--expires", "90d")
    secret = made.stdout.removesuffix("\n")
    assert secret.startswith("headrace_")
    assert "\n" not in secret
    assert secret not in made.stderr
    stored = record("dashboard")
    assert stored.scopes == (Scope.READ, Scope.UPLOAD)
    assert stored.hash == key_hash(secret)
    assert secret not in stored.model_dump_json()
    for arguments in (["list"], ["list", "--json"]):
        printed = run(*arguments).output
        assert stored.id in printed
        assert secret not in printed
        assert stored.hash not in printed


def test_a_key_for_programs() -> None:
    """`--json` has the secret beside what is known of the key, and no hash."""
    made = json.loads(run("make", "by a program", "--scope", "read", "--per-minute", "7", "--json").stdout)
    assert accepted(made["key"], (record("by a program").hash,))
    assert (made["scopes"], made["state"], made["per_minute"]) == (["read"], "valid", 7)
    assert not {"hash", "previous_hash"} & set(made)


@pytest.mark.parametrize(
    "arguments",
    [
        ["make", "x"],
        ["make", "x", "--scope", "everything"],
        ["make", "x", "--scope", "read", "--per-minute", "0"],
        ["make", "x", "--scope", "read", "--expires", "0d"],
        ["rotate", "x", "--grace", "soon"],
    ],
)
def test_options_of_no_use_are_refused(arguments: list[str]) -> None:
    """Before anything is made."""
    assert CliRunner().invoke(headrace, ["keys", *arguments]).exit_code == 2
    assert not any(key.name == "x" for key in listed(firestore_client()))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "<script>", "x" * 81, "ключ"])
def test_a_name_is_plain(name: str) -> None:
    """It is shown on pages, in terminals and in logs."""
    with pytest.raises(Permanent, match="not a name"):
        make(firestore_client(), name, (Scope.READ,))


def test_a_name_is_free_again_after_its_key_was_revoked() -> None:
    """Two keys of one name could not be told apart; of a revoked one that does not matter."""
    key, _ = make(firestore_client(), "again", (Scope.READ,))
    with pytest.raises(Permanent, match="already"):
        make(firestore_client(), "again", (Scope.READ,))
    assert "revoked" in run("revoke", "again").output
    new, _ = make(firestore_client(), "again", (Scope.READ,))
    assert find(firestore_client(), "again").id == new.id != key.id


def test_a_revocation_is_for_ever() -> None:
    """The first counts; the key cannot be rotated back to life."""
    key, _ = make(firestore_client(), "gone", (Scope.READ,))
    first = revoke(firestore_client(), key.id)
    assert revoke(firestore_client(), key.id) == first
    assert first.revoked_at
    with pytest.raises(Permanent, match="revoked"):
        rotate(firestore_client(), key.id, DAY)


def test_a_key_that_does_not_exist() -> None:
    """One sentence, and what to do."""
    done = CliRunner().invoke(headrace, ["keys", "revoke", "nobody"])
    assert isinstance(done.exception, HeadraceError)
    assert "nobody" in done.exception.message


def test_a_rotation_keeps_the_old_secret_for_its_grace() -> None:
    """The one before that is gone."""
    _, oldest = make(firestore_client(), "turned", (Scope.READ,))
    old = run("rotate", "turned").stdout.strip()
    new = run("rotate", "turned", "--grace", "2h").stdout.strip()
    key = record("turned")
    assert key.previous_until is not None
    assert timedelta(minutes=119) < key.previous_until - now() <= timedelta(hours=2)
    assert [accepted(secret, key.hashes(now())) for secret in (oldest, old, new)] == [False, True, True]
    after = now() + timedelta(hours=2)
    assert [accepted(secret, key.hashes(after)) for secret in (oldest, old, new)] == [False, False, True]


def test_a_rotation_renews_the_life_of_a_key_and_not_of_its_old_secret() -> None:
    """Also of a key that has expired: what did not open any more must not open again."""
    make(firestore_client(), "yearly", (Scope.READ,), expires=30 * DAY)
    change("yearly", created_at=now() - 40 * DAY, expires_at=now() - 10 * DAY)
    key, _ = rotate(firestore_client(), "yearly", DAY)
    assert key.expires_at is not None
    assert key.previous_until is not None
    assert timedelta(days=29) < key.expires_at - now() <= timedelta(days=30)
    assert key.previous_until < now()
    assert len(key.hashes(now())) == 1


def test_two_rotations_at_once() -> None:
    """One follows the other: the secret of each was printed, and each opens."""
    make(firestore_client(), "contended", (Scope.READ,))
    with ThreadPoolExecutor(2) as pool:
        turned = list(pool.map(lambda _: rotate(firestore_client(), "contended", DAY), range(2)))
    hashes = record("contended").hashes(now())
    assert sorted(hashes) == sorted(key_hash(secret) for _, secret in turned)


@pytest.mark.parametrize(
    ("fields", "fix"),
    [
        ({"used_at": None}, None),
        ({"expires_at": now() + KEY_ENDS_SOON - DAY}, "rotate"),
        ({"expires_at": now() + KEY_ENDS_SOON + DAY}, None),
        ({"created_at": now() - KEY_UNUSED - DAY}, "revoke"),
        ({"created_at": now() - KEY_UNUSED - DAY, "used_at": now() - DAY}, None),
        ({"used_at": now() - KEY_UNUSED - DAY}, "revoke"),
        ({"scopes": list(Scope)}, "make"),
        ({"scopes": list(Scope), "expires_at": now() + 60 * DAY}, None),
        ({"expires_at": now() - DAY, "scopes": list(Scope)}, None),
        ({"revoked_at": now(), "scopes": list(Scope)}, None),
    ],
)
def test_the_doctor_names_keys_that_need_their_owner(fields: dict[str, object], fix: str | None) -> None:
    """Those that end soon, that nobody uses, that may do everything for ever; not those that are over."""
    make(firestore_client(), "examined", (Scope.READ,))
    change("examined", **fields)
    found = list(check_keys(firestore_client()))
    concerning = [finding for finding in found if "(examined)" in finding.detail]
    assert [finding.status for finding in concerning] == (["warning"] if fix else [])
    assert all(f"headrace keys {fix}" in (finding.fix or "") for finding in concerning)
    for key in listed(firestore_client()):
        if key.name == "examined":
            firestore_client().collection(COLLECTION).document(key.id).delete()
