"""What webhooks are sent, and that Slack would take it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.digests.notify.webhooks import (
    MAX_CHANGES,
    MAX_FIELD,
    MAX_FIELDS,
    MAX_HEADER,
    MAX_SECTION,
    as_json,
    as_slack,
)
from shared.digests.records import Change, Digest, Measure
from tests.sample_digest import digest

PAGE = "https://storage.cloud.google.com/acme-results/digests/weekly/weekly-20261123.html"


def with_changes(count: int, name: str = "E1") -> Digest:
    """A digest with so many flagged changes."""
    known = digest()
    change = Change(
        against="previous", windows=1, documents=5, share=0.1, difference=0.2, p=0.01, flagged=True
    )
    measures = [
        Measure(name=f"{name}{number}", count=3, of=10, share=0.3, changes=[change])
        for number in range(count)
    ]
    return known.model_copy(update={"sentiments": measures, "topics": []})


def test_programs_get_the_digest_whole() -> None:
    """The parts that most want are beside it; the digest is there as it is stored."""
    told = digest()
    message = json.loads(as_json(told, PAGE))
    assert set(message) == {"type", "id", "schedule", "window", "line", "overview", "html", "digest"}
    assert message["type"] == "headrace.digest"
    assert message["id"] == "weekly-20261123"
    assert message["html"] == PAGE
    assert message["window"] == {"start": "2026-11-16T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
    assert Digest.model_validate(message["digest"]) == told
    turned = told.overview.model_copy(update={"rejected": dict(reversed(told.overview.rejected.items()))})
    assert as_json(told.model_copy(update={"overview": turned}), PAGE) == as_json(told, PAGE)


def check_slack(told: Digest) -> list[dict[str, object]]:
    """Within Slack's limits; its texts, escaped."""
    message = json.loads(as_slack(told, PAGE))
    assert message["text"]
    assert 1 <= len(message["blocks"]) <= 50
    texts = []
    for block in message["blocks"]:
        most = MAX_HEADER if block["type"] == "header" else MAX_SECTION
        if "text" in block:
            assert 1 <= len(block["text"]["text"]) <= most
            texts.append(block["text"])
        for field in block.get("fields", []):
            assert 1 <= len(field["text"]) <= MAX_FIELD
            texts.append(field)
        assert len(block.get("fields", [])) <= MAX_FIELDS
    for text in (text for text in texts if text["type"] == "plain_text"):
        assert "<" not in text["text"]
        assert ">" not in text["text"]
        rest = text["text"].replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert "&" not in rest
    return texts


def test_a_channel_gets_the_line_the_figures_the_changes_and_a_link() -> None:
    """In this order."""
    texts = [str(text["text"]) for text in check_slack(digest())]
    assert "3 documents" in texts[0]
    assert texts[1] == "3 documents completed, 40 passages; E1 is up."
    assert "Completed\n3" in texts
    assert "E1 climate change: 30% of passages, up from 20%" in texts[-2]
    assert texts[-1] == f"<{PAGE}|Open the digest>"


@pytest.mark.parametrize(
    "line", ["<!channel> read this", "<https://evil.example|your digest>", "R&D <b>", "&lt;!here&gt;"]
)
def test_nothing_in_a_text_is_a_link_or_a_call(line: str) -> None:
    """Slack reads `<...>` as links, people and whole channels."""
    told = digest(line=line)
    check_slack(told)
    message = json.loads(as_slack(told, PAGE))
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert message["blocks"][1]["text"]["text"] == escaped == message["text"]


def test_a_long_text_is_cut_between_characters() -> None:
    """Never in the middle of an entity."""
    (text, *_) = (one["text"] for one in check_slack(digest(line="&" * 4000))[1:])
    assert text == "&amp;" * 599 + "…"


def test_of_many_changes_some_are_listed() -> None:
    """And the message says how many more there are."""
    texts = [str(text["text"]) for text in check_slack(with_changes(MAX_CHANGES + 7))]
    assert texts[-2].endswith("and 7 more")
    assert texts[-2].count("\n") == MAX_CHANGES


@given(st.text(max_size=5000), st.text(max_size=300))
def test_whatever_a_digest_says_slack_would_take_it(line: str, name: str) -> None:
    """Within all limits, escaped, and valid JSON in UTF-8."""
    told = with_changes(3, name).model_copy(update={"line": line})
    check_slack(told)
    as_slack(told, PAGE).decode("utf-8")
