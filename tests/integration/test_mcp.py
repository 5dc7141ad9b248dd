"""An assistant asks over the Model Context Protocol, with its SDK's own client: over HTTP and over pipes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from shared.api.assistants import MAX_PASSAGES, TOOLS
from tests.integration.api_documents import BOARD, CRANE, IDS, NAMES, WATER
from tests.integration.api_server import MODEL
from tests.integration.firestore_server import PROJECT
from tests.integration.pubsub_server import ROOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.types import CallToolResult

    from tests.integration.api_server import ApiServer

MAX_TOLD = 30_000
"""Characters of all that an assistant is told of the tools before it asks anything."""
pytestmark = pytest.mark.usefixtures("stored")
FIRST = IDS[NAMES[0]]


async def over_http(stack: AsyncExitStack, api: ApiServer, **headers: str) -> Client:
    """A client of the running API."""
    given = headers or {"X-API-Key": api.keys[0]}
    http = await stack.enter_async_context(httpx2.AsyncClient(headers=given, timeout=60))
    transport = streamable_http_client(f"http://127.0.0.1:{api.port}/mcp", http_client=http)
    return await stack.enter_async_context(Client(transport))


async def over_pipes(stack: AsyncExitStack, api: ApiServer) -> Client:
    """A client of `headrace mcp`, which it starts."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from cli.main import main; main()", "mcp", "--model", str(MODEL)],
        env=os.environ
        | {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "FIRESTORE_EMULATOR_HOST": api.store_address,
            "PYTHONPATH": str(ROOT),
        },
    )
    return await stack.enter_async_context(Client(server))


def talk(
    connect: Callable[[AsyncExitStack, ApiServer], Awaitable[Client]],
    api: ApiServer,
    *calls: tuple[str, dict[str, Any]],
) -> list[CallToolResult]:
    """Call tools one after the other in one session."""

    async def session() -> list[CallToolResult]:
        async with AsyncExitStack() as stack:
            client = await connect(stack, api)
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(session())


def answer(result: CallToolResult) -> Any:
    """What a call answered; its text says the same."""
    assert not result.is_error, result.content
    [content] = result.content
    assert content.type == "text"
    assert json.loads(content.text) == result.structured_content
    return result.structured_content


def ask(api: ApiServer, tool: str, **arguments: Any) -> Any:
    """The answer to one call over HTTP."""
    [result] = talk(over_http, api, (tool, arguments))
    return answer(result)


@pytest.mark.parametrize("connect", [over_http, over_pipes])
def test_an_assistant_finds_and_cites(
    connect: Callable[[AsyncExitStack, ApiServer], Awaitable[Client]], api: ApiServer
) -> None:
    """It lists the tools, searches, and reads on; each answer names document, page and file."""

    async def session() -> None:
        async with AsyncExitStack() as stack:
            client = await connect(stack, api)
            listed = (await client.list_tools()).tools
            may_correct = connect is over_http  # with the first key, which may do everything
            assert [tool.name for tool in listed] == [
                name for name in TOOLS if name != "correct" or may_correct
            ]
            assert len(json.dumps([tool.model_dump(exclude_none=True) for tool in listed])) < MAX_TOLD
            changing = [
                tool.name for tool in listed if not (tool.annotations and tool.annotations.read_only_hint)
            ]
            assert set(changing) <= {"correct"}
            found = answer(await client.call_tool("search", {"question": "withdrawal of water"}))
            first = found["passages"][0]
            assert first["text"] == WATER
            source = first["source"]
            assert source["document"] == FIRST
            assert source["name"] == NAMES[0]
            assert source["page"] == source["passage"] + 1
            assert source["link"].endswith(f"#page={source['page']}")
            after = {"document": FIRST, "after": source["passage"], "limit": 2}
            read_on = answer(await client.call_tool("passages", after))
            assert [each["text"] for each in read_on["passages"]] == [CRANE, BOARD]
            assert read_on["more"]

    asyncio.run(session())


def test_figures_answer_a_question_with_year_and_unit(api: ApiServer) -> None:
    """As a search, and as a list; each is of a document with a page."""
    found = ask(api, "search", question="energy consumption of Marl Works in 2023", limit=1)
    [figure] = found["figures"]
    assert (figure["value"], figure["unit"], figure["period"]) == (80.5, "MWh", "2023")
    assert figure["source"]["organisation"] == "Marl Works plc"
    assert figure["source"]["page"] == 1
    first = ask(api, "figures", datapoint="E1-5.energy", limit=1)
    second = ask(api, "figures", datapoint="E1-5.energy", limit=50, cursor=first["next_cursor"])
    values = [each["value"] for page in (first, second) for each in page["figures"]]
    assert sorted(values) == [7.0, 80.5, 90.0]


