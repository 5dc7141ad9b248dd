"""Post digests to webhooks: to public addresses, over TLS, signed."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from shared.digests.exchange import Answer, Later, Unanswered, Unreached, post, tls_context
from shared.digests.forms import headline, outline, words
from shared.platform.errors import Permanent
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.digests.records import Digest

    Resolver = Callable[[str, int], list[str]]
    """The addresses of a host and port, as numbers."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = frozenset({443, 8443})
"""Of public hosts. A port names a service, and others than HTTPS's should not get to see a request."""
MAX_ADDRESS = 2_048
"""Characters."""
MAX_HOST_ADDRESSES = 32
LOOKUP_SECONDS = 10.0
METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
METADATA = frozenset(
    {
        ipaddress.ip_address("169.254.169.254"),
        ipaddress.ip_address("fd20:ce::254"),  # Google
        ipaddress.ip_address("fd00:ec2::254"),  # Amazon
        ipaddress.ip_address("192.0.0.192"),  # Oracle, as the next
        ipaddress.ip_address("fd00:c1::a9fe:a9fe"),
        ipaddress.ip_address("168.63.129.16"),  # Azure's host, in no list of special addresses
        ipaddress.ip_address("100.100.100.200"),  # Alibaba
    }
)
"""Of machines in clouds; link-local addresses are refused anyhow, the others not where a host is allowed."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
"""A name that ends so is read as an IPv4 address in one of its old spellings (WHATWG URL, 3.5)."""
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address is in the last 32 bits."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by the customers of a provider, RFC 6598
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",  # of protocols, RFC 6890
        "192.0.2.0/24",
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # relays of 6to4, RFC 7526
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo among others
        "2001:db8::/32",
        "2002::/16",  # 6to4: any IPv4 address
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""IANA's special-purpose addresses, less those outside `_GLOBAL_UNICAST`; what Python knows of them differs
from one release to the next."""


class Place(NamedTuple):
    """An address of a webhook, taken apart and found to be well formed."""

    host: str
    """In lower case and ASCII, without a dot at its end."""
    port: int
    target: str
    """Path and query."""
    allowed: bool
    """Whether the setting `webhook_allowed_hosts` names it."""

    @property
    def authority(self) -> str:
        """The value of the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"  # noqa: PLR2004 - the port of https


def refused(why: str) -> Permanent:
    """An address that nothing is sent to; `why` must not quote it."""
    return Permanent("webhook_refused", f"The webhook's address {why}", "Correct the address in its secret")


def parse(url: str) -> Place:
    """Take an address apart.

    Raises:
        Permanent: it is not one that may be sent to, as far as that can be told from its spelling.
    """
    if len(url) > MAX_ADDRESS or not all(map(_is_plain, url)):
        raise refused("is too long, or has characters that no address has")
    try:
        parts = urlsplit(url)
        named, port = parts.hostname, parts.port
    except ValueError:
        raise refused("is malformed") from None
    if parts.scheme != "https":
        raise refused("is not https")
    if "@" in parts.netloc:
        raise refused("names a user")
    if not named:
        raise refused("names no host")
    host = _host(named, bracketed="[" in parts.netloc)
    allowed = host in {one.lower().rstrip(".") for one in settings().webhook_allowed_hosts}
    port = 443 if port is None else port
    if not port or (port not in PORTS and not allowed):
        raise refused("names a port other than 443 and 8443")
    if host in METADATA_HOSTS:
        raise refused("is that of a machine's metadata")
    query = f"?{parts.query}" if parts.query else ""
    return Place(host, port, _ascii(parts.path or "/") + _ascii(query), allowed)


def _is_plain(one: str) -> bool:
    """Nothing that is not seen, and no backslash, which some readers take for a slash."""
    return one.isprintable() and not one.isspace() and one != "\\"


def _host(named: str, *, bracketed: bool) -> str:
    import idna

    if bracketed:
        try:
            return str(ipaddress.IPv6Address(named if "%" not in named else ""))
        except ValueError:
            raise refused("is malformed") from None
    try:
        host = idna.encode(named.removesuffix("."), uts46=True).decode() if not named.isascii() else named
    except idna.IDNAError:
        raise refused("has a host whose name is none") from None
    host = host.lower().removesuffix(".")
    if not _HOST.fullmatch(host):
        raise refused("has a host whose name is none")
    if _NUMBER.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise refused("has a number for a host that is no plain IPv4 address") from None
    return host


def _ascii(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="/?:@!$&'()*+,;=-._~%[]")


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could send there too."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    if address in METADATA:
        return False
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _inside(address: Address) -> bool:
    """Whether a host that is allowed by name may have the address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return _inside(address.ipv4_mapped)
        if address in _NAT64:
            return _inside(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return not (
        address in METADATA or address.is_link_local or address.is_multicast or address.is_unspecified
    )


def addresses(place: Place, resolve: Resolver) -> list[str]:
    """The host's addresses, every one of which may be sent to.

    Raises:
        Permanent: one of them may not.
        Unanswered: the host has none now.
    """
    found = resolve(place.host, place.port)[:MAX_HOST_ADDRESSES]
    may = _inside if place.allowed else is_public
    for one in found:
        try:
            address = ipaddress.ip_address(one.partition("%")[0])
        except ValueError:
            raise Unanswered("The webhook's host could not be looked up") from None
        if not may(address):
            raise refused("leads to an address that is not public")
    if not found:
        raise Unanswered("The webhook's host could not be looked up")
    return found


def resolve(host: str, port: int) -> list[str]:
    """Ask the system, which has no time limit of its own.

    Raises:
        Unanswered: it knows no such host, or does not answer.
    """
    found: list[str] = []

    def look() -> None:
        try:
            results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(str(result[4][0]) for result in results))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(LOOKUP_SECONDS)
    if looking.is_alive() or not found:
        raise Unanswered("The webhook's host could not be looked up")
    return list(found)


