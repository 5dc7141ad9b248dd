"""Opening a graph: on which hardware, with how many threads, and keeping how much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from shared.errors import SetupError
from shared.logs import get_logger

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Device = Literal["cpu", "cuda", "tensorrt"]
_PROVIDERS: dict[Device, tuple[str, ...]] = {
    "cpu": (),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}


def open_session(model: bytes, device: Device = "cpu", threads: int = 1) -> InferenceSession:
    """A session on `device`, or with a warning on the CPU where that device is not to be had.

    Raises:
        SetupError: this version of onnxruntime cannot run the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that waits for work must not take the processor from one that has some.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Both keep the largest shape ever seen; our shapes vary by a factor of fifty.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    available = set(onnxruntime.get_available_providers())
    providers = [name for name in _PROVIDERS[device] if name in available]
    if not providers:
        # The graph is written as it is to run: a search for what to fuse takes time and gains none.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[*providers, "CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise SetupError(f"onnxruntime {onnxruntime.__version__} cannot load the model: {error}") from error
    if device != "cpu" and session.get_providers()[0] != _PROVIDERS[device][0]:
        get_logger("inference").warning(
            "model runs on another device",
            wanted=device,
            got=session.get_providers()[0],
            hint="onnxruntime-gpu with CUDA's libraries is needed for a GPU",
        )
    return session


def best_device(precision: str) -> Device:
    """Where a graph of this precision runs fastest here: the kernels for eight bits are the CPU's."""
    if precision == "int8":
        return "cpu"
    import onnxruntime

    return "cuda" if "CUDAExecutionProvider" in onnxruntime.get_available_providers() else "cpu"
