"""The built model, loaded as the functions load it, must answer rightly whatever comes in and however."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from shared.inference.engine import Engine, Outputs, interpret
from shared.inference.tokens import counter
from shared.platform.errors import SetupError
from shared.text.directions import corrected

MODEL = Path("build/model")
pytestmark = pytest.mark.skipif(not (MODEL / "manifest.json").exists(), reason="no model: run make model")

TEXTS = [
    "Water use fell by a third.",
    "Two contractors died at the site.",
    "By 2030 all vans will be electric.",
    "Table of contents",
    "A long sentence about a mill, its wheel, its race and the people who keep all three in order. " * 3,
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(MODEL)


def assert_same(left: Outputs, right: Outputs, *, atol: float) -> None:
    for name in ("embedding", "topics", "action", "sentiment", "salience", "initiative"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), atol=atol, err_msg=name)


def test_shapes_and_ranges(engine: Engine) -> None:
    """One row a text; embeddings of unit length, probabilities that are ones."""
    outputs = engine.run(TEXTS)
    assert len(outputs) == len(TEXTS)
    assert outputs.embedding.shape == (5, 384)
    assert outputs.embedding.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(outputs.embedding, axis=1), 1, atol=1e-5)
    assert outputs.topics.shape == (5, 10)
    assert ((outputs.topics >= 0) & (outputs.topics <= 1)).all()
    assert outputs.salience.shape == outputs.initiative.shape == (5, 1)
    assert ((outputs.salience >= 0) & (outputs.salience <= 3)).all()
    assert ((outputs.initiative >= 0) & (outputs.initiative <= 1)).all()
    for rows in (outputs.action, outputs.sentiment):
        assert rows.shape == (5, 3)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_rows_follow_the_input(engine: Engine) -> None:
    """Texts come back in the order they were given, though they run sorted by length."""
    forward, backward = engine.run(TEXTS), engine.run(TEXTS[::-1])
    assert_same(
        forward,
        Outputs(
            embedding=backward.embedding[::-1],
            topics=backward.topics[::-1],
            action=backward.action[::-1],
            sentiment=backward.sentiment[::-1],
            salience=backward.salience[::-1],
            initiative=backward.initiative[::-1],
            tokens=backward.tokens[::-1],
            truncated=backward.truncated[::-1],
        ),
        atol=1e-6,
    )


def test_equal_texts_have_equal_rows(engine: Engine) -> None:
    """A text given twice is computed once and answered twice."""
    outputs = engine.run([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert (outputs.embedding[0] == outputs.embedding[2]).all()
    assert not np.allclose(outputs.embedding[0], outputs.embedding[1], atol=1e-2)


def test_what_was_computed_before_is_not_computed_again() -> None:
    """With a cache, a second call gives the same rows and costs no worker any time."""
    engine = Engine(MODEL, cached_texts=10)
    first, second = engine.run(TEXTS), engine.run(TEXTS[::-1])
    assert first.cpu_seconds > 0
    assert second.cpu_seconds == 0
    assert (second.embedding[::-1] == first.embedding).all()
    assert (second.topics[::-1] == first.topics).all()
    assert second.tokens.tolist() == first.tokens.tolist()[::-1]


def test_without_a_cache_every_call_computes(engine: Engine) -> None:
    """Processor time is that of the call, whatever was asked before."""
    times = [engine.run(TEXTS).cpu_seconds for _ in range(2)]
    assert min(times) > 0


def test_a_long_input_goes_in_slices(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """More texts than are tokenised at once give the same rows in the same order."""
    whole = engine.run(TEXTS)
    monkeypatch.setattr("shared.inference.engine.SLICE_TEXTS", 2)
    assert_same(engine.run(TEXTS), whole, atol=1e-6)


def test_a_budget_smaller_than_a_text_still_makes_progress(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text longer than a batch may be is a batch by itself."""
    whole = engine.run(TEXTS)
    monkeypatch.setattr(engine, "_limits", (4, 0.0))
    assert_same(engine.run(TEXTS), whole, atol=1e-6)


