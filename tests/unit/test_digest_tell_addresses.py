"""Where a webhook may be sent to, from how an address is spelt and from what its host leads to."""

import ipaddress
from collections.abc import Iterator

import pytest

from shared.digests.exchange import Unanswered
from shared.digests.tell.webhooks import MAX_ADDRESS, Place, addresses, is_public, parse
from shared.platform.errors import Permanent
from shared.platform.settings import settings


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`inside.example` may be private."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    monkeypatch.setenv("HEADRACE_WEBHOOK_ALLOWED_HOSTS", '["Inside.example", "10.1.2.3"]')
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://hooks.example.com/services/T0/B0/x?y=1", "hooks.example.com", 443, "/services/T0/B0/x?y=1"),
        ("https://hooks.example.com", "hooks.example.com", 443, "/"),
        ("https://HOOKS.Example.COM./a", "hooks.example.com", 443, "/a"),  # the dot of the root
        ("https://hooks.example.com:8443/a", "hooks.example.com", 8443, "/a"),
        ("https://bücher.example/ä", "xn--bcher-kva.example", 443, "/%C3%A4"),  # IDNA, and a path as UTF-8
        ("https://inside.example:9000/a", "inside.example", 9000, "/a"),  # any port where it is allowed
        ("https://1.1.1.1/a", "1.1.1.1", 443, "/a"),
        ("https://[2606:4700::1111]/a", "2606:4700::1111", 443, "/a"),
        ("https://hooks.example.com/a#part", "hooks.example.com", 443, "/a"),  # a fragment is never sent
        ("https://hooks.example.com/a%20b", "hooks.example.com", 443, "/a%20b"),  # encoded once
    ],
)
def test_an_address_is_taken_apart(url: str, host: str, port: int, target: str) -> None:
    """Host in lower case and ASCII, port, path and query."""
    place = parse(url)
    assert (place.host, place.port, place.target) == (host, port, target)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/a",  # not encrypted
        "ftp://hooks.example.com/a",
        "file:///etc/passwd",
        "hooks.example.com/a",
        "https:///a",
        "",
        "https://user@hooks.example.com/a",
        "https://user:word@hooks.example.com/a",
        "https://@hooks.example.com/a",  # an empty user is one
        "https://hooks.example.com@10.0.0.1/a",
        "https://hooks.example.com:22/a",
        "https://hooks.example.com:0/a",
        "https://hooks.example.com:99999/a",
        "https://hooks.example.com:x/a",
        "https://hooks.example.com\\@10.0.0.1/a",  # browsers and libraries disagree on the backslash
        "https://hooks.example.com/a b",
        "https://hooks.example.com/a\r\nX: y",
        "https://hooks.example.com/a\tb",  # urlsplit would drop it
        "https://hooks.\u200bexample.com/a",  # not seen
        "https://hooks..example.com/a",
        "https://hooks.example.com../a",
        "https://-/a",
        "https://[::1",
        "https://[fe80::1%25eth0]/a",
        "https://2130706433/a",  # 127.0.0.1 in one number
        "https://0x7f000001/a",
        "https://0x7f.1/a",
        "https://0177.0.0.1/a",  # octal
        "https://127.1/a",
        "https://127.0.0.1.:443.5/a",
        "https://①②⑦.1/a",  # mapped to digits
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://METADATA.google.internal./a",
        "https://metadata/a",
        f"https://hooks.example.com/{'a' * MAX_ADDRESS}",
    ],
)
def test_what_must_not_be_sent_to_is_refused_by_its_spelling(url: str) -> None:
    """And the refusal does not quote it: who knows the address may post."""
    with pytest.raises(Permanent) as caught:
        parse(url)
    assert "example" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "192.88.99.1",
        "::", "::1", "fe80::1", "fc00::1", "fd20:ce::254", "ff02::1", "fec0::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",  # mapped
        "::127.0.0.1",  # compatible, of old
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",  # NAT64
        "2002:7f00:1::", "2002:808:808::",  # 6to4
        "2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
        "192.0.0.192", "168.63.129.16", "100.100.100.200", "fd00:c1::a9fe:a9fe",  # of clouds
        "::ffff:168.63.129.16", "64:ff9b::a83f:8110",
    ],
)  # fmt: skip
def test_these_addresses_are_not_public(address: str) -> None:
    """Private, local, reserved, or a wrapping of one that is."""
    assert not is_public(ipaddress.ip_address(address))


REGISTERED = [
    "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/32", "192.0.0.171/32",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "240.0.0.0/4", "255.255.255.255/32",
    "::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32",
    "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    "5f00::/16", "fc00::/7", "fe80::/10",
]  # fmt: skip
"""IANA's registries of special-purpose addresses, of October 2025. ::ffff:0:0/96 and 64:ff9b::/96 are not
among them: what they wrap is looked at."""


@pytest.mark.parametrize("block", [*REGISTERED, "224.0.0.0/4", "ff00::/8"])
def test_special_addresses_are_not_public_whatever_python_knows(
    monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    """Its own list differs from release to release: 3.11.7 takes most of 192.0.0.0/24 for public."""
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        monkeypatch.setattr(kind, "is_global", True)
    network = ipaddress.ip_network(block)
    for one in (network[0], network[network.num_addresses // 2], network[-1]):
        assert not is_public(one)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_these_addresses_are_public(address: str) -> None:
    """Anybody could send there."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("host", "found", "may"),
    [
        ("hooks.example.com", ["1.1.1.1", "2606:4700::1111"], True),
        ("hooks.example.com", ["1.1.1.1", "127.0.0.1"], False),  # every one has to be public
        ("hooks.example.com", ["127.0.0.1"], False),
        ("hooks.example.com", ["::ffff:127.0.0.1"], False),
        ("inside.example", ["10.0.0.1"], True),
        ("inside.example", ["127.0.0.1"], True),
        ("inside.example", ["169.254.169.254"], False),  # never the metadata, whatever is allowed
        ("inside.example", ["::ffff:169.254.169.254"], False),
        ("inside.example", ["64:ff9b::a9fe:a9fe"], False),
        ("inside.example", ["fd20:ce::254"], False),
        ("inside.example", ["168.63.129.16"], False),
        ("inside.example", ["fe80::1%eth0"], False),
        ("inside.example", ["10.0.0.1", "0.0.0.0"], False),
    ],
)
def test_all_that_a_host_leads_to_is_checked(host: str, found: list[str], *, may: bool) -> None:
    """One answer of the resolver is asked for, and each address in it has to pass."""
    asked: list[str] = []

    def resolve(name: str, _: int) -> list[str]:
        asked.append(name)
        return found

    place = parse(f"https://{host}/a")
    if may:
        assert addresses(place, resolve) == found
    else:
        with pytest.raises(Permanent):
            addresses(place, resolve)
    assert asked == [host]


def test_a_private_number_is_refused_as_its_own_host() -> None:
    """Numbers need no lookup, and are checked all the same."""
    with pytest.raises(Permanent):
        addresses(parse("https://[::ffff:127.0.0.1]/a"), lambda host, _: [host])
    assert addresses(parse("https://10.1.2.3/a"), lambda host, _: [host]) == ["10.1.2.3"]  # allowed by name


@pytest.mark.parametrize("found", [[], ["nonsense"]])
def test_a_host_without_addresses_is_tried_again(found: list[str]) -> None:
    """That may pass."""
    with pytest.raises(Unanswered):
        addresses(Place("hooks.example.com", 443, "/", allowed=False), lambda *_: found)
