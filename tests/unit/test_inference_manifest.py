"""A model that is missing, cut short or altered must be refused, in words that say which and what to do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shared.inference.manifest import MANIFEST_FILE, File, read_manifest, read_verified
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"weights" * 100
EXPECTED = File(sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT))


def test_the_file_that_was_built_is_read(tmp_path: Path) -> None:
    """A file with the manifest's size and digest is returned as it is."""
    path = tmp_path / "model.onnx"
    path.write_bytes(CONTENT)
    assert read_verified(path, EXPECTED) == CONTENT


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is missing"),
        (CONTENT[:-1], "is truncated: it has 699 of 700 bytes"),
        (b"", "is truncated: it has 0 of 700 bytes"),
        (CONTENT[:-1] + b"x", "was altered"),
        (CONTENT + b"x", "was altered"),
    ],
)
def test_any_other_file_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """What is wrong with the file is named, and so is the way to mend it."""
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SetupError) as caught:
        read_verified(path, EXPECTED)
    assert words in caught.value.message
    assert "make model" in caught.value.message


def test_no_manifest(tmp_path: Path) -> None:
    """A directory without a manifest holds no model."""
    with pytest.raises(SetupError, match=r"There is no model in .*make model"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"schema_version": 2}'])
def test_a_manifest_of_another_kind(tmp_path: Path, content: str) -> None:
    """A manifest that cannot be read is named with its place."""
    (tmp_path / MANIFEST_FILE).write_text(content)
    with pytest.raises(SetupError, match=r"manifest\.json cannot be used: .*make model"):
        read_manifest(tmp_path)


def test_another_model_than_the_settings_name(tmp_path: Path) -> None:
    """A function that names its model refuses another, and says how to fetch the right one."""
    digest = "a" * 64
    manifest = {
        "name": "test",
        "digest": digest,
        "space": digest,
        "model": {"sha256": digest, "size": 1},
        "tokenizer": {"sha256": digest, "size": 1},
        "precision": "fp32",
        "window": 8,
        "dimensions": 4,
        "topics": [],
        "thresholds": [],
        "sentiments": [],
        "actions": [],
        "metrics": {},
        "versions": {},
        "sources": [],
    }
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest))
    assert read_manifest(tmp_path, digest).digest == digest
    with pytest.raises(SetupError, match=r"is a{64}, but the settings name b{64}\. Fetch that one"):
        read_manifest(tmp_path, "b" * 64)


def test_importing_is_cheap() -> None:
    """Importing the package loads no numerical library and no tokenizer: ingest has neither."""
    heavy = "{'numpy', 'onnxruntime', 'tokenizers'}"
    code = f"import sys, shared.inference; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
