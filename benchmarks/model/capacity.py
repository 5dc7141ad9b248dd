"""How much of what the cores can multiply in eight bits does the model use, and what takes the rest?

The peak is measured, not looked up: products of the model's own shapes, and a larger one, by the same
library, an independent single-threaded session on every core.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.model.contestant import Contestant, ours
from benchmarks.model.stats import Samples, interleave
from shared.inference.engine import plan_batches
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE
from shared.inference.runtime import onnxruntime
from shared.inference.session import cpu_limit
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.model.contestant import Paths

SHAPES = ((256, 384, 1152), (256, 384, 1536), (256, 1536, 384), (1024, 1536, 1536))
"""Rows (tokens), inputs, outputs."""
PRODUCT_SECONDS = 0.4
ROUNDS = 5
SLICE = 200
PROFILED = 200


@dataclass(frozen=True)
class Capacity:
    """Operations a second (a multiplication and an addition are two), in units of 10^12."""

    peak: Samples
    reached: Samples
    operators: dict[str, float]
    """Share of a session's time."""
    tokenising: float
    """Share of one core's whole time for a text."""


def measure(paths: Paths, shipped: Path) -> Capacity:
    """Peak and model in turns, then a profile of the model by operator."""
    graph = onnx.load(shipped / MODEL_FILE).graph
    ids = _token_ids(shipped, paths)
    operations = token_operations(graph)
    tokens = [sum(map(len, ids[start : start + SLICE])) for start in range(0, len(ids), SLICE)]
    with Contestant(ours("ours", shipped), paths.texts) as contestant:
        contestant.seconds(0, SLICE)

        def reach(number: int) -> float:
            seconds = contestant.seconds(number * SLICE, (number + 1) * SLICE)
            return tokens[number] * operations / seconds / 1e12

        measured = interleave({"peak": lambda _: _peak(), "reached": reach}, ROUNDS)
    operators, tokenising = _profile(paths, shipped, ids)
    return Capacity(measured["peak"], measured["reached"], operators, tokenising)


def token_operations(graph: onnx.GraphProto) -> int:
    """Eight-bit operations that one token costs: two for each weight of a matrix that is multiplied by."""
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    return 2 * sum(
        int(np.prod(weight.dims))
        for weight in graph.initializer
        if weight.data_type in {TensorProto.INT8, TensorProto.UINT8}
        and len(weight.dims) == 2
        and weight.name not in tables
    )


def _peak() -> float:
    """The best rate of any shape, all cores together."""
    return max(_product_rate(*shape) for shape in SHAPES)


def _product_rate(rows: int, inputs: int, outputs: int) -> float:
    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, (inputs, outputs), np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["codes", "weight"], ["product"])],
        "product",
        [helper.make_tensor_value_info("codes", TensorProto.UINT8, [rows, inputs])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [rows, outputs])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), _single_thread())
    codes = {"codes": rng.integers(0, 256, (rows, inputs), np.uint8)}
    session.run(None, codes)

    def work(deadline: float) -> int:
        count = 0
        while time.perf_counter() < deadline:
            session.run(None, codes)
            count += 1
        return count

    cores = cpu_limit()
    with ThreadPoolExecutor(cores) as pool:
        began = time.perf_counter()
        done = sum(pool.map(work, [began + PRODUCT_SECONDS] * cores))
        return done * 2 * rows * inputs * outputs / (time.perf_counter() - began) / 1e12


def _profile(paths: Paths, shipped: Path, ids: list[list[int]]) -> tuple[dict[str, float], float]:
    options = _single_thread()
    options.enable_profiling = True
    options.profile_file_prefix = str(paths.texts.parent / "profile")
    session = onnxruntime.InferenceSession(str(shipped / MODEL_FILE), options)
    rows = ids[:PROFILED]
    began = time.perf_counter()
    for batch in plan_batches([len(row) for row in rows]):
        session.run(None, padded([rows[index] for index in batch], session))
    inference = time.perf_counter() - began
    events: list[dict[str, Any]] = json.loads(_read_and_remove(session.end_profiling()))
    spent: Counter[str] = Counter()
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    total = sum(spent.values())
    texts = json.loads(paths.texts.read_text("utf-8"))[:PROFILED]
    tokenizer = load_tokenizer((shipped / TOKENIZER_FILE).read_bytes())
    began = time.perf_counter()
    for text in texts:
        tokenizer.encode(text)
    tokenising = time.perf_counter() - began
    return {name: time / total for name, time in spent.most_common()}, tokenising / (tokenising + inference)


def padded(rows: list[list[int]], session: Any) -> dict[str, Any]:  # noqa: ANN401 - onnxruntime is untyped
    """A batch for the session's two inputs, in the type that it wants."""
    width = max(map(len, rows))
    kind = np.int32 if session.get_inputs()[0].type == "tensor(int32)" else np.int64
    ids = np.array([row + [0] * (width - len(row)) for row in rows], kind)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], kind)
    return {"input_ids": ids, "attention_mask": mask}


def _read_and_remove(name: str) -> str:
    from pathlib import Path

    path = Path(name)
    content = path.read_text("utf-8")
    path.unlink()
    return content


def _token_ids(shipped: Path, paths: Paths) -> list[list[int]]:
    tokenizer = load_tokenizer((shipped / TOKENIZER_FILE).read_bytes())
    texts = json.loads(paths.texts.read_text("utf-8"))
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def _single_thread() -> Any:  # noqa: ANN401 - onnxruntime is untyped
    """As the engine runs a graph on one of its workers."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return options
