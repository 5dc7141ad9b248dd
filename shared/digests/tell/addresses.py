"""Where a webhook may be sent to: https, and nowhere inside the network that Headrace runs in.

An address is somebody's input, though it lies in a secret: with one such as https://169.254.169.254 whoever
sets a schedule up would have the function ask the machine's own metadata server. So a host's addresses are
looked up once, all of them have to be public, and the connection goes to one of these; a second lookup could
give another answer.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from shared.digests.exchange import Unanswered
from shared.platform.errors import Permanent
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

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
