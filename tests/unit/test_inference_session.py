"""A graph must run where it can, and say so where it cannot run where it was asked to."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from structlog.testing import capture_logs

from model_export.assemble import embedding_graph
from model_export.precision import Float32
from shared.errors import SetupError
from shared.inference.session import Device, best_device, open_session
from tests.unit.tiny_bert import tiny_checkpoint

NO_GPU = "CUDAExecutionProvider" not in onnxruntime.get_available_providers()


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_without_a_gpu_the_cpu_answers_with_a_warning(device: Device) -> None:
    """The model still runs, and the log says on what and what is missing."""
    with capture_logs() as logs:
        session = open_session(embedding_graph(tiny_checkpoint(), Float32()), device)
    ids = np.array([[2, 9, 3]], np.int64)
    (embedding,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert embedding.shape == (1, 32)
    (line,) = logs
    assert line["log_level"] == "warning"
    assert (line["wanted"], line["got"]) == (device, "CPUExecutionProvider")
    assert "onnxruntime-gpu" in line["hint"]


def test_on_the_cpu_nothing_is_said() -> None:
    """The usual case is no news."""
    with capture_logs() as logs:
        open_session(embedding_graph(tiny_checkpoint(), Float32()))
    assert logs == []


def test_a_gpu_is_for_float(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bits have kernels on the CPU alone; in float a GPU is taken where there is one."""
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert best_device("int8") == "cpu"
    assert best_device("fp16") == "cuda"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert best_device("fp16") == "cpu"


def test_what_is_no_graph_is_refused() -> None:
    """With the version of onnxruntime, which may be too old for the graph."""
    with pytest.raises(SetupError, match=rf"onnxruntime {onnxruntime.__version__} cannot load the model"):
        open_session(b"not a graph")
