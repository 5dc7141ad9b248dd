"""The console without a stack: who gets in, what writes need, what its answers forbid a browser."""

from __future__ import annotations

import gzip
import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from functions.console import app, session, show
from functions.console.app import FOLDER, application
from functions.console.search import ranked
from shared.api import keys
from shared.api.keys import Key, Scope, key_hash
from shared.api.requests import Problem
from shared.platform import clients
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

KEY = "k" * 43
VENDORED = re.compile(r"SHA-256 `([0-9a-f]{64})`")


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FlaskClient]:
    """A browser that is not signed in, and the first key's hash in Secret Manager."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("HEADRACE_CONSOLE_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("once")
    cached: list[Any] = [settings, session._secret, session._serializer, keys._ring]
    for each in cached:
        each.cache_clear()
    monkeypatch.setattr(clients, "secret", lambda *_: key_hash(KEY).encode())
    monkeypatch.setattr("shared.api.keys._first_hashes", lambda: (key_hash(KEY),))
    yield application().test_client()
    for each in cached:
        each.cache_clear()


def test_nothing_is_shown_to_strangers(browser: FlaskClient) -> None:
    """Each page but signing in leads there, and remembers where one wanted to go."""
    rules = [rule for rule in application().url_map.iter_rules() if "GET" in (rule.methods or ())]
    assert len(rules) > 4
    for rule in rules:
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        answer = browser.get(path)
        if rule.endpoint in {"entry.sign_in", "asset", "icon"}:
            continue
        assert answer.status_code == HTTPStatus.SEE_OTHER, path
        assert answer.location.startswith("/sign-in?next=/")


def test_a_key_becomes_a_cookie_that_scripts_cannot_read(browser: FlaskClient) -> None:
    """And which says nothing of the key itself."""
    answer = browser.post("/sign-in", data={"key": f" {KEY}\n", "next": "/digests"})
    cookie = answer.headers["Set-Cookie"]
    assert (answer.status_code, answer.location) == (HTTPStatus.SEE_OTHER, "/digests")
    assert all(
        word in cookie for word in ("HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={session.HOURS * 3600}")
    )
    assert KEY not in cookie
    assert browser.get("/sign-in").status_code == HTTPStatus.OK


def test_behind_https_the_cookie_is_of_this_host_alone(browser: FlaskClient) -> None:
    """Nobody else can set one of that name, and it never travels in the clear."""
    answer = browser.post("/sign-in", data={"key": KEY}, headers={"X-Forwarded-Proto": "https"})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nX: y"]
)
def test_signing_in_leads_to_no_other_site(browser: FlaskClient, wanted: str) -> None:
    """Whoever made the link."""
    answer = browser.post("/sign-in", data={"key": KEY, "next": wanted})
    assert answer.location == "/"


@pytest.mark.parametrize("key", ["", "wrong", "k" * 300])
def test_a_wrong_key_is_refused(browser: FlaskClient, key: str) -> None:
    """With a sentence, and without a cookie."""
    answer = browser.post("/sign-in", data={"key": key})
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert "Set-Cookie" not in answer.headers


def test_another_site_cannot_sign_a_person_in(browser: FlaskClient) -> None:
    """With a key of its own, to see what they upload."""
    answer = browser.post("/sign-in", data={"key": KEY}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == HTTPStatus.FORBIDDEN


def test_the_link_of_the_local_stack_works_once(browser: FlaskClient) -> None:
    """The file then has another."""
    assert browser.get("/sign-in?token=twice").status_code == HTTPStatus.UNAUTHORIZED
    answer = browser.get("/sign-in?token=once")
    assert (answer.status_code, answer.location) == (HTTPStatus.SEE_OTHER, "/")
    stranger = application().test_client()
    assert stranger.get("/sign-in?token=once").status_code == HTTPStatus.UNAUTHORIZED
    path = settings().console_token_file
    assert path is not None
    assert stranger.get(f"/sign-in?token={path.read_text()}").status_code == HTTPStatus.SEE_OTHER


@pytest.mark.parametrize("sent", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "ä"}])
def test_a_write_needs_the_token_of_the_page(browser: FlaskClient, sent: dict[str, str]) -> None:
    """Every POST but signing in, before anything is looked at."""
    browser.get("/sign-in?token=once")
    paths = [rule.rule for rule in application().url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert len(paths) > 3
    for path in paths:
        if path != "/sign-in":
            answer = browser.post(re.sub(r"<[^>]+>", "1", path), data=sent)
            assert answer.status_code == HTTPStatus.FORBIDDEN, path
            assert "another session" in answer.text


def test_a_cookie_that_was_changed_is_none(browser: FlaskClient) -> None:
    """Also one that was signed with another secret."""
    browser.get("/sign-in?token=once")
    cookie = browser.get_cookie(session.LOCAL_COOKIE)
    assert cookie is not None
    browser.set_cookie(session.LOCAL_COOKIE, cookie.value[:-2] + "xx")
    assert browser.get("/").location.startswith("/sign-in")


def test_a_scope_that_the_key_lacks_is_refused(browser: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page says which it is."""
    reader = Key(id="0" * 12, name="reader", scopes=(Scope.READ,))

    def check(_: str, scope: Scope | None) -> Key:
        if scope not in {None, Scope.READ}:
            raise Problem(HTTPStatus.FORBIDDEN, "missing-scope", f"This needs a key with the scope {scope}.")
        return reader

    browser.get("/sign-in?token=once")
    monkeypatch.setattr(session, "check_again", check)
    answer = browser.post("/erase", data={"id": "1"})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "the scope operate" in answer.text


