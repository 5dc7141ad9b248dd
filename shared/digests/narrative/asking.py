"""Ask a server that speaks OpenAI's Chat Completions, within limits of time, size and attempts."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from shared.digests.exchange import Answer, Unanswered, post, tls_context
from shared.digests.narrative.prompt import ANSWER_TOKENS
from shared.platform.clients import secret
from shared.platform.errors import HeadraceError
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from shared.digests.narrative.prompt import Prompt

MAX_ATTEMPTS = 3
FIRST_PAUSE = 1.0
"""Seconds before another attempt, doubled for the next, where the server does not say."""
MAX_ANSWER = 256 * 1024
"""Bytes."""
TOO_MANY, SERVER_ERROR, OK = 429, 500, 200


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    """The part of an answer that is read; servers add fields of their own."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


def ask(prompt: Prompt) -> str:
    """What the model answers.

    Raises:
        HeadraceError: there is no answer; the message is for the digest's readers, and quotes nothing.
    """
    until = time.monotonic() + settings().narrative_seconds
    pause = FIRST_PAUSE
    for attempt in range(1, MAX_ATTEMPTS + 1):
        answer = _post(prompt, until)
        if answer.status != TOO_MANY and answer.status < SERVER_ERROR:
            return _content(answer)
        wait = _asked(answer) or pause
        if attempt == MAX_ATTEMPTS or time.monotonic() + wait >= until:
            break
        time.sleep(wait)
        pause *= 2
    raise HeadraceError(f"the language model's server answered {answer.status}")


def _post(prompt: Prompt, until: float) -> Answer:
    known = settings()
    place = urlsplit(known.narrative_url)
    body = {
        "model": known.narrative_model,
        "messages": [
            {"role": "system", "content": prompt.rules},
            {"role": "user", "content": prompt.data},
        ],
        known.narrative_answer_field: ANSWER_TOKENS,
    }
    headers = {"content-type": "application/json", "host": place.netloc}
    if known.narrative_key:
        name, _, version = known.narrative_key.partition("/")
        headers["authorization"] = f"Bearer {secret(name, int(version)).decode().strip()}"
    target = f"{place.path.rstrip('/')}/chat/completions"
    try:
        return post(_connection(), target, json.dumps(body).encode(), headers, until=until, most=MAX_ANSWER)
    except Unanswered as error:
        why = error.message.replace("The server", "the language model's server", 1)
        raise HeadraceError(why) from None


def _connection() -> HTTPConnection:
    from urllib3.connection import HTTPConnection, HTTPSConnection

    place = urlsplit(settings().narrative_url)
    assert place.hostname is not None
    if place.scheme == "https":
        return HTTPSConnection(place.hostname, place.port, ssl_context=tls_context())
    return HTTPConnection(place.hostname, place.port)


def _asked(answer: Answer) -> float | None:
    """Seconds that the server wants to be left alone."""
    asked = answer.headers.get("retry-after", "")
    return float(asked) if re.fullmatch(r"[0-9]{1,6}", asked) else None


def _content(answer: Answer) -> str:
    if answer.status != OK:  # a redirect too: the key is for this server alone
        raise HeadraceError(f"the language model's server answered {answer.status}")
    if not answer.whole:
        raise HeadraceError("the language model's answer was too long")
    try:
        completion = _Completion.model_validate_json(answer.body)
    except ValidationError:
        raise HeadraceError("the language model's server answered in a form that is not known") from None
    if usage := completion.usage:
        get_logger("narrative").info(
            "asked", prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
        )
    return completion.choices[0].message.content
