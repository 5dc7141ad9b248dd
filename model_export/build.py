"""Weights and heads in, a verified model directory out; all of it or nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import tokenizers

from model_export import gate
from model_export.assemble import (
    ACTIONS,
    SENTIMENTS,
    embedding_graph,
    full_graph,
    initiative_threshold,
    thresholds,
    window,
)
from model_export.files import digest_of, replace_directory
from model_export.gate import Candidate
from model_export.graph import Float16, Float32, Int8
from model_export.heads import CARD_FILE, HEADS_FILE, TRUNK_FILE, load_card, load_heads, tuned
from model_export.labelled import OWN, read_labelled
from model_export.run import TOKENS_PER_SECOND, tokens_per_second
from model_export.scalings import (
    calibration_texts,
    dump_scalings,
    find_scalings,
    kept_scalings,
    parse_scalings,
)
from shared.inference.manifest import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE, File, Manifest, Source
from shared.inference.runtime import onnxruntime
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_export.graph import Precision, PrecisionName
    from model_export.heads import Card, Heads, Trunk
    from model_export.sources import Checkpoint

HEADS = Path(__file__).parent / "heads"
OWN_HEADS, OWN_TOPICS = "esrs-own-heads", "own-topics"
"""Ends of the names of models whose heads are not the repository's."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    checkpoint: Checkpoint
    heads: Heads | None
    card: Card | None
    directory: Path
    """Where the heads are, and the scalings found for them."""
    encoder: tuple[str, ...]
    """SHA-256 of all that embeddings depend on."""
    trained: tuple[str, ...]
    """SHA-256 of the files of the heads."""

    @property
    def trunk(self) -> Trunk | None:
        return self.heads.trunk if self.heads else None

    def topics(self) -> tuple[str, ...]:
        return self.card.labels.topic if self.card else ()


