"""Where a webhook may be sent to, from how an address is spelt and from what its host leads to."""

from collections.abc import Iterator

import pytest

from shared.digests.exchange import Unanswered
from shared.digests.notify.webhooks import MAX_URL, Place, addresses, is_public, parse, resolve
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
        ("https://hooks.example.com/a b\r\nX: y", "hooks.example.com", 443, "/a%20b%0D%0AX:%20y"),
        ("https://hooks.example.com\\@10.0.0.1/a", "hooks.example.com", 443, "/%5C@10.0.0.1/a"),
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
        "https://hooks.example.com@10.0.0.1/a",
        "https://hooks.example.com:22/a",
        "https://hooks.example.com:0/a",
        "https://hooks.example.com:99999/a",
        "https://hooks.example.com:x/a",
        "https://hooks.\u200bexample.com/a",  # not seen
        "https://[::1",
        "https://①②⑦.1/a",  # mapped to digits
        f"https://hooks.example.com/{'a' * MAX_URL}",
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
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd20:ce::254", "ff02::1", "fec0::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",  # mapped
        "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1",  # other wrappings
        "2001:db8::1", "100::1", "5f00::1",
    ],
)  # fmt: skip
def test_these_addresses_are_not_public(address: str) -> None:
    """Private, local, reserved, or a wrapping of one that is."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_these_addresses_are_public(address: str) -> None:
    """Anybody could send there."""
    assert is_public(address)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "localhost"])
def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    """The addresses that the system reads out of a name are checked, not the name."""
    with pytest.raises(Permanent, match="not public"):
        addresses(parse(f"https://{host}/a"), resolve)


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
        ("inside.example", ["fd20:ce::254"], False),
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


def test_a_host_without_addresses_is_tried_again() -> None:
    """It may have some later."""
    with pytest.raises(Unanswered):
        addresses(Place("hooks.example.com", 443, "/", allowed=False), lambda *_: [])
    with pytest.raises(Unanswered):
        addresses(parse("https://hooks..example.com/a"), resolve)
