"""Each gate must stop a model that is not good enough, and say by which figure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export import gate
from model_export.assemble import SENTIMENTS, embedding_graph, full_graph
from model_export.gate import Candidate, GateFailed, accuracies, check
from model_export.graph import Float16, Float32, Int8, Scaling
from model_export.heads import EXCLUSIVE
from model_export.labelled import Example
from model_export.run import run_graph
from model_export.sources import MINILM, WEIGHTS
from tests.unit.tiny_bert import tiny_checkpoint, tiny_heads, tiny_scalings, tiny_texts, tiny_trunk

if TYPE_CHECKING:
    from model_export.heads import Heads
    from model_export.sources import Checkpoint

TEXTS = tiny_texts(40)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return tiny_checkpoint()


@pytest.fixture(scope="module")
def heads(checkpoint: Checkpoint) -> Heads:
    return tiny_heads(tiny_trunk(checkpoint))


@pytest.fixture(scope="module")
def candidate(checkpoint: Checkpoint, heads: Heads) -> Candidate:
    """A sound one."""
    return Candidate(
        full_graph(checkpoint, Int8(tiny_scalings(checkpoint, heads.trunk)), heads),
        "int8",
        full_graph(checkpoint, Float32(), heads),
        checkpoint,
        heads,
    )


@pytest.fixture(autouse=True)
def _tiny_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny tokenizer knows its own words alone; and its random heads are often of two minds."""
    monkeypatch.setattr(gate, "MAX_CHANGED_LABELS", 0.2)
    monkeypatch.setattr(gate, "MIN_TUNED_COSINE", -1)
    reference = TEXTS[:5], np.zeros((5, 32), np.float32)
    monkeypatch.setattr(gate, "load_reference", lambda: reference)


def test_a_sound_model_passes(candidate: Candidate) -> None:
    """Every figure is reported, the set's by head and precision."""
    examples = [
        Example(text, "set", action="none", sentiment="neutral", salience=1, initiative=False)
        for text in TEXTS
    ]
    metrics = check(candidate, examples)
    assert set(metrics) == {
        "textbook_cosine_min",
        "textbook_difference_max",
        "tuned_cosine_mean",
        "int8_cosine_mean",
        "int8_cosine_min",
        "int8_changed_labels",
        "int8_salience_difference",
        *(
            f"heldout_{head}_{precision}"
            for head in ("action", "sentiment", "salience", "initiative")
            for precision in ("fp32", "int8")
        ),
    }
    assert metrics["textbook_cosine_min"] > 0.99999


def test_a_graph_that_is_not_the_encoder(candidate: Candidate, checkpoint: Checkpoint, heads: Heads) -> None:
    """fp32 with one layer's weights changed does not match the textbook."""
    trunk = tiny_trunk(checkpoint)
    name = "encoder.layer.1.output.dense.weight"
    turned = replace(trunk, layers={**trunk.layers, name: -trunk.layers[name]})
    wrong = full_graph(checkpoint, Float32(), replace(heads, trunk=turned))
    with pytest.raises(GateFailed, match=r"fp32 does not match the reference: textbook_cosine_min 0\.\d+"):
        check(replace(candidate, exact=wrong), [])


def test_heads_that_are_not_the_trained_ones(
    candidate: Candidate, checkpoint: Checkpoint, heads: Heads
) -> None:
    """The embedding is right, but labels attend to something else."""
    parts = {name: replace(head, query=head.query[:, ::-1]) for name, head in heads.parts.items()}
    wrong = full_graph(checkpoint, Float32(), replace(heads, parts=parts))
    with pytest.raises(GateFailed, match=r"the heads do not match the reference: textbook_difference_max"):
        check(replace(candidate, exact=wrong), [])