def test_a_document_and_the_list_of_all(api: ApiServer) -> None:
    """The newest first, page by page; of one, the key figures."""
    shown = ask(api, "document", document=FIRST)
    assert shown["document"]["source"]["title"] == NAMES[0].title()
    assert [(each["datapoint"], each["value"]) for each in shown["key_figures"]] == [("E1-5.energy", 80.5)]
    names: list[str] = []
    cursor = None
    while True:
        page = ask(api, "documents", limit=5, cursor=cursor)
        names += [each["source"]["name"] for each in page["documents"]]
        if (cursor := page.get("next_cursor")) is None:
            break
    assert names == NAMES[::-1]


def test_documents_by_organisation_year_and_words(api: ApiServer) -> None:
    """Filters are those of the catalogue; a cursor of another list is refused by a sentence."""
    found = ask(api, "documents", organisation="marl works PLC")["documents"]
    assert [each["source"]["name"] for each in found] == [NAMES[0]]
    assert ask(api, "documents", organisation="Marl Works plc", year=1999)["documents"] == []
    assert len(ask(api, "documents", words="reports")["documents"]) == 7
    [result] = talk(over_http, api, ("documents", {"cursor": "x"}))
    assert result.is_error


def test_texts_are_analyzed(api: ApiServer) -> None:
    """As the API does, without storing anything."""
    texts = [WATER, CRANE, "Water use fell by 12% in 2024."]
    results = ask(api, "analyze", texts=texts)["results"]
    assert [(each["topics"], each["action"], each["sentiment"]) for each in results] == [
        ([topic["name"] for topic in each["topics"]], each["action"]["label"], each["sentiment"]["label"])
        for each in api.analyze(*texts).json["results"]
    ]
    assert [figure["stated"] for figure in results[2]["figures"]] == ["12%"]


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("nothing", {}, "There is no such tool; there are: search"),
        ("search", {}, "question: Field required"),
        (
            "search",
            {"question": "a", "limit": MAX_PASSAGES + 1},
            "limit: Input should be less than or equal to 20",
        ),
        ("search", {"question": "a", "secret": "x"}, "secret: Extra inputs are not permitted"),
        ("search", {"question": " "}, "q: The text is blank."),
        ("search", {"question": "a", "topic": "X9"}, "topic: must be one of E1, E2"),
        ("document", {"document": "0" * 24}, "There is no document with this id."),
        ("document", {"document": "../x"}, "document: String should match pattern"),
        ("compare", {"sides": ["Marl Works 2023"]}, "sides: List should have at least 2 items"),
        ("compare", {"sides": ["Marl", "x 2023"]}, "A side is neither the id of a document nor"),
        ("figures", {"cursor": "x"}, "cursor: String should match pattern"),
        ("analyze", {"texts": ["a"] * 21}, "texts: List should have at most 20 items"),
    ],
)
def test_a_wrong_call_is_answered_by_a_sentence(
    api: ApiServer, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    """Which the assistant can act on; what it gave is not repeated."""
    [result] = talk(over_http, api, (tool, arguments))
    assert result.is_error
    assert result.content[0].type == "text"
    assert result.content[0].text.startswith(sentence)


def test_a_key_is_needed(api: ApiServer) -> None:
    """In its own header, or as a bearer token where an assistant can send no other header."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    both = {"Accept": "application/json, text/event-stream"}
    for wrong in (None, "", "wrong"):
        assert api.send("POST", "/mcp", message, X_API_Key=wrong, **both).status == 401
    bearer = {"Authorization": f"Bearer {api.keys[1]}"}
    assert api.send("POST", "/mcp", message, X_API_Key=None, **both, **bearer).status == 200
    assert api.send("POST", "/mcp", message, X_API_Key="wrong", **both, **bearer).status == 401


def test_no_stream_is_kept_open(api: ApiServer) -> None:
    """A function answers and is done; there is no session to end either."""
    for method in ("GET", "DELETE", "PUT"):
        answered = api.send(method, "/mcp", Accept="text/event-stream")
        assert answered.status == 405
        assert answered.headers["Allow"] == "POST"


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"null", b'{"jsonrpc": "2.0"}', b"[]"])
def test_what_is_no_message_is_refused(api: ApiServer, body: bytes) -> None:
    """Without an internal error, and without a word of it in the log."""
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    answered = api.send("POST", "/mcp", body, **headers)
    assert answered.status == 400, answered.body
    assert answered.headers["Cache-Control"] == "no-store"


def test_a_body_that_is_too_large_is_refused(api: ApiServer) -> None:
    """As everywhere in the API."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "a" * 2_000_000}}
    assert api.send("POST", "/mcp", message, Accept="application/json").status == 413


def test_a_call_is_logged_without_what_it_asks(api: ApiServer) -> None:
    """The tool and the time that it took."""
    ask(api, "search", question="zanzibar forty-two")
    lines = api.logged()
    assert [line for line in lines if line["message"] == "tool called"][-1]["tool"] == "search"
    assert "zanzibar" not in api.log.read_text()