def test_pages_forbid_scripts_of_others(browser: FlaskClient) -> None:
    """No inline script, no frame, no other host but the bucket's; and nothing is kept by caches."""
    headers = browser.get("/sign-in").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"


def test_templates_have_no_inline_script_and_no_unescaped_value() -> None:
    """The policy would stop the one, and let the other through."""
    paths = sorted((FOLDER / "templates").glob("*.html"))
    assert len(paths) > 10
    for path in paths:
        text = path.read_text()
        assert not re.search(r"<script(?! src=)|\son\w+=|style=|javascript:", text), path.name
        assert "| safe" not in text, path.name


def test_htmx_is_what_its_package_has() -> None:
    """As static/README.md says."""
    stated = VENDORED.search((FOLDER / "static" / "README.md").read_text())
    assert stated is not None
    assert hashlib.sha256((FOLDER / "static" / "htmx.min.js").read_bytes()).hexdigest() == stated[1]


def test_assets_are_kept_by_browsers_under_their_version(browser: FlaskClient) -> None:
    """And sent compressed to whoever takes it."""
    [path] = re.findall(r'"(/assets/htmx[^"]+)"', browser.get("/sign-in").text)
    plain = browser.get(path)
    packed = browser.get(path, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in plain.headers["Cache-Control"]
    assert len(packed.data) < len(plain.data) / 2
    assert browser.get("/assets/..%2Fapp.py").status_code == HTTPStatus.NOT_FOUND
    assert browser.get("/favicon.ico").headers["Location"].startswith("/assets/icon.svg?v=")


def test_pages_are_compressed_for_the_person_alone(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another site, which sees how long a page is, could find out what stands in it; a short page stays."""
    monkeypatch.setattr(app, "PACKED_BYTES", 100)
    plain = browser.get("/sign-in").data
    asked = {"Accept-Encoding": "br, gzip", "Sec-Fetch-Site": "same-origin"}
    for site in ("same-origin", "none"):
        packed = browser.get("/sign-in", headers=asked | {"Sec-Fetch-Site": site})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain
        assert int(packed.headers["Content-Length"]) == len(packed.data)
    for others in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Accept-Encoding": "br"},
    ):
        assert browser.get("/sign-in", headers=asked | others).data == plain
    assert browser.get("/sign-in", headers={"Accept-Encoding": "gzip"}).data == plain
    monkeypatch.setattr(app, "PACKED_BYTES", len(plain) + 1)
    assert browser.get("/sign-in", headers=asked).data == plain


def test_marked_words_are_escaped() -> None:
    """A passage may hold markup, and so may a question."""
    shown = show.marked("<b>Water</b> of 2024: 2 <i>", ["water", "2", "<i>"])
    assert shown == "&lt;b&gt;<mark>Water</mark>&lt;/b&gt; of 2024: <mark>2</mark> &lt;i&gt;"


def test_facts_come_before_what_defines_them() -> None:
    """Of passages about equally near; those without every word are left out on request."""
    hits = [
        {"text": "Scope 2 is what comes with bought energy.", "score": 0.80, "salience": 0.3, "kind": "text"},
        {"text": "Scope 2 fell to 71,000 t.", "score": 0.78, "salience": 2.6, "kind": "text"},
        {"text": "Scope 2", "score": 0.95, "salience": None, "kind": "heading"},
        {"text": "Our energy", "score": 0.99, "salience": 3.0, "kind": "text"},
    ]
    texts = [hit["text"] for hit in ranked(hits, "scope 2", only_words=False)]
    assert [text[:9] for text in texts] == ["Our energ", "Scope 2 f", "Scope 2 i", "Scope 2"]
    assert len(ranked(hits, "scope 2", only_words=True)) == 3
