"""The engine's way over a GPU, here with the CPU in its place: results do not depend on the way."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_export.assemble import embedding_graph
from model_export.graph import Float16, Float32
from shared.inference import engine
from shared.inference.engine import Engine, Forward, interpret
from shared.inference.session import CPU, CUDA, open_session
from shared.platform.errors import Retryable
from tests.unit.tiny_bert import VOCABULARY, tiny_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

MODEL = Path("build/model")
needs_model = pytest.mark.skipif(not (MODEL / "manifest.json").exists(), reason="no model: run make model")
WORDS = ("water", "use", "fell", "in", "the", "plant", "two", "of", "our", "suppliers", "plan", "emissions")


class Disguised:
    """A session on the CPU that says it is on a GPU."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.bound = 0

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def io_binding(self) -> Any:
        return self._session.io_binding()

    def run_with_iobinding(self, binding: Any) -> None:
        self.bound += 1
        self._session.run_with_iobinding(binding)


class Faulty(Disguised):
    """Fails as a GPU does."""

    def __init__(self, session: Any, message: str) -> None:
        super().__init__(session)
        self._message = message

    def run_with_iobinding(self, _: Any) -> None:
        raise RuntimeError(self._message)


@pytest.fixture
def over_gpu(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine that takes the way over a GPU."""
    monkeypatch.setattr(engine, "open_session", lambda model, _: Disguised(open_session(model)))
    return Engine(MODEL)


def texts_of(count: int) -> list[str]:
    """Different texts of 3 to 40 words."""
    chance = random.Random(5)
    return [
        f"{number} " + " ".join(chance.choices(WORDS, k=chance.randint(3, 40))) for number in range(count)
    ]


@pytest.mark.parametrize("precision", [Float32(), Float16()])
def test_bound_and_plain_runs_agree_to_the_bit(precision: Float32) -> None:
    """Whatever the shape of the batch before: nothing of it is left in a buffer."""
    session = open_session(embedding_graph(tiny_checkpoint(), precision))
    plain, bound = (Forward(session, ["embedding"], bound=way) for way in (False, True))
    chance = random.Random(3)
    for rows, longest in ((1, 3), (9, 30), (2, 5), (17, 12)):
        lengths = [chance.randint(2, longest) for _ in range(rows)]
        ids = [[chance.randrange(1, VOCABULARY) for _ in range(length)] for length in lengths]
        left, right = plain(ids), bound(ids)
        assert left.shape == (rows, 32)
        assert (left == right).all()


@needs_model
def test_results_do_not_depend_on_the_way(over_gpu: Engine) -> None:
    """Over several slices: the same labels, embeddings of cosine 0.9999 at least, the same counts."""
    over_gpu._slice_texts = 40
    texts = texts_of(100)
    here, there = Engine(MODEL).run(texts), over_gpu.run(texts)
    session = over_gpu._session
    assert isinstance(session, Disguised)
    assert session.bound >= 3, "each slice has a batch of its own at least"
    assert (here.embedding * there.embedding).sum(axis=1).min() >= 0.9999
    assert (here.tokens == there.tokens).all()
    for row in range(len(texts)):
        left, right = (interpret(over_gpu.manifest, outputs, row) for outputs in (here, there))
        assert left.sentiment.label == right.sentiment.label
        assert left.action.label == right.action.label
        assert [topic.name for topic in left.topics] == [topic.name for topic in right.topics]


@needs_model
def test_word_pieces_of_the_next_slice_are_made_while_one_is_computed(over_gpu: Engine) -> None:
    """The first slice's batches end only once the second slice has been encoded."""
    over_gpu._slice_texts = 2
    encoded, second = iter(range(1, 3)), threading.Event()
    tokenizer, forward = over_gpu._tokenizer, over_gpu._forward
    waited: list[bool] = []

    class Watched:
        def encode_batch_fast(self, texts: list[str]) -> Any:
            if next(encoded) == 2:
                second.set()
            return tokenizer.encode_batch_fast(texts)

    def slow(ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        waited.append(second.wait(timeout=10))
        return forward(ids)

    over_gpu._tokenizer, over_gpu._forward = Watched(), slow  # type: ignore[assignment]
    assert len(over_gpu.run(texts_of(4))) == 4
    assert waited
    assert all(waited)


@needs_model
def test_a_failed_batch_ends_the_call_and_leaves_the_engine_usable(over_gpu: Engine) -> None:
    """What was not begun is not begun, and the next call is answered."""
    over_gpu._slice_texts = 1
    forward, calls = over_gpu._forward, []

    def failing(ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        calls.append(len(ids))
        raise ValueError("no")

    over_gpu._forward = failing  # type: ignore[assignment]
    with pytest.raises(ValueError, match="no"):
        over_gpu.run(texts_of(50))
    over_gpu._forward = forward
    assert len(over_gpu.run(texts_of(3))) == 3
    assert len(calls) <= 2, "one slice ahead at most"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", Retryable),
        ("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0", Retryable),
        ("Got invalid dimensions for input: input_ids", RuntimeError),  # the batch's fault, not the GPU's
    ],
)
def test_a_gpus_fault_is_for_another_process(message: str, kind: type[Exception]) -> None:
    """It is no failure of the batch, which must not be given up for it."""
    session = Faulty(open_session(embedding_graph(tiny_checkpoint(), Float32())), message)
    with pytest.raises(kind, match=message[:12]):
        Forward(session, ["embedding"], bound=True)([[2, 3]])
