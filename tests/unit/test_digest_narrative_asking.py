"""Asking a language model's server that misbehaves."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.digests import cited
from shared.digests.cited import ANSWER_TOKENS, MAX_ANSWER, MAX_ATTEMPTS, Prompt, ask
from shared.digests.records import Quote
from shared.platform.errors import HeadraceError
from shared.platform.settings import settings
from tests.misbehaving import Heard, HttpServer, Reply, reply, serving

PROMPT: Prompt[Quote] = Prompt("Rules.", "Data: ä.", [], [])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short pauses, and settings that are read anew."""
    monkeypatch.setattr(cited, "FIRST_PAUSE", 0.02)
    settings.cache_clear()
    yield
    settings.cache_clear()


def turn_on(monkeypatch: pytest.MonkeyPatch, server: HttpServer, **more: object) -> None:
    values: dict[str, object] = {
        "url": f"http://127.0.0.1:{server.port}/v1/",
        "model": "small-1",
        "max_usd": 1,
        "usd_per_million_in": 2,
        "usd_per_million_out": 8,
        "seconds": 5,
    }
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    for name, value in (values | more).items():
        monkeypatch.setenv(f"HEADRACE_NARRATIVE_{name.upper()}", str(value))
    settings.cache_clear()


def completion(content: Any, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "object": "chat.completion", "choices": [choice]} | more).encode()


def test_the_prompt_is_sent_once_and_the_answer_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules and data apart; the length of the answer is limited."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    with serving(HttpServer(reply(200, completion("said", usage=usage)))) as server:
        turn_on(monkeypatch, server)
        assert ask(PROMPT) == "said"
        (heard,) = server.heard
    assert heard.target == "/v1/chat/completions"
    assert heard.json == {
        "model": "small-1",
        "messages": [{"role": "system", "content": "Rules."}, {"role": "user", "content": "Data: ä."}],
        "max_completion_tokens": ANSWER_TOKENS,
    }
    assert "authorization" not in heard.headers
    assert heard.headers["host"] == f"127.0.0.1:{server.port}"


def test_older_servers_know_another_name_of_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that the server does not know would be none."""
    with serving(HttpServer(reply(200, completion("said")))) as server:
        turn_on(monkeypatch, server, answer_field="max_tokens")
        ask(PROMPT)
        assert server.heard[0].json["max_tokens"] == ANSWER_TOKENS
        assert "max_completion_tokens" not in server.heard[0].json


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Until it has."""

    def answer(_: Heard) -> Reply:
        return reply(200, completion("said")) if len(server.heard) == MAX_ATTEMPTS else reply(status)

    with serving(HttpServer(answer)) as server:
        turn_on(monkeypatch, server)
        assert ask(PROMPT) == "said"
        assert len(server.heard) == MAX_ATTEMPTS


@pytest.mark.parametrize("status", [429, 500])
def test_attempts_are_bounded(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Each may cost."""
    with serving(HttpServer(reply(status, b"secret words"))) as server:
        turn_on(monkeypatch, server)
        with pytest.raises(HeadraceError, match=str(status)) as caught:
            ask(PROMPT)
        assert len(server.heard) == MAX_ATTEMPTS
    assert "secret words" not in caught.value.message


def test_the_server_is_left_alone_for_as_long_as_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """If that is within the time."""
    times: list[float] = []

    def answer(_: Heard) -> Reply:
        times.append(time.monotonic())
        return reply(200, completion("said")) if len(times) > 1 else reply(429, Retry_After="1")

    with serving(HttpServer(answer)) as server:
        turn_on(monkeypatch, server)
        assert ask(PROMPT) == "said"
    assert times[1] - times[0] >= 1


def test_it_is_not_waited_for_longer_than_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor asked again before it wants to be."""
    started = time.monotonic()
    with serving(HttpServer(reply(429, Retry_After="60"))) as server:
        turn_on(monkeypatch, server)
        with pytest.raises(HeadraceError, match="429"):
            ask(PROMPT)
        assert len(server.heard) == 1
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 204])
def test_other_answers_end_it(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A redirect too: neither the key nor the quotes go to another server."""
    with serving(HttpServer(reply(200, completion("said")))) as other:
        there = f"http://127.0.0.1:{other.port}/v1/chat/completions"
        with serving(HttpServer(reply(status, completion("said"), Location=there))) as server:
            turn_on(monkeypatch, server)
            with pytest.raises(HeadraceError, match=str(status)):
                ask(PROMPT)
            assert len(server.heard) == 1
        assert other.heard == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":{}}]}',
        completion(None),  # a refusal
        completion(["parts"]),
        b"\xff\xfe",
        b"[" * 200_000,
    ],
)
def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """And not asked for again, since that would cost."""
    with serving(HttpServer(reply(200, body))) as server:
        turn_on(monkeypatch, server)
        with pytest.raises(HeadraceError, match="form"):
            ask(PROMPT)
        assert len(server.heard) == 1


def test_a_huge_answer_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends at the limit."""
    for size, fits in ((MAX_ANSWER, True), (MAX_ANSWER + 1, False), (100_000_000, False)):
        filler = size - len(completion(""))
        with serving(HttpServer(reply(200, completion("a" * filler)))) as server:
            turn_on(monkeypatch, server)
            if fits:
                assert len(ask(PROMPT)) == filler
            else:
                with pytest.raises(HeadraceError, match="too long"):
                    ask(PROMPT)


@pytest.mark.parametrize(
    "said", [[b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"], [b"HTTP/1.1 200 OK\r\n\r\n", b" "], [b"", b""], None]
)
def test_a_server_that_drips_or_hangs_up_is_left(
    monkeypatch: pytest.MonkeyPatch, said: list[bytes] | None
) -> None:
    """Within the time for all of it, and without another attempt."""
    started = time.monotonic()
    with serving(HttpServer(said)) as server:
        turn_on(monkeypatch, server, seconds=1.5)
        with pytest.raises(HeadraceError, match=r"language model's server (took too long|gave no answer)"):
            ask(PROMPT)
        assert len(server.heard) == 1
    assert time.monotonic() - started < 4


def test_a_server_that_is_not_there_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest does not wait for it."""
    with serving(HttpServer(None)) as server:
        turn_on(monkeypatch, server)
    with pytest.raises(HeadraceError, match=r"no answer \(NewConnectionError\)"):  # not that it is slow
        ask(PROMPT)
