"""The graph must compute what BERT computes, padding or not, in float and nearly so in eight bits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from model_export.assemble import embedding_graph, full_graph
from model_export.graph import Float16, Float32, Int8, quantise
from model_export.heads import load_heads
from model_export.labelled import Example
from model_export.textbook import Textbook
from shared.inference.runtime import onnxruntime
from shared.platform.records import TOPICS
from tests.unit.tiny_bert import LAYERS, branch, heads_with, tiny_checkpoint, tiny_scalings
from training.train import card_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.graph import Scaling
    from model_export.sources import Checkpoint

    Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """A tiny BERT with random weights."""
    return tiny_checkpoint()


def run(graph: bytes, rows: list[list[int]], width: int) -> Floats:
    """The embeddings of rows padded to `width`."""
    return run_all(graph, rows, width)[0]


def run_all(graph: bytes, rows: list[list[int]], width: int) -> list[Floats]:
    options = onnxruntime.SessionOptions()
    # Without VNNI sums of eight-bit products saturate: an error of the processor's, not of the scalings.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, 1
    result: list[Floats] = session.run(None, {"input_ids": ids, "attention_mask": mask})
    return result


ROWS = [[3, 9, 4, 1], [7] * 11, [5], [2, 8, 6, 40, 41, 42, 3, 2]]


@pytest.fixture(scope="module")
def scalings(checkpoint: Checkpoint) -> dict[str, Scaling]:
    """Found on random rows, as they are for a real encoder on sentences."""
    return tiny_scalings(checkpoint)


@pytest.mark.parametrize("width", [11, 17])
def test_float_graph_is_bert(checkpoint: Checkpoint, width: int) -> None:
    """Each row of a padded batch is what the textbook gives for the text alone."""
    found = run(embedding_graph(checkpoint, Float32()), ROWS, width)
    textbook = Textbook(checkpoint)
    for row, ids in zip(found, ROWS, strict=True):
        np.testing.assert_allclose(row, textbook.answer(ids)[0], atol=1e-5)


def test_branches_answer_beside_the_embedding(checkpoint: Checkpoint) -> None:
    """One pass gives the unchanged embedding, and each head reads the branch that its card names."""
    heads = heads_with(
        branch(checkpoint, "topics", 1, ("topic", "action"), "embedding+branch"),
        branch(checkpoint, "mood", 0, ("sentiment",), "branch"),
    )
    found = run_all(full_graph(checkpoint, Float32(), heads), ROWS, 13)
    assert (found[0] == run(embedding_graph(checkpoint, Float32()), ROWS, 13)).all()
    textbook = Textbook(checkpoint, heads)
    for number, ids in enumerate(ROWS):
        for values, expected in zip(found, textbook.answer(ids), strict=True):
            np.testing.assert_allclose(values[number], expected, atol=1e-4)


def test_heads_read_single_words_too(checkpoint: Checkpoint) -> None:
    """Pieces and pairs are a text's own, whatever it is padded to; in eight bits they are the same."""
    heads = heads_with(
        branch(checkpoint, "topics", 1, ("topic", "action"), "embedding+branch+words"),
        branch(checkpoint, "mood", 1, ("sentiment",), "branch+words"),
    )
    graph = full_graph(checkpoint, Float32(), heads)
    textbook = Textbook(checkpoint, heads)
    for width in (13, 17):
        found = run_all(graph, ROWS, width)
        for number, ids in enumerate(ROWS):
            for values, expected in zip(found, textbook.answer(ids), strict=True):
                np.testing.assert_allclose(values[number], expected, atol=1e-4)
    small = onnx.load_from_string(full_graph(checkpoint, Int8(tiny_scalings(checkpoint, heads)), heads))
    tables = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in small.graph.initializer}
    assert heads.words is not None
    assert (tables["bag.pairs.table"] == heads.words.pairs).all()