def build(
    checkpoint: Checkpoint,
    heads: Path | None,
    out: Path,
    precision: PrecisionName = "int8",
    report: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Write a model to `out`, in place of the old; `report` gets a line before each step.

    `heads` is a directory of trained heads; None: the model only embeds. The same weights, heads and library
    versions give the same bytes, except for the measured speed in the manifest.

    Raises:
        SetupError: the heads are missing, or not made for these weights, or a gate failed.
    """
    inputs = _load(checkpoint, heads)
    report("build the graph")
    exact = _graph(inputs, Float32())
    graph = _in_precision(precision, inputs, exact, report)
    report("check it against fp32, and fp32 against the reference")
    candidate = Candidate(graph, precision, exact, checkpoint, inputs.heads, inputs.topics())
    # Ours are labelled by our topics, of which another taxonomy may have some or none.
    metrics = gate.check(candidate, read_labelled(OWN / "heldout.jsonl"))
    speed = tokens_per_second(graph, checkpoint.tokenizer, window(checkpoint))
    manifest = _manifest(inputs, graph, precision, metrics | {TOKENS_PER_SECOND: round(speed)})
    files = {
        MODEL_FILE: graph,
        TOKENIZER_FILE: checkpoint.tokenizer,
        "MODEL_CARD.md": model_card(manifest, inputs.card).encode(),
        MANIFEST_FILE: (manifest.model_dump_json(indent=2) + "\n").encode(),
    }
    with replace_directory(out, files):
        return manifest


def _load(checkpoint: Checkpoint, directory: Path | None) -> _Inputs:
    digests = [
        str(checkpoint.source.sha256),
        _digest(checkpoint.tokenizer),
        checkpoint.config.model_dump_json(),
    ]
    if directory is None:
        return _Inputs(checkpoint, None, None, gate.REFERENCE, tuple(digests), ())
    heads, card = load_heads(directory), load_card(directory)
    width, read = checkpoint.config.hidden_size, heads.parts["topic"].weight.shape[1]
    tensors = tuned(checkpoint, heads.trunk)
    misfit = [name for name, value in checkpoint.tensors.items() if tensors[name].shape != value.shape]
    if read != width or misfit or len(tensors) != len(checkpoint.tensors):
        raise SetupError(
            f"The heads in {directory} were not made for {checkpoint.source.name}: they read {read} features "
            f"and it gives {width}, or it has other layers. Train heads for it "
            "(python -m model_export train), or build with --embedding-only."
        )
    if heads.trunk:
        digests.append(heads.trunk.digest())
    return _Inputs(checkpoint, heads, card, directory, tuple(digests), tuple(_heads_digests(directory)))


def _heads_digests(directory: Path) -> list[str]:
    """SHA-256 of each file of trained heads; the name of a file that is not there."""
    paths = [directory / name for name in (HEADS_FILE, TRUNK_FILE, CARD_FILE)]
    return [_digest(path.read_bytes()) if path.exists() else path.name for path in paths]


def _graph(inputs: _Inputs, precision: Precision) -> bytes:
    if inputs.heads is None:
        return embedding_graph(inputs.checkpoint, precision)
    return full_graph(inputs.checkpoint, precision, inputs.heads, inputs.topics())


def _in_precision(
    precision: PrecisionName, inputs: _Inputs, exact: bytes, report: Callable[[str], None]
) -> bytes:
    if precision == "fp32":
        return exact
    if precision == "fp16":
        return _graph(inputs, Float16())
    kept = kept_scalings(inputs.directory, inputs.checkpoint, inputs.trunk)
    if kept is None:
        report("find scalings")
        # Through their file format, which keeps factors in half precision.
        kept = dump_scalings(find_scalings(inputs.checkpoint, inputs.trunk, calibration_texts()), "")
    return _graph(inputs, Int8(parse_scalings(kept)))


def _manifest(inputs: _Inputs, graph: bytes, precision: PrecisionName, metrics: dict[str, float]) -> Manifest:
    checkpoint, heads, card = inputs.checkpoint, inputs.heads, inputs.card
    trained = {f"trained_heldout_{name}": value for name, value in card.heldout.items()} if card else {}
    sources = [checkpoint.source]
    if heads and card:
        sources += [
            Source(
                name="headrace heads",
                revision="1",
                licence="Apache-2.0",
                use=f"{'tuned layers, and ' if inputs.trunk else ''}heads: {', '.join(heads.parts)}",
                sha256=digest_of(*inputs.encoder, *inputs.trained),
            ),
            *card.sources,
        ]
    return Manifest(
        name=_name(checkpoint, inputs.topics(), inputs.directory if heads else None),
        digest=_digest(graph),
        space=digest_of(*inputs.encoder),
        model=_describe(graph),
        tokenizer=_describe(checkpoint.tokenizer),
        precision=precision,
        window=window(checkpoint),
        dimensions=checkpoint.config.hidden_size,
        topics=inputs.topics(),
        thresholds=thresholds(heads) if heads else (),
        sentiments=SENTIMENTS if heads else (),
        actions=ACTIONS if heads else (),
        initiative_threshold=initiative_threshold(heads) if heads else None,
        metrics=metrics | trained,
        versions={
            "numpy": np.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tokenizers": tokenizers.__version__,
        },
        sources=tuple(sources),
    )


def _name(checkpoint: Checkpoint, topics: tuple[str, ...], heads: Path | None) -> str:
    """A name for people: the encoder's, and whose heads these are."""
    base = checkpoint.source.name.rpartition("/")[2].lower()
    if heads is None:
        return base
    if _heads_digests(heads) == _heads_digests(HEADS):
        return f"{base}-esrs"
    return f"{base}-{OWN_HEADS if topics == TOPICS else OWN_TOPICS}"


def _describe(content: bytes) -> File:
    return File(sha256=_digest(content), size=len(content))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def model_card(manifest: Manifest, heads: Card | None) -> str:
    """Markdown from the manifest and, where there are heads, `heads.json`."""
    what = f"a sentence embedding ({manifest.dimensions} numbers, unit length)"
    outputs = f"`embedding` ({manifest.dimensions})"
    trained = ""
    if heads:
        what += (
            ", the European sustainability-reporting (ESRS) topics it speaks of, whether an action in it is "
            "implemented or planned, and whether something got better or worse"
        )
        for name in ("topics", "actions", "sentiments"):
            outputs += f", `{name.removesuffix('s')}` ({', '.join(getattr(manifest, name))})"
        thresholds = zip(manifest.topics, manifest.thresholds, strict=True)
        if manifest.initiative_threshold is not None:
            what += ". It says how much a text matters to an analyst, and whether it is an initiative"
            outputs += ", `salience` (from 0 to 3), `initiative` (probability; one from "
            outputs += f"{manifest.initiative_threshold:.2f})"
        outputs += "\n- A topic counts from its own threshold: "
        outputs += ", ".join(f"{name} {value:.2f}" for name, value in thresholds)
        counts = ", ".join(f"{name} {count:,}" for name, count in heads.sentences.items())
        trained = f"\nSentences trained on: {counts}.\n"
    template = (OWN / "card.md").read_text(encoding="utf-8")
    return template.format(
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
