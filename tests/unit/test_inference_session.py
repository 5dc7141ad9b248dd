"""A graph must run where it can, and say so where it cannot run where it was asked to."""

from __future__ import annotations

import numpy as np
import pytest
from structlog.testing import capture_logs

from model_export.assemble import embedding_graph
from model_export.graph import Float32
from shared.inference.runtime import onnxruntime
from shared.inference.session import CPU, CUDA, best_device, open_session
from shared.platform.errors import SetupError
from tests.unit.tiny_bert import tiny_checkpoint

NO_GPU = CUDA not in onnxruntime.get_available_providers()
needs_none = pytest.mark.skipif(not NO_GPU, reason="there is a GPU here, or a build for one")


@pytest.fixture(scope="module")
def graph() -> bytes:
    return embedding_graph(tiny_checkpoint(), Float32())


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a build for CUDA does, whose libraries or driver may be missing all the same."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])


def answer(session: onnxruntime.InferenceSession) -> np.ndarray:
    ids = np.array([[2, 9, 3]], np.int64)
    embedding: np.ndarray = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    return embedding


@needs_none
def test_without_a_gpu_the_cpu_answers_with_a_warning(graph: bytes) -> None:
    """The model still runs, and the log says on what and what is missing."""
    with capture_logs() as logs:
        session = open_session(graph, "cuda")
    assert (answer(session) == answer(open_session(graph))).all()
    (line,) = logs
    assert line["log_level"] == "warning"
    assert (line["wanted"], line["got"]) == ("cuda", CPU)
    assert "built without CUDA" in line["reason"]
    assert "onnxruntime-gpu" in line["hint"]


@needs_none
@pytest.mark.usefixtures("announced")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_gpu_that_is_announced_and_does_not_load_is_noticed(graph: bytes) -> None:
    """The library then opens a session on the CPU and says nothing: its providers are what tells."""
    with capture_logs() as logs:
        session = open_session(graph, "cuda")
    assert session.get_providers() == [CPU]
    assert (answer(session) == answer(open_session(graph))).all()
    (line,) = logs
    assert (line["log_level"], line["reason"]) == ("warning", "CUDA's libraries did not load")


@pytest.mark.usefixtures("announced")
def test_a_gpu_that_fails_at_the_start_is_named_in_the_log(
    graph: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the driver says is the reason in the warning, and the CPU's session is the plain one."""
    real = onnxruntime.InferenceSession

    def opened(model: bytes, options: object, *, providers: list[object], **more: object) -> object:
        if len(providers) > 1:
            raise RuntimeError("CUDA failure 35: CUDA driver version is insufficient")
        return real(model, options, providers=providers, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opened)
    with capture_logs() as logs:
        session = open_session(graph, "cuda")
    assert session.get_providers() == [CPU]
    assert [(line["log_level"], line["reason"]) for line in logs] == [
        ("warning", "CUDA failure 35: CUDA driver version is insufficient")
    ]


def test_on_the_cpu_nothing_is_said(graph: bytes) -> None:
    """The usual case is no news."""
    with capture_logs() as logs:
        open_session(graph)
    assert logs == []


def test_a_gpu_is_for_float(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bits have kernels on the CPU alone; in float a GPU is taken where there is one."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    assert best_device("int8") == "cpu"
    assert best_device("fp16") == "cuda"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    assert best_device("fp16") == "cpu"


def test_what_is_no_graph_is_refused() -> None:
    """With the version of onnxruntime, which may be too old for the graph."""
    with pytest.raises(SetupError, match=rf"onnxruntime {onnxruntime.__version__} cannot load the model"):
        open_session(b"not a graph")