def test_words_are_kept_with_the_heads(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """What is written and read again gives the same graph."""
    parts = branch(checkpoint, "all", 1, ("topic", "action", "sentiment"), "branch+words")
    halves = {name: value.astype(np.float16).astype(np.float32) for name, value in parts.tensors.items()}
    heads = heads_with(replace(parts, tensors=halves))
    heads.save(tmp_path)
    (tmp_path / "heads.json").write_text(
        card_of([Example("w1", "own", {"E1": True})], TOPICS, {}, heads.branches).model_dump_json()
    )
    assert full_graph(checkpoint, Float32(), load_heads(tmp_path)) == full_graph(checkpoint, Float32(), heads)


def test_shared_layers_are_computed_once(checkpoint: Checkpoint) -> None:
    """A branch adds its own layers to the graph and no others."""
    heads = heads_with(branch(checkpoint, "mood", 1, ("sentiment",), "branch"))
    counts = [
        sum(node.op_type == "Attention" for node in onnx.load_from_string(graph).graph.node)
        for graph in (
            embedding_graph(checkpoint, Float32()),
            full_graph(checkpoint, Float32(), heads),
        )
    ]
    assert counts == [LAYERS, LAYERS + 1]


def test_eight_bits_are_close(checkpoint: Checkpoint, scalings: dict[str, Scaling]) -> None:
    """Quantised, every embedding still points the same way."""
    exact = run(embedding_graph(checkpoint, Float32()), ROWS, 11)
    small = run(embedding_graph(checkpoint, Int8(scalings)), ROWS, 11)
    assert (exact * small).sum(axis=1).min() > 0.98


def test_the_same_weights_give_the_same_bytes(checkpoint: Checkpoint, scalings: dict[str, Scaling]) -> None:
    """A model's digest depends on what went into it alone."""
    precision = Int8(scalings)
    assert embedding_graph(checkpoint, precision) == embedding_graph(checkpoint, precision)


def test_a_text_does_not_depend_on_its_batch(checkpoint: Checkpoint, scalings: dict[str, Scaling]) -> None:
    """In eight bits too, a text has the same embedding alone and beside others."""
    graph = embedding_graph(checkpoint, Int8(scalings))
    together = run(graph, ROWS, 11)
    for row, ids in zip(together, ROWS, strict=True):
        np.testing.assert_allclose(run(graph, [ids], len(ids))[0], row, atol=1e-5)


def test_quantise_is_within_half_a_step() -> None:
    """No value moves by more than half of its channel's step, and a channel of zeros stays zero."""
    values = np.random.default_rng(1).normal(0, 3, (20, 6)).astype(np.float32)
    values[:, 2] = 0
    codes, scales = quantise(values, axis=0)
    assert codes.dtype == np.int8
    assert np.abs(codes).max() == 127
    assert (np.abs(codes * scales - values) <= scales / 2 * 1.001).all()


def test_half_precision_is_close(checkpoint: Checkpoint) -> None:
    """The graph for a GPU runs on a CPU too, where onnxruntime computes it in float, and says the same."""
    exact = run(embedding_graph(checkpoint, Float32()), ROWS, 11)
    half = run(embedding_graph(checkpoint, Float16()), ROWS, 11)
    assert half.dtype == np.float32
    assert (exact * half).sum(axis=1).min() > 0.9999


def test_branches_in_eight_bits(checkpoint: Checkpoint) -> None:
    """A branch has scalings of its own, since its weights differ from those of the shared layers."""
    heads = heads_with(branch(checkpoint, "mood", 1, ("sentiment",), "branch"))
    scalings = tiny_scalings(checkpoint, heads)
    exact = run_all(full_graph(checkpoint, Float32(), heads), ROWS, 11)
    small = run_all(full_graph(checkpoint, Int8(scalings), heads), ROWS, 11)
    assert (run(embedding_graph(checkpoint, Int8(scalings)), ROWS, 11) == small[0]).all()
    assert np.abs(exact[3] - small[3]).max() < 0.1
