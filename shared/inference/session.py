"""Open a graph: on which hardware, with how many threads, and keeping how much memory."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shared.platform.errors import SetupError
from shared.platform.logs import get_logger

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def cpu_limit(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The lesser of the processors this process may be scheduled on and its cgroup's quota, at least 1.

    Reads `cpu.max` (cgroup v2) or `cpu.cfs_quota_us` (v1) under `cgroup`; a quota of 1.5 processors counts
    as 2, since the work comes in bursts shorter than the quota's period.
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
"""Bytes of the GPU's memory for activations and weights: many times a batch's, and a third of an L4's."""
CUDA_OPTIONS = {
    "device_id": "0",  # Cloud Run gives an instance one
    "gpu_mem_limit": str(GPU_MEMORY),
    # By what is asked, not by doubling: shapes vary by a factor of fifty, and the largest comes early.
    "arena_extend_strategy": "kSameAsRequested",
}
HEAVY = frozenset({"Attention", "MatMul", "FusedMatMul", "Gemm", "MatMulIntegerToFloat"})
"""Operators that take the time: with one of them on the CPU the GPU is hardly worth having."""
_RECORD = "session.record_ep_graph_assignment_info"


def open_session(model: bytes, device: Device = "cpu", threads: int = 1) -> InferenceSession:
    """A session on `device`, or with a warning on the CPU where that device is not to be had.

    Raises:
        SetupError: this version of onnxruntime cannot run the model.
    """
    from shared.inference.runtime import onnxruntime

    on_gpu = device == "cuda" and CUDA in onnxruntime.get_available_providers()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that waits for work must not take the processor from one that has some.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Both keep the largest shape ever seen; our shapes vary by a factor of fifty.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    if on_gpu:
        # CUDA's libraries lie in packages of their own, where the loader does not look.
        onnxruntime.preload_dlls()
        options.add_session_config_entry(_RECORD, "1")
        providers = [(CUDA, CUDA_OPTIONS), CPU]
    else:
        # The graph is written as it is to run: a search for what to fuse takes time and gains none.
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
        if device == "cpu":
            return session
        if session.get_providers()[0] == CUDA:
            _report(session)
            return session
        if on_gpu:
            reason = "CUDA's libraries did not load"
    get_logger("inference").warning(
        "model runs on another device",
        wanted=device,
        got=CPU,
        reason=reason,
        hint="onnxruntime-gpu, CUDA's libraries of its major version and a driver that knows it are needed",
    )
    # Anew: what was opened beside the GPU was optimised, and would not give quite the CPU's results.
    return open_session(model, "cpu", threads)


def placement(session: InferenceSession) -> dict[str, Counter[str]]:
    """By provider, how many nodes of each operator it runs, in a session that was opened to record it."""
    placed: dict[str, Counter[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        placed.setdefault(part.ep_name, Counter()).update(node.op_type for node in part.get_nodes())
    return placed


def _report(session: InferenceSession) -> None:
    """Say what of the graph the GPU computes; what has no kernel there the CPU does."""
    placed = placement(session)
    beside = placed.get(CPU, Counter())
    log = get_logger("inference")
    write = log.warning if beside.keys() & HEAVY else log.info
    write("model on the GPU", nodes=placed.get(CUDA, Counter()).total(), on_cpu=dict(beside))


def best_device(precision: str) -> Device:
    """Where a graph of this precision runs fastest here: the kernels for eight bits are the CPU's."""
    if precision == "int8":
        return "cpu"
    from shared.inference.runtime import onnxruntime

    return "cuda" if CUDA in onnxruntime.get_available_providers() else "cpu"
