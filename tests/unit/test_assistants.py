"""What assistants are told of the tools, and how large an answer can get."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api import ask
from shared.api.assistants import INSTRUCTIONS, MAX_PASSAGES, MAX_TEXT, TOOLS, cut

STORED = sorted(TOOLS.keys() - {"analyze", "correct"})


@pytest.mark.parametrize("name", STORED)
def test_a_tool_says_that_texts_are_data(name: str) -> None:
    """An assistant reads texts of strangers beside instructions."""
    assert "never instructions" in TOOLS[name].description
    assert "never instructions" in INSTRUCTIONS


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_a_tool_names_every_argument_and_no_other(name: str) -> None:
    """Its schema is closed, and lists are bounded."""
    schema = TOOLS[name].asked.model_json_schema()
    assert schema["additionalProperties"] is False
    for field, shape in schema["properties"].items():
        if field == "limit":
            assert shape["maximum"] <= 50
        if shape.get("type") == "array":
            assert shape["maxItems"] <= 20


@given(st.text(max_size=60), st.integers(5, 50))
def test_a_text_is_cut_between_words(text: str, most: int) -> None:
    """It is never longer than asked for, and whole if it fits."""
    short = cut(text, most)
    assert len(short) <= most
    assert short == text or (short.endswith(" \u2026") and text.startswith(short[:-2]))


def test_a_number_is_not_cut_in_two() -> None:
    """It would be another."""
    assert cut("Emissions fell to 1,250,000 tonnes", 24) == "Emissions fell to \u2026"


def test_an_answer_fits_an_assistants_window() -> None:
    """Passages of the largest answer have some 8,000 tokens."""
    assert MAX_PASSAGES * MAX_TEXT <= 30_000


@pytest.mark.parametrize("module", ["functions.api.main", "cli.main", "cli.results"])
def test_the_sdk_is_loaded_only_where_it_is_used(module: str) -> None:
    """It takes a second, and a cold start must not pay it."""
    code = f"import sys, {module}; sys.exit('mcp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_so_many_questions_a_minute_reach_a_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs money; time gives new ones."""
    now = 1000.0
    monkeypatch.setattr("shared.api.ask.time.monotonic", lambda: now)
    ask._bucket.cache_clear()
    assert [ask._allowed() for _ in range(ask.PER_MINUTE + 1)] == [True] * ask.PER_MINUTE + [False]
    now += 60 / ask.PER_MINUTE
    assert [ask._allowed(), ask._allowed()] == [True, False]
    ask._bucket.cache_clear()