def test_memory_does_not_keep_the_largest_shape() -> None:
    """After texts of every length, the process is hardly larger than after the first few."""
    code = """
from pathlib import Path
from shared.inference.engine import Engine
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
engine = Engine(Path("build/model"), workers=2)
engine.run([f"mill {n}" for n in range(64)])
before = resident()
for length in (254, 2, 130, 17, 250, 60, 3):
    engine.run([f"{n} " + "mill " * (length - 1) for n in range(16)])
engine.run([f"{n} " + "mill " * (n * 7 % 250) for n in range(100)])
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 25


def test_no_texts(engine: Engine) -> None:
    """Nothing in, nothing out."""
    assert engine.run([]).embedding.shape == (0, 384)


@pytest.mark.parametrize("blank", ["", "  \n\t"])
def test_an_empty_text_is_the_callers_error(engine: Engine, blank: str) -> None:
    """The offending text is named by its place."""
    with pytest.raises(ValueError, match="text 1 is empty"):
        engine.run(["fine", blank])


def test_a_long_text_is_cut_and_flagged(engine: Engine) -> None:
    """Beyond the window nothing is read, the count is of the whole, and the flag says so."""
    outputs = engine.run(["mill " * 254, "mill " * 255, "mill " * 254 + "wheel " * 9000])
    assert outputs.tokens.tolist() == [256, 257, 9256]
    assert outputs.truncated.tolist() == [False, True, True]
    np.testing.assert_allclose(outputs.embedding[2], outputs.embedding[0], atol=1e-3)


@pytest.mark.parametrize("text", ["\x00", "�￾", "🏭🌊", "水と紙のリサイクル", "a" * 5000, "-", "\u202e"])
def test_odd_texts_do_no_harm(engine: Engine, text: str) -> None:
    """Whatever the characters, the answer is finite."""
    outputs = engine.run([text])
    assert np.isfinite(outputs.embedding).all()
    assert np.isfinite(outputs.topics).all()


def test_threads_may_share_an_engine(engine: Engine) -> None:
    """Eight callers at once get what one alone gets."""
    alone = [engine.run([text]) for text in TEXTS]
    with ThreadPoolExecutor(8) as callers:
        together = list(callers.map(lambda number: engine.run([TEXTS[number % 5]]), range(80)))
    for number, outputs in enumerate(together):
        assert_same(outputs, alone[number % 5], atol=1e-6)


def test_counter_agrees_with_the_engine(engine: Engine) -> None:
    """Ingest counts, without the model, what the engine will read."""
    counts = engine.run(TEXTS).tokens.tolist()
    assert counter(MODEL / "tokenizer.json")(TEXTS) == counts


def test_a_function_that_names_its_model_gets_no_other() -> None:
    """The digest in the settings and the one of the model must agree."""
    with pytest.raises(SetupError, match="the settings name 0000"):
        Engine(MODEL, digest="0" * 64)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_an_altered_file_is_refused(tmp_path: Path, name: str) -> None:
    """One flipped bit and the model does not load."""
    copy = shutil.copytree(MODEL, tmp_path / "model")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(SetupError, match=f"{name} was altered"):
        Engine(copy)


CASES = json.loads((Path(__file__).parent.parent / "data" / "model_cases.json").read_text(encoding="utf-8"))


def marked(case: dict[str, object]) -> object:
    """A case that the model is known to get wrong says why, and fails once it gets it right."""
    text = str(case["text"])[:40]
    if "known" in case:
        return pytest.param(case, id=text, marks=pytest.mark.xfail(reason=str(case["known"]), strict=True))
    return pytest.param(case, id=text)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_what_it_says_of_plain_cases(engine: Engine, case: dict[str, object]) -> None:
    """Bad news told as plain fact is negative, plans are planned, headings are nothing."""
    reading = interpret(engine.manifest, engine.run([str(case["text"])]), 0)
    found = {
        "topics": sorted(topic.name for topic in reading.topics),
        "action": reading.action.label,
        "sentiment": corrected(reading.sentiment, str(case["text"])).label,
    }
    for name, expected in case.items():
        if name not in {"text", "known"}:
            assert found[name] == expected, found