def test_layers_that_turn_the_embedding(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was embedded before could not be found any more."""
    monkeypatch.setattr(gate, "MIN_TUNED_COSINE", 0.9999)
    with pytest.raises(GateFailed, match=r"turned the embedding too far: tuned_cosine_mean 0\.\d+"):
        check(candidate, [Example(text, "set") for text in TEXTS])


def test_vectors_of_the_publisher(checkpoint: Checkpoint) -> None:
    """For the packaged encoder the publisher's own vectors count, not the textbook alone."""
    source = checkpoint.source.model_copy(update={"sha256": MINILM.digests[WEIGHTS]})
    exact = embedding_graph(checkpoint, Float32())
    candidate = Candidate(exact, "fp32", exact, replace(checkpoint, source=source), None)
    with pytest.raises(GateFailed, match=r"fp32 does not match the reference: reference_cosine_min 0\.0000"):
        check(candidate, [])


class Coarse(Int8):
    """Eight bits of which hardly any are used."""

    def __init__(self, scalings: dict[str, Scaling]) -> None:
        super().__init__(
            {name: Scaling(s.factors, s.low * 500, s.high * 500) for name, s in scalings.items()}
        )


def test_eight_bits_that_stray(candidate: Candidate, checkpoint: Checkpoint, heads: Heads) -> None:
    """A mean cosine below the limit is named with its value."""
    coarse = full_graph(checkpoint, Coarse(tiny_scalings(checkpoint, heads.trunk)), heads)
    with pytest.raises(GateFailed, match=r"int8 strays too far from fp32: int8_cosine_mean 0\.\d+.*0\.99"):
        check(replace(candidate, graph=coarse), [])


def contrary(checkpoint: Checkpoint, heads: Heads) -> bytes:
    """Right embeddings; and the labels that exclude each other change places."""
    parts = {
        name: replace(head, weight=-head.weight, bias=-head.bias) if name in EXCLUSIVE else head
        for name, head in heads.parts.items()
    }
    return full_graph(checkpoint, Float32(), replace(heads, parts=parts))


def test_labels_that_change(candidate: Candidate, checkpoint: Checkpoint, heads: Heads) -> None:
    """Embeddings may agree and labels not: too many changed ones stop the model."""
    examples = [Example(text, "set") for text in TEXTS]
    turned = contrary(checkpoint, heads)
    with pytest.raises(GateFailed, match="int8 changes too many labels: int8_changed_labels"):
        check(replace(candidate, graph=turned), examples)


def test_salience_that_changes(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    """By how much it changes in the mean."""
    monkeypatch.setattr(gate, "MAX_SALIENCE_DIFFERENCE", 1e-6)
    with pytest.raises(GateFailed, match="int8 changes salience too much: int8_salience_difference"):
        check(candidate, [])


def test_accuracy_that_is_lost(
    candidate: Candidate, checkpoint: Checkpoint, heads: Heads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few labels change, but all of them from right to wrong: the set and the head are named."""
    monkeypatch.setattr(gate, "MAX_CHANGED_LABELS", 1.0)
    exact = run_graph(candidate.exact, candidate.checkpoint.tokenizer, TEXTS)
    examples = [
        Example(text, "set", sentiment=SENTIMENTS[int(row.argmax())])
        for text, row in zip(TEXTS, exact[3], strict=True)
    ]
    turned = contrary(checkpoint, heads)
    with pytest.raises(GateFailed, match=r"loses too much accuracy of sentiment \(1\.0000\)"):
        check(replace(candidate, graph=turned), examples)


def test_one_text_of_a_small_set_may_change(candidate: Candidate, heads: Heads) -> None:
    """Where one text is more than a point, one may be lost, and no more."""
    examples = [Example("w1", "set", action="none") for _ in range(20)]
    right = np.tile(np.array([0, 0, 1], np.float32), (20, 1))

    def outputs(wrong: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        action = right.copy()
        action[:wrong] = [1, 0, 0]
        rest = [np.zeros((20, columns), np.float32) for columns in (32, 10, 1, 1)]
        return [*rest[:2], action, right, *rest[2:]]

    gate.check_accuracy(candidate, heads, examples, (outputs(0), outputs(1)))
    with pytest.raises(GateFailed, match=r"heldout_action_int8 0\.90000, the limit is 0\.95000"):
        gate.check_accuracy(candidate, heads, examples, (outputs(0), outputs(2)))


def test_half_precision_passes_without_heads(checkpoint: Checkpoint) -> None:
    """A model that only embeds is compared by its embeddings alone."""
    exact = embedding_graph(checkpoint, Float32())
    candidate = Candidate(embedding_graph(checkpoint, Float16()), "fp16", exact, checkpoint, None)
    metrics = check(candidate, [Example(TEXTS[0], "set", action="none")])
    assert metrics["fp16_cosine_mean"] > 0.9999
    assert not any(name.startswith("heldout") for name in metrics)


def test_open_topics_do_not_count() -> None:
    """F1 is over the topics that a text judges; two right, one missed, one wrongly named."""
    examples = [
        Example("a", "set", topics={"E1": True, "E2": False, "S1": True}),
        Example("b", "set", topics={"E1": True, "G1": False}),
        Example("c", "set"),
    ]
    topic = np.zeros((3, 10), np.float32)
    topic[0, [0, 2, 5]] = 1  # E1 rightly, E3 unjudged, S1 rightly
    topic[1, 9] = 1  # G1 wrongly, E1 missed
    rest = np.zeros((3, 3), np.float32)
    found = accuracies([rest, topic, *[rest] * 4], tiny_heads(), examples)
    assert found == {"topic": (2 * 2 / (2 * 2 + 1 + 1), 2)}


def test_topics_of_another_taxonomy() -> None:
    """Columns are those of the heads; a set that is labelled by other topics judges none of them."""
    topic = np.array([[1, 0], [0, 1]], np.float32)
    rest = np.zeros((2, 3), np.float32)
    outputs, heads = [rest, topic, *[rest] * 4], replace(tiny_heads(), thresholds=np.full(2, 0.5, np.float32))
    ours = [Example("a", "set", topics={"E1": True}), Example("b", "set", topics={"pay": True})]
    assert accuracies(outputs, heads, ours[:1], ("safety", "pay")) == {}
    assert accuracies(outputs, heads, ours, ("safety", "pay")) == {"topic": (1.0, 1)}
