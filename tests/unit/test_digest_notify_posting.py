"""Sending to webhooks over real TLS, to servers that misbehave."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.digests.exchange import Later, Unanswered
from shared.digests.notify import webhooks
from shared.platform.errors import Permanent
from shared.platform.settings import settings
from tests.misbehaving import Authority, HttpServer, authority, reply, serving

HOST = "hooks.inside.example"
OTHER = "other.inside.example"
SECONDS = 5.0


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("known"), HOST, OTHER)


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch, known: Authority) -> Iterator[None]:
    """Two hosts may be at loopback, and the authority is known."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    monkeypatch.setenv("HEADRACE_WEBHOOK_ALLOWED_HOSTS", f'["{HOST}", "{OTHER}"]')
    monkeypatch.setenv("HEADRACE_CA_FILE", str(known.ca))
    settings.cache_clear()
    yield
    settings.cache_clear()


def here(*_: object) -> list[str]:
    """Every host is this machine."""
    return ["127.0.0.1"]


def send(
    server: HttpServer, resolve: Callable[[str, int], list[str]] = here, seconds: float = SECONDS
) -> None:
    url = f"https://{HOST}:{server.port}/hook?key=1"
    headers = {"content-type": "application/json", "headrace-delivery": "weekly-0"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webhooks, "resolve", resolve)
        webhooks.send(url, b'{"a":1}', headers, seconds=seconds)


def test_a_message_arrives_by_its_name_at_the_address_that_was_checked(known: Authority) -> None:
    """One lookup: a resolver that turns to another address the second time is not asked a second time."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    with serving(HttpServer(reply(204, b""), known.context())) as server:
        send(server, lambda *_: answers.pop(0))
        assert answers == [["169.254.169.254"]]
        (heard,) = server.heard
        assert server.named == [HOST]
    assert heard.target == "/hook?key=1"
    assert heard.body == b'{"a":1}'
    assert heard.headers["host"] == f"{HOST}:{server.port}"
    assert heard.headers["headrace-delivery"] == "weekly-0"
    assert heard.headers["content-type"] == "application/json"


def test_one_address_is_posted_to(known: Authority) -> None:
    """It may have been taken, though what came back is no answer: each would post it once more."""
    with serving(HttpServer(b"no answer\r\n\r\n", known.context())) as server:
        with pytest.raises(Unanswered):
            send(server, lambda *_: ["127.0.0.1"] * 3)
        assert len(server.heard) == 1


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    """The address was allowed, but whoever sits there is not the host."""
    stranger = authority(tmp_path, "elsewhere.example")
    with (
        pytest.MonkeyPatch.context() as patch,
        serving(HttpServer(reply(), stranger.context())) as server,
    ):
        patch.setenv("HEADRACE_CA_FILE", str(stranger.ca))
        settings.cache_clear()
        with pytest.raises(Unanswered, match="SSL"):
            send(server)
        assert server.heard == []


def test_an_authority_that_nobody_knows_is_refused(known: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only public ones are known without a setting."""
    monkeypatch.delenv("HEADRACE_CA_FILE")
    settings.cache_clear()
    with serving(HttpServer(reply(), known.context())) as server:
        with pytest.raises(Unanswered, match="SSL"):
            send(server)
        assert server.heard == []


def test_a_server_without_tls_gets_nothing() -> None:
    """Not one byte of the message."""
    with serving(HttpServer(reply())) as server:
        with pytest.raises(Unanswered):
            send(server, seconds=1.5)
        assert server.heard == []


@pytest.mark.parametrize(
    "location",
    [
        "http://hooks.inside.example/a",  # no longer encrypted
        "https://other.inside.example/a",
        "/again",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "https://localhost/a",  # resolves to this machine, and is not allowed
        "https://169.254.169.254/computeMetadata/v1/",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://user:word@other.inside.example/a",
        "https://hooks.example.com:22/a",
        "//[::1/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_is_refused(known: Authority, location: str) -> None:
    """Wherever it leads, nothing is sent there, and nothing is tried again."""
    with serving(HttpServer(reply(307, Location=location), known.context())) as server:
        with pytest.raises(Permanent, match="307") as caught:
            send(server)
        assert len(server.heard) == 1
    assert "inside.example" not in caught.value.message


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (reply(500), 0),
        (reply(503, Retry_After="120"), 120),
        (reply(429, Retry_After="999999999"), webhooks.MAX_WAIT),  # nobody waits for thirty years
        (reply(429, Retry_After="9" * 5000), 0),  # no number of seconds
        (reply(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), 0),
        (reply(408), 0),
    ],
)
def test_what_passes_is_tried_later(known: Authority, said: bytes, wait: int) -> None:
    """As long after as the receiver asks for, within bounds."""
    with serving(HttpServer(said, known.context())) as server, pytest.raises(Later) as caught:
        send(server)
    assert caught.value.wait == wait


@pytest.mark.parametrize("status", [301, 302, 303, 308, 400, 401, 403, 404, 410, 304])
def test_what_does_not_pass_is_not_tried_again(known: Authority, status: int) -> None:
    """Redirects among them."""
    said = reply(status, Location="/b")
    with serving(HttpServer(said, known.context())) as server:
        with pytest.raises(Permanent, match=str(status)):
            send(server)
        assert len(server.heard) == 1


ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        [b"HTTP/1.1 200 OK\r\n", b"X-Header: again\r\n"],  # a head without end, line by line
        [b"HTTP/1.1 200 OK\r\nX-Header: ", b"a"],  # and byte by byte
        [ENDLESS, b"a"],  # a body without end
        [b"", b""],  # nothing at all
    ],
)
def test_a_server_that_drips_is_cut_off(known: Authority, said: list[bytes]) -> None:
    """A time limit for each read would never end."""
    started = time.monotonic()
    with serving(HttpServer(said, known.context())) as server, pytest.raises(Unanswered, match="too long"):
        send(server, seconds=1.5)
    assert 0.5 < time.monotonic() - started < SECONDS


@pytest.mark.parametrize(
    "said", [None, b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]
)
def test_what_is_no_answer_is_tried_later(known: Authority, said: bytes | None) -> None:
    """Hung up, another protocol, or less than was announced."""
    with serving(HttpServer(said, known.context())) as server, pytest.raises(Unanswered):
        send(server)


def test_a_huge_answer_is_not_read(known: Authority) -> None:
    """The status says all; a hundred megabytes stay where they are."""
    said = reply(200, b"a" * 100_000_000)
    with serving(HttpServer(said, known.context())) as server:
        send(server)
        assert len(server.heard) == 1
