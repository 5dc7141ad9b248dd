"""A model's name says whose its heads are, and a model of one's own is not replaced without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_export import build
from model_export.__main__ import main
from model_export.heads import CARD_FILE, HEADS_FILE
from shared.inference.manifest import MANIFEST_FILE, File, Manifest
from shared.platform.records import TOPICS
from tests.unit.tiny_bert import tiny_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

FILE = File(sha256="a" * 64, size=1)


def heads(directory: Path, content: str) -> Path:
    """Files that stand for trained heads."""
    directory.mkdir()
    for name in (HEADS_FILE, CARD_FILE):
        (directory / name).write_text(content)
    return directory


def test_a_model_is_named_by_its_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository's, also where they were copied; others with our topics, or with their own; none."""
    monkeypatch.setattr(build, "HEADS", heads(tmp_path / "ours", "ours"))
    copied, own = heads(tmp_path / "copied", "ours"), heads(tmp_path / "own", "own")
    checkpoint = tiny_checkpoint()
    base = build._name(checkpoint, (), None)
    assert build._name(checkpoint, TOPICS, copied) == f"{base}-esrs"
    assert build._name(checkpoint, TOPICS, own) == f"{base}-esrs-own-heads"
    assert build._name(checkpoint, ("rent", "noise"), own) == f"{base}-own-topics"


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("minilm-own-topics", [], True),
        ("minilm-esrs-own-heads", [], True),
        ("minilm-esrs", [], False),
        ("minilm-own-topics", ["--heads", "own"], False),
    ],
)
def test_a_model_of_ones_own_is_not_replaced_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, name: str, given: list[str], told: bool
) -> None:
    """`make` builds build/model anew where the repository changed. Here the weights are missing."""
    manifest = Manifest(
        name=name, digest="b" * 64, space="c" * 64, model=FILE, tokenizer=FILE, precision="int8",
        window=8, dimensions=4, topics=(), thresholds=(), sentiments=(), actions=(), metrics={},
        versions={}, sources=(),
    )  # fmt: skip
    out = tmp_path / "model"
    out.mkdir()
    (out / MANIFEST_FILE).write_text(manifest.model_dump_json())
    assert main(["build", "--weights", str(tmp_path), "--out", str(out), *given]) == 1
    assert ("heads of your own" in capsys.readouterr().err) is told
