"""Open a graph: on which hardware, with how many threads, and keeping how much memory."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions


def cpu_limit(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the processors that this process may use, at least 1: libraries ask the host for too many.

    This is the lesser of its scheduling affinity and its cgroup's quota, `cpu.max` (v2) or `cpu.cfs_quota_us`
    (v1); a quota of 1.5 processors counts as 2, since the work comes in bursts shorter than the quota's
    period.
    """
    usable = len(os.sched_getaffinity(0))
    quota = _quota_v2(cgroup) or _quota_v1(cgroup)
    return usable if quota is None else max(1, min(usable, math.ceil(quota)))


def _quota_v2(cgroup: Path) -> float | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(cgroup: Path) -> float | None:
    try:
        quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 else None


Device = Literal["cpu", "cuda"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
GPU_MEMORY = 8 * 1024**3
"""GPU memory for activations and weights: many times a batch's, and a third of an L4's."""
CUDA_OPTIONS = {
    "device_id": "0",  # Cloud Run gives an instance one
    "gpu_mem_limit": str(GPU_MEMORY),
    # By what is asked, not by doubling: shapes vary by a factor of fifty, and the largest comes early.
    "arena_extend_strategy": "kSameAsRequested",
}


def session_options(threads: int) -> SessionOptions:
    """Return options for so many threads, with memory that does not grow to the largest input ever seen."""
    from shared.inference.runtime import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that waits for work must not take the processor from one that has some.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Arena and pattern keep the largest shape ever seen; our shapes vary by a factor of fifty.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def open_session(model: bytes, device: Device = "cpu", threads: int = 1) -> InferenceSession:
    """Open a session on `device`, or on the CPU, with a warning, if the device is not available.

    Raises:
        SetupError: this version of onnxruntime cannot run the model.
    """
    from shared.inference.runtime import onnxruntime

    on_gpu = device == "cuda" and CUDA in onnxruntime.get_available_providers()
    options = session_options(threads)
    if on_gpu:
        # CUDA's libraries are in packages of their own, where the loader does not look.
        onnxruntime.preload_dlls()
        providers = [(CUDA, CUDA_OPTIONS), CPU]
    else:
        # The graph is exported already fused: optimizing it again takes time and gains none.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        providers = [CPU]
    reason = "this onnxruntime was built without CUDA"
    try:
        # Its own fallback prints and goes on, at the start and in the middle of a run.
        session = onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        if not on_gpu:
            version = onnxruntime.__version__
            raise SetupError(f"onnxruntime {version} cannot load the model: {error}") from error
        reason = str(error)
    else:
        # Kept for changing providers, which nobody does: 25 MB.
        session._model_bytes = None  # noqa: SLF001
        if device == "cpu" or session.get_providers()[0] == CUDA:
            return session
        if on_gpu:
            reason = "CUDA's libraries did not load"
    from shared.platform.logs import get_logger  # here: it takes a fifth of the time to start, and is rare

    get_logger("inference").warning(
        "model runs on another device",
        wanted=device,
        got=CPU,
        reason=reason,
        hint="onnxruntime-gpu, CUDA's libraries of its major version and a driver that knows it are needed",
    )
    # Open it again: the graph optimized for the GPU would not give quite the CPU's results.
    return open_session(model, "cpu", threads)


def best_device(precision: str) -> Device:
    """Return the fastest device for a graph of this precision: kernels for int8 exist on the CPU."""
    if precision == "int8":
        return "cpu"
    from shared.inference.runtime import onnxruntime

    return "cuda" if CUDA in onnxruntime.get_available_providers() else "cpu"
