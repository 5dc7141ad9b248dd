"""The graph must compute what BERT computes, padding or not, in float and nearly so in eight bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest

from model_export.assemble import embedding_graph, full_graph
from model_export.heads import Branch, BranchCard, Head, HeadName, Heads
from model_export.precision import Float32, Int8, Range, quantise
from model_export.sources import Checkpoint, Config
from model_export.textbook import Textbook
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WIDTH, HEADS, LAYERS, INNER, VOCABULARY, PLACES = 32, 4, 2, 64, 50, 40


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """A tiny BERT with random weights."""
    random = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part, (rows, columns) in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }.items():
            shapes |= {f"{layer}.{part}.weight": (rows, columns), f"{layer}.{part}.bias": (rows,)}
        for part in ("attention.output", "output"):
            shapes |= {
                f"{layer}.{part}.LayerNorm.weight": (WIDTH,),
                f"{layer}.{part}.LayerNorm.bias": (WIDTH,),
            }
    return Checkpoint(
        config=Config(
            hidden_size=WIDTH,
            num_attention_heads=HEADS,
            num_hidden_layers=LAYERS,
            layer_norm_eps=1e-12,
            max_position_embeddings=PLACES,
        ),
        tensors={name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()},
        tokenizer=b"",
        source=Source(name="random", revision="0", licence="none", use="test"),
    )


def run(graph: bytes, rows: list[list[int]], width: int) -> Floats:
    """The embeddings of rows padded to `width`."""
    return run_all(graph, rows, width)[0]


def run_all(graph: bytes, rows: list[list[int]], width: int) -> list[Floats]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, 1
    result: list[Floats] = session.run(None, {"input_ids": ids, "attention_mask": mask})
    return result


ROWS = [[3, 9, 4, 1], [7] * 11, [5], [2, 8, 6, 40, 41, 42, 3, 2]]


def wide_ranges() -> dict[str, Range]:
    """Ranges that hold every activation of the tiny encoder."""
    ranges = {"embeddings": WIDTH}
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        ranges |= {f"{layer}.attention.self": WIDTH, f"{layer}.attention.output": WIDTH}
        ranges |= {f"{layer}.intermediate": INNER, f"{layer}.output": WIDTH}
    return {
        name: Range(np.full(size, -5, np.float32), np.full(size, 8, np.float32))
        for name, size in ranges.items()
    }


@pytest.mark.parametrize("width", [11, 17])
def test_float_graph_is_bert(checkpoint: Checkpoint, width: int) -> None:
    """Each row of a padded batch is what the textbook gives for the text alone."""
    found = run(embedding_graph(checkpoint, Float32()), ROWS, width)
    textbook = Textbook(checkpoint)
    for row, ids in zip(found, ROWS, strict=True):
        np.testing.assert_allclose(row, textbook.answer(ids)[0], atol=1e-5)


def branch(checkpoint: Checkpoint, name: str, fork: int, heads: tuple[HeadName, ...], source: str) -> Branch:
    """The layers above `fork`, changed at random."""
    random = np.random.default_rng(len(name))
    tensors = {
        path: value + random.normal(0, 0.1, value.shape).astype(np.float32)
        for path, value in checkpoint.tensors.items()
        if path.startswith("encoder.layer.") and int(path.split(".")[2]) >= fork
    }
    card = BranchCard.model_validate(
        {"name": name, "fork": fork, "layers": LAYERS - fork, "heads": heads, "input": source}
    )
    return Branch(card, tensors)


def heads_with(*branches: Branch) -> Heads:
    """Random heads of the right widths on `branches`, or on the embedding."""
    random = np.random.default_rng(3)

    def head(name: HeadName, labels: int) -> Head:
        joined = any(name in b.card.heads and b.card.input == "embedding+branch" for b in branches)
        shape = (WIDTH * (1 + joined), labels)
        return Head(random.normal(0, 3, shape).astype(np.float32), np.zeros(labels, np.float32))

    return Heads(
        head("topic", 10), head("action", 3), head("sentiment", 3), np.full(10, 0.5, np.float32), branches
    )


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


def test_eight_bits_are_close(checkpoint: Checkpoint) -> None:
    """Quantised, every embedding still points the same way."""
    exact = run(embedding_graph(checkpoint, Float32()), ROWS, 11)
    small = run(embedding_graph(checkpoint, Int8(wide_ranges())), ROWS, 11)
    assert (exact * small).sum(axis=1).min() > 0.98


def test_the_same_weights_give_the_same_bytes(checkpoint: Checkpoint) -> None:
    """A model's digest depends on what went into it alone."""
    precision = Int8(wide_ranges())
    assert embedding_graph(checkpoint, precision) == embedding_graph(checkpoint, precision)


def test_a_text_does_not_depend_on_its_batch(checkpoint: Checkpoint) -> None:
    """In eight bits too, a text has the same embedding alone and beside others."""
    graph = embedding_graph(checkpoint, Int8(wide_ranges()))
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
