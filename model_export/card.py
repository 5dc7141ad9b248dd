"""The model's card: what it is, what it was made from, how good it is, and what it should not be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.inference.manifest import Manifest

_TEXT = """\
# {name}

One pass over a text of up to {window} word pieces gives a sentence embedding ({dimensions} numbers, unit
length), the European sustainability-reporting (ESRS) topics it speaks of, whether an action in it is
implemented or planned, and its sentiment.

- File: `model.onnx`, {megabytes:.1f} MB, {precision}, SHA-256 `{digest}`
- Inputs: `input_ids`, `attention_mask`, int64 (batch, seq)
- Outputs: `embedding` ({dimensions}), `topic` ({topics}), `action` ({actions}), `sentiment` ({sentiments})
- A topic counts from its own threshold: {thresholds}

## Measured when it was built

{metrics}

`reference_…` compares the graph in float with the publisher's pipeline, `int8_…` the quantised graph with
the one in float; `heldout_…` are F1 scores of the heads on sentences written for this project that no
training saw. They are harder and fewer than ordinary report prose.

## Trained on

{sources}

Sentences used: {sentences}.

## Limits

English only. It reads a passage by itself: irony, and news that is bad only in context, escape it. A company
may write more cheerfully than it acts; the model reads the prose. Not a basis for decisions about persons.
"""


def model_card(manifest: Manifest, heads: dict[str, Any]) -> str:
    """Markdown from the manifest and `heads.json`."""
    thresholds = zip(manifest.topics, manifest.thresholds, strict=True)
    return _TEXT.format(
        name=manifest.name,
        window=manifest.window,
        dimensions=manifest.dimensions,
        megabytes=manifest.model.size / 1e6,
        precision=manifest.precision,
        digest=manifest.digest,
        topics=", ".join(manifest.topics),
        actions=", ".join(manifest.actions),
        sentiments=", ".join(manifest.sentiments),
        thresholds=", ".join(f"{name} {value:.2f}" for name, value in thresholds),
        metrics="\n".join(f"- {name}: {value}" for name, value in manifest.metrics.items()),
        sources="\n".join(
            f"- {s.name} ({s.revision[:12]}): {s.use}. Licence: {s.licence}" for s in manifest.sources
        ),
        sentences=", ".join(f"{name} {count:,}" for name, count in heads["sentences"].items()),
    )
