"""Who is looking at the console: a key exchanged for a cookie, or whom Identity-Aware Proxy let in.

The cookie holds the id of a key and a random number, signed, and nothing that opens the API. What the key may
do is asked anew with every request, so a key that is revoked signs out within seconds.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared.api.keys import FIRST, Key, Scope, check, check_again
from shared.api.requests import Problem
from shared.platform import clients
from shared.platform.settings import settings

if TYPE_CHECKING:
    from flask import Request
    from itsdangerous import URLSafeTimedSerializer
    from werkzeug.wrappers import Response

HOURS = 8
"""How long a person stays signed in."""
LOCAL_COOKIE, COOKIE = "headrace-console", "__Host-headrace-console"
"""The second is sent over HTTPS alone, and nothing but this host can set it."""
IAP_HEADER = "X-Goog-IAP-JWT-Assertion"
IAP_KEYS = "https://www.gstatic.com/iap/verify/public_key"
IAP_ISSUER = "https://cloud.google.com/iap"


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    id: str
    """Id of the key, or the e-mail address that Identity-Aware Proxy vouches for."""
    name: str
    scopes: frozenset[Scope]
    csrf: str
    """What every write must bring, which no other site can know."""
    by_proxy: bool = False

    def can(self, scope: str) -> bool:
        """Return whether the person may do what a scope allows."""
        return scope in self.scopes


def person_of(request: Request, scope: Scope | None) -> Person | None:
    """Return who sent a request, if they may do what `scope` says; None: nobody is signed in.

    Raises:
        Problem: 401 for a false header of the proxy; 403 without the scope; 429.
    """
    if settings().console_iap_audience:
        return _by_proxy(request.headers.get(IAP_HEADER, ""), scope)
    stored = _stored(request)
    if stored is None:
        return None
    try:
        key = check_again(stored[0], scope)
    except Problem as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            return None
        raise
    return Person(key.id, key.name, frozenset(key.scopes), _sign(f"csrf:{stored[1]}"))


def sign_in(request: Request, response: Response, key: Key) -> None:
    """Give the browser its cookie."""
    value = _serializer().dumps([key.id, secrets.token_hex(8)])
    response.set_cookie(
        _cookie(request),
        value,
        max_age=HOURS * 3600,
        httponly=True,
        samesite="Lax",
        secure=_cookie(request) == COOKIE,
    )


def sign_out(request: Request, response: Response) -> None:
    """Take it away."""
    response.delete_cookie(_cookie(request), httponly=True, samesite="Lax", secure=_cookie(request) == COOKIE)


def key_of_form(text: str) -> Key:
    """Return the key that a person typed.

    Raises:
        Problem: 401, 429.
    """
    return check(text.strip(), None)


def redeem(token: str) -> Key | None:
    """Exchange the token of the local stack's link for the first key; the link changes, so it works once."""
    path = settings().console_token_file
    if path is None or not path.is_file():
        return None
    expected = path.read_text().strip()
    if not expected or not hmac.compare_digest(token.encode(), expected.encode()):
        return None
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_urlsafe(24))
    fresh.replace(path)
    return FIRST


def is_token(person: Person, token: str) -> bool:
    """Return whether a write brought the person's own token, in constant time."""
    return hmac.compare_digest(token.encode(errors="replace"), person.csrf.encode())


def _stored(request: Request) -> tuple[str, str] | None:
    """Key's id and random number of a cookie that is ours and not too old."""
    from itsdangerous import BadData

    try:
        identifier, nonce = _serializer().loads(
            request.cookies.get(_cookie(request), ""), max_age=HOURS * 3600
        )
    except (BadData, ValueError, TypeError):
        return None
    return str(identifier), str(nonce)


def _cookie(request: Request) -> str:
    is_secure = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
    return COOKIE if is_secure else LOCAL_COOKIE


def _by_proxy(assertion: str, scope: Scope | None) -> Person:
    """Who Identity-Aware Proxy says it is; it has checked a Google account, and signs for it."""
    claims = _verified(assertion, settings().console_iap_audience or "")
    scopes = frozenset(map(Scope, settings().console_iap_scopes))
    if scope is not None and scope not in scopes:
        raise Problem(HTTPStatus.FORBIDDEN, "missing-scope", f"People may not do this here: {scope.value}.")
    return Person(claims[0], claims[0], scopes, _sign(f"csrf:{claims[1]}"), by_proxy=True)


@lru_cache(maxsize=256)
def _verified_once(assertion: str, audience: str) -> tuple[str, str, float]:
    from google.auth.transport.requests import Request as Transport
    from google.oauth2 import id_token

    claims = id_token.verify_token(assertion, Transport(), audience=audience, certs_url=IAP_KEYS)
    if claims.get("iss") != IAP_ISSUER:
        raise ValueError("not of Identity-Aware Proxy")
    return str(claims["email"]), str(claims["sub"]), float(claims["exp"])


def _verified(assertion: str, audience: str) -> tuple[str, str]:
    import time

    from google.auth.exceptions import GoogleAuthError

    try:
        email, subject, expires = _verified_once(assertion, audience)
    except (ValueError, KeyError, GoogleAuthError):
        expires = 0.0
    if expires < time.time():
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "not-by-proxy",
            "The console is reached through Identity-Aware Proxy alone, whose signature is missing or wrong.",
        )
    return email, subject


def _sign(message: str) -> str:
    return hmac.new(_secret(), message.encode(), "sha256").hexdigest()


@lru_cache(maxsize=1)
def _serializer() -> URLSafeTimedSerializer:
    from itsdangerous import URLSafeTimedSerializer

    return URLSafeTimedSerializer(_secret(), salt="headrace console session")


@lru_cache(maxsize=1)
def _secret() -> bytes:
    """A key for signatures, made of what only the API and the console can read: rotating it signs all out."""
    stored = clients.secret(settings().api_key_hash, settings().api_key_hash_version)
    return hmac.new(stored, b"headrace console", "sha256").digest()
