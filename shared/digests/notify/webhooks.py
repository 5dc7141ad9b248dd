"""Post digests to webhooks over HTTPS, at public addresses or at hosts that the operator allows.

With https://169.254.169.254 whoever sets up a schedule would have the function ask the machine's own metadata
server. So a host's addresses are looked up once, all of them have to be public, and the connection goes to
one of these; a second lookup could give another answer.

Slack's limits are those of its reference, docs.slack.dev: Block Kit's header, section and text objects, and
the escaping of `&`, `<` and `>` of "Formatting message text".
"""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.digests.exchange import Later, Unanswered, post, retry_after, tls_context
from shared.digests.render import headline, outline, words
from shared.platform.errors import Permanent
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.digests.records import Digest

    Resolver = Callable[[str, int], list[str]]
    """Returns the IP addresses of a host and port."""

PORTS = frozenset({443, 8443})
"""Ports allowed at public hosts: services other than HTTPS must not see a request."""
MAX_URL = 2_048
"""Characters."""
MAX_ANSWER = 16 * 1024
"""Bytes read of an answer's body, which is not used."""
AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 that are worth another attempt."""
MAX_WAIT = 6 * 3600
"""Longest Retry-After that is honoured, in seconds."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_METADATA = ipaddress.ip_address("fd20:ce::254")
"""Google's metadata server by IPv6; by IPv4 its address is link-local."""


class Place(NamedTuple):
    """A webhook's address, parsed."""

    host: str
    """In lower case and ASCII, without brackets or a dot at its end."""
    port: int
    target: str
    """Path and query."""
    allowed: bool
    """Whether the setting `webhook_allowed_hosts` names the host, so it may be private."""

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"  # noqa: PLR2004 - the port of https


def refused(why: str) -> Permanent:
    """Return the error for an address that nothing is sent to; `why` must not quote it."""
    return Permanent("webhook_refused", f"The webhook's address {why}", "Correct the address in its secret")


def parse(url: str) -> Place:
    """Parse an address.

    Raises:
        Permanent: nothing may be sent there. The message does not quote the address, which is a secret.
    """
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    if len(url) > MAX_URL:
        raise refused("is too long")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise refused("is malformed") from None
    if parts.scheme != "https":
        raise refused("is not https")
    if parts.auth is not None or not parts.host:
        raise refused("names a user, or no host")
    host = parts.host.strip("[]").removesuffix(".")
    allowed = host in {name.lower().rstrip(".") for name in settings().webhook_allowed_hosts}
    port = 443 if parts.port is None else parts.port
    if port not in PORTS and not allowed:
        raise refused("names a port other than 443 and 8443")
    return Place(host, port, parts.request_uri, allowed)


def is_public(text: str) -> bool:
    """Return whether an IP address is reachable from all of the internet."""
    address = _unwrapped(text)
    if isinstance(address, ipaddress.IPv6Address) and (address not in _GLOBAL_UNICAST or address.sixtofour):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _is_inside(text: str) -> bool:
    """Return whether an allowed host may have this address: private, but not a metadata server's."""
    address = _unwrapped(text)
    elsewhere = address.is_link_local or address.is_multicast or address.is_unspecified
    return not (elsewhere or address == _METADATA)


def _unwrapped(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver; return no address if it knows none."""
    try:
        results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(result[4][0]) for result in results))


def addresses(place: Place, resolve: Resolver) -> list[str]:
    """Look a host up once, and return its addresses if something may be sent to every one of them.

    Raises:
        Permanent: an address is not allowed.
        Unanswered: the host has no address now.
    """
    resolved = resolve(place.host, place.port)
    if not resolved:
        raise Unanswered("The webhook's host could not be looked up")
    if not all(map(_is_inside if place.allowed else is_public, resolved)):
        raise refused("leads to an address that is not public")
    return resolved


def send(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float) -> None:
    """Send a body by POST, and return if the receiver accepted it.

    Raises:
        Unanswered: there was no answer.
        Later: the receiver asks to try again.
        Permanent: nothing may be sent there, or the receiver rejects it, or redirects.
    """
    from urllib3.connection import HTTPSConnection

    until, place = time.monotonic() + seconds, parse(url)
    # To an address that was checked; the certificate must be the host's.
    connection = HTTPSConnection(
        addresses(place, resolve)[0], place.port, ssl_context=tls_context(), server_hostname=place.host
    )
    sent = {**headers, "host": place.authority}
    answer = post(connection, place.target, body, sent, until=until, most=MAX_ANSWER)
    status = answer.status
    if status in AGAIN or status >= 500:  # noqa: PLR2004 - the class of faults of the server
        raise Later(f"The webhook answered {status}", min(retry_after(answer), MAX_WAIT))
    if not 200 <= status < 300:  # noqa: PLR2004 - the class of success
        # A redirect is not followed: whoever runs the webhook must not choose what else is requested.
        hint = "Ask whoever runs it; the address may have moved, or been withdrawn"
        raise Permanent("webhook_declined", f"The webhook answered {status}", hint)


MAX_HEADER = 150
MAX_SECTION = 3_000
MAX_FIELD = 2_000
MAX_FIELDS = 10
MAX_CHANGES = 10
"""Listed in a message; there may be dozens."""


def as_json(digest: Digest, page: str) -> bytes:
    """Return the message for programs."""
    whole = digest.model_dump(mode="json")
    message = {name: whole[name] for name in ("id", "schedule", "window", "line", "overview")}
    message |= {"type": "headrace.digest", "html": page, "digest": whole}
    return _encoded(message)


def as_slack(digest: Digest, page: str) -> bytes:
    """Return the message for a channel of Slack."""
    line = words.clean(digest.line)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(headline(digest), MAX_HEADER)},
        {"type": "section", "text": _plain(line, MAX_SECTION)},
    ]
    if not digest.empty:
        fields = [_plain(f"{tile.name}\n{tile.value}", MAX_FIELD) for tile in outline.tiles(digest)]
        blocks.append({"type": "section", "fields": fields[:MAX_FIELDS]})
    if changes := outline.movements(digest):
        lines = [f"{change.sign} {change.sentence}" for change in changes[:MAX_CHANGES]]
        if left := len(changes) - len(lines):
            lines.append(f"and {left} more")
        blocks.append({"type": "section", "text": _plain("\n".join(lines), MAX_SECTION)})
    link = {"type": "mrkdwn", "text": f"<{escape(page, quote=False)}|Open the digest>"}
    blocks.append({"type": "section", "text": link})
    return _encoded({"text": _cut(line, MAX_SECTION), "blocks": blocks})


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _cut(text: str, most: int) -> str:
    """Escape `&<>`, which would begin links and calls, and shorten; Slack refuses an empty text."""
    text = text.strip() or "(nothing)"
    if len(escaped := escape(text, quote=False)) <= most:
        return escaped
    text = text[: most - 1]
    while len(escaped := escape(text, quote=False)) > most - 1:
        text = text[:-1]
    return f"{escaped}…"


def _encoded(message: dict[str, Any]) -> bytes:
    # Firestore keeps no order of keys; a message that is sent again is the same.
    text = json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")
