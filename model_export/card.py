"""The model's card: what it is, what it was made from, how good it is, and what it should not be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_export.speed import TOKENS_PER_SECOND

if TYPE_CHECKING:
    from model_export.heads import Card
    from shared.inference.manifest import Manifest

_TEXT = """\
# {name}

One pass over a text of up to {window} word pieces gives {what}.

- File: `model.onnx`, {megabytes:.1f} MB, {precision}, SHA-256 `{digest}`
- Inputs: `input_ids`, `attention_mask`, int64 (batch, seq)
- Outputs: {outputs}

## Measured when it was built

{metrics}

`reference_…` compares the graph in float with the publisher's pipeline, `textbook_…` with a plain
implementation, heads included; `int8_…` and `fp16_…` compare the quantised graph with the one in float. The
rest is accuracy by evaluation set, head and precision: micro-F1 of topics, the share of right labels of
action and sentiment. `heldout` are sentences written for this project that no training saw; they are harder
and fewer than ordinary report prose.

## Made from

{sources}
{trained}
## Limits

English only, unless its publisher says otherwise. It reads a passage by itself: irony, and news that is bad
only in context, escape it. A company may write more cheerfully than it acts; the model reads the prose. Not a
basis for decisions about persons.
"""


def model_card(manifest: Manifest, heads: Card | None) -> str:
    """Markdown from the manifest and, where there are heads, `heads.json`."""
    what = f"a sentence embedding ({manifest.dimensions} numbers, unit length)"
    outputs = f"`embedding` ({manifest.dimensions})"
    trained = ""
    if heads:
        what += (
            ", the European sustainability-reporting (ESRS) topics it speaks of, whether an action in it is "
            "implemented or planned, and its sentiment"
        )
        for name in ("topics", "actions", "sentiments"):
            outputs += f", `{name.removesuffix('s')}` ({', '.join(getattr(manifest, name))})"
        thresholds = zip(manifest.topics, manifest.thresholds, strict=True)
        outputs += "\n- A topic counts from its own threshold: "
        outputs += ", ".join(f"{name} {value:.2f}" for name, value in thresholds)
        counts = ", ".join(f"{name} {count:,}" for name, count in heads.sentences.items())
        trained = f"\nSentences trained on: {counts}.\n"
    return _TEXT.format(
        name=manifest.name,
        window=manifest.window,
        what=what,
        megabytes=manifest.model.size / 1e6,
        precision=manifest.precision,
        digest=manifest.digest,
        outputs=outputs,
        # Not the speed, which says more of the machine that built it.
        metrics="\n".join(
            f"- {name}: {value}" for name, value in manifest.metrics.items() if name != TOKENS_PER_SECOND
        ),
        sources="\n".join(
            f"- {s.name} ({s.revision[:12]}): {s.use}. Licence: {s.licence}" for s in manifest.sources
        ),
        trained=trained,
    )