MAX_REDIRECTS = 3
MAX_ADDRESSES = 3
"""Of one host that are tried."""
MAX_ANSWER = 16 * 1024
"""Bytes; what a receiver says is not used."""
REDIRECTS = frozenset({301, 302, 307, 308})
"""Followed by the same POST. 303 asks for a GET, which would tell nobody anything."""
AGAIN = frozenset({408, 425, 429})
"""And everything from 500 up: these pass."""
MAX_WAIT = 6 * 3600
"""Seconds that a receiver may ask for."""


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    resolve: Resolver = resolve,
) -> None:
    """Send a body by POST, and return if the receiver took it.

    Raises:
        Unanswered: there was no answer.
        Later: the receiver asks to come again.
        Permanent: nothing may be sent there, or the receiver does not want it.
    """
    until = time.monotonic() + seconds
    place = parse(url)
    for _ in range(MAX_REDIRECTS + 1):
        answer = _post(place, body, headers, until, resolve)
        if answer.status not in REDIRECTS or "location" not in answer.headers:
            _judge(answer)
            return
        base = f"https://{place.authority}{place.target}"
        try:
            following = parse(urljoin(base, answer.headers["location"]))
        except ValueError:
            raise refused("redirects to no address") from None
        # Whoever runs a public webhook must not choose what is asked of the network inside.
        if following.allowed and not place.allowed:
            raise refused("redirects from a public host to one that is allowed to be private")
        place = following
    raise refused(f"redirects more than {MAX_REDIRECTS} times")


def _post(place: Place, body: bytes, headers: Mapping[str, str], until: float, resolve: Resolver) -> Answer:
    from urllib3.connection import HTTPSConnection

    context = tls_context()
    trouble = Unreached("The webhook's host could not be looked up")
    for address in addresses(place, resolve)[:MAX_ADDRESSES]:
        connection = HTTPSConnection(
            address,
            place.port,
            ssl_context=context,
            server_hostname=place.host,
        )
        try:
            sent = {**headers, "host": place.authority}
            return post(connection, place.target, body, sent, until=until, most=MAX_ANSWER)
        except Unreached as error:  # not where it may have the message already
            trouble = error
    raise trouble


def _judge(answer: Answer) -> None:
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return
    if status in AGAIN or status >= 500:  # noqa: PLR2004 - the class of faults of the server
        asked = answer.headers.get("retry-after", "")
        wait = min(int(asked), MAX_WAIT) if re.fullmatch(r"[0-9]{1,9}", asked) else 0
        raise Later(f"The webhook answered {status}", wait)
    raise Permanent(
        "webhook_declined",
        f"The webhook answered {status}",
        "Ask whoever runs it; the address may have been withdrawn",
    )


MAX_BODY = 1024 * 1024
"""Bytes of a message; a digest that would make it larger is left out of it, and is at the link."""
MAX_HEADER = 150
MAX_SECTION = 3_000
MAX_FIELD = 2_000
MAX_FIELDS = 10
MAX_CHANGES = 10
"""Listed in a message; there may be dozens."""


def as_json(digest: Digest, html: str) -> bytes:
    """The message for programs."""
    message: dict[str, Any] = {
        "type": "headrace.digest",
        "id": digest.id,
        "schedule": digest.schedule,
        "window": digest.window.model_dump(mode="json"),
        "line": digest.line,
        "overview": digest.overview.model_dump(mode="json"),
        "html": html,
        "digest": digest.model_dump(mode="json"),
    }
    body = _encoded(message)
    for part in ("digest", "overview"):
        if len(body) > MAX_BODY:
            del message[part]
            body = _encoded(message)
    return body


def as_slack(digest: Digest, html: str) -> bytes:
    """The message for a channel of Slack."""
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
    link = {"type": "mrkdwn", "text": f"<{escape(html)}|Open the digest>"}
    blocks.append({"type": "section", "text": link})
    return _encoded({"text": _cut(line, MAX_SECTION), "blocks": blocks})


def escape(text: str) -> str:
    """As Slack asks, so that nothing in it is a link, a person or a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _cut(text: str, most: int) -> str:
    """Escaped, in so many characters, and no entity cut in two; Slack refuses an empty text."""
    escaped = escape(text.strip()) or "(nothing)"
    if len(escaped) <= most:
        return escaped
    kept = text.strip()[: most - 1]
    while len(escape(kept)) > most - 1:
        kept = kept[:-1]
    return escape(kept) + "…"


def _encoded(message: dict[str, Any]) -> bytes:
    # Firestore keeps no order of keys; a message that is sent again is the same.
    text = json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace")
