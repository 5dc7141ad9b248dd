"""The graph must compute what BERT computes, padding or not, in float and nearly so in eight bits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from model_export.assemble import embedding_graph, full_graph, mean_graph
from model_export.attend import pooling
from model_export.graph import Float16, Float32, Int8, quantise
from model_export.heads import HEAD_NAMES, load_heads
from model_export.textbook import Textbook
from shared.inference.runtime import onnxruntime
from tests.unit.tiny_bert import tiny_checkpoint, tiny_heads, tiny_scalings, tiny_trunk

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.graph import Scaling
    from model_export.heads import HeadName
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


@pytest.mark.parametrize("width", [11, 17])
@pytest.mark.parametrize("is_tuned", [True, False])
def test_every_label_attends_for_itself(checkpoint: Checkpoint, *, width: int, is_tuned: bool) -> None:
    """One pass gives the embedding and every head, padded or not, by tuned layers or the checkpoint's own."""
    heads = tiny_heads(tiny_trunk(checkpoint) if is_tuned else None)
    found = run_all(full_graph(checkpoint, Float32(), heads), ROWS, width)
    textbook = Textbook(checkpoint, heads)
    assert [values.shape[1] for values in found] == [32, 10, 3, 3, 1, 1]
    for number, ids in enumerate(ROWS):
        for values, expected in zip(found, textbook.answer(ids), strict=True):
            np.testing.assert_allclose(values[number], expected, atol=1e-4)


def test_a_label_without_a_query_reads_the_mean(checkpoint: Checkpoint) -> None:
    """So a regression on mean-pooled states is a head; and what is learnt from is what a label attends to."""
    heads = tiny_heads(tiny_trunk(checkpoint))
    parts = {name: replace(head, query=np.zeros_like(head.query)) for name, head in heads.parts.items()}
    for each in (heads, replace(heads, parts=parts)):
        graph = full_graph(checkpoint, Float32(), each)
        pooled = run(pooling(onnx.load_from_string(graph)), ROWS, 13)
        answers = run_all(graph, ROWS, 13)
        initiative = each.parts["initiative"]
        logits = pooled[:, -1] @ initiative.weight[0] + initiative.bias
        np.testing.assert_allclose(answers[-1][:, 0], 1 / (1 + np.exp(-logits)), atol=1e-5)
    mean = run(mean_graph(checkpoint, heads.trunk), ROWS, 13)
    np.testing.assert_allclose(pooled, np.repeat(mean[:, None], pooled.shape[1], axis=1), atol=1e-5)


@pytest.mark.parametrize("names", [HEAD_NAMES, HEAD_NAMES[:3]])
def test_what_is_written_is_read_again(
    checkpoint: Checkpoint, tmp_path: Path, names: tuple[HeadName, ...]
) -> None:
    """Heads and layers survive; salience and initiative may be missing."""
    for heads in (tiny_heads(tiny_trunk(checkpoint), names), tiny_heads(None, names)):
        directory = tmp_path / str(heads.trunk is None)
        directory.mkdir()
        heads.save(directory)
        again = load_heads(directory)
        assert full_graph(checkpoint, Float32(), again) == full_graph(checkpoint, Float32(), heads)
        assert again.initiative_threshold == heads.initiative_threshold


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


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_heads_in_few_bits(checkpoint: Checkpoint, precision: str) -> None:
    """Tuned layers have scalings of their own; heads stay in float."""
    trunk = tiny_trunk(checkpoint)
    heads = tiny_heads(trunk)
    small = Int8(tiny_scalings(checkpoint, trunk)) if precision == "int8" else Float16()
    exact = run_all(full_graph(checkpoint, Float32(), heads), ROWS, 11)
    found = run_all(full_graph(checkpoint, small, heads), ROWS, 11)
    assert (exact[0] * found[0]).sum(axis=1).min() > 0.98
    for left, right in zip(exact[1:], found[1:], strict=True):
        assert right.dtype == np.float32
        assert np.abs(left - right).max() < 0.25
