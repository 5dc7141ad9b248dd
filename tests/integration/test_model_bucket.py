"""A model in a bucket must be whole, be what its digest says, and be written once."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.__main__ import main as deploy
from deploy.cloud import Revision, Service, State, save_state
from deploy.stage import DIGEST_LENGTH, FUNCTIONS
from model_export import bucket
from model_export.__main__ import main
from shared.inference.manifest import Manifest
from shared.platform.clients import storage_client
from shared.platform.errors import SetupError
from shared.platform.settings import settings
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.cloud.storage import Client

BUCKET = "models-of-acme"
GRAPH, TOKENIZER = b"a graph" * 1000, b"{}"
DIGEST = hashlib.sha256(GRAPH).hexdigest()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """fake-gcs-server, and the client that our code uses."""
    with storing(tmp_path_factory.mktemp("storage")):
        client = storage_client()
        client.create_bucket(BUCKET)
        yield client


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory as a build writes it."""
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "model.onnx").write_bytes(GRAPH)
    (directory / "tokenizer.json").write_bytes(TOKENIZER)
    (directory / "MODEL_CARD.md").write_text("# test\n")
    manifest = Manifest.model_validate(
        {
            "name": "test",
            "digest": DIGEST,
            "space": DIGEST,
            "model": {"sha256": DIGEST, "size": len(GRAPH)},
            "tokenizer": {"sha256": hashlib.sha256(TOKENIZER).hexdigest(), "size": len(TOKENIZER)},
            "precision": "int8",
            "window": 256,
            "dimensions": 4,
            "topics": (),
            "thresholds": (),
            "sentiments": (),
            "actions": (),
            "metrics": {},
            "versions": {},
            "sources": (),
        }
    )
    (directory / "manifest.json").write_text(manifest.model_dump_json())
    return directory


@pytest.fixture(autouse=True)
def _empty(storage: Client) -> None:
    """Every test starts with an empty bucket."""
    for blob in storage.list_blobs(BUCKET):
        blob.delete()


def stored(storage: Client) -> dict[str, int]:
    """Objects with their generations."""
    return {blob.name: blob.generation for blob in storage.list_blobs(BUCKET)}


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_model_comes_back_as_it_went(
    storage: Client, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two commands, as a person gives them; what was in the directory before is gone."""
    out = tmp_path / "pulled"
    out.mkdir()
    (out / "stale").write_text("old")
    assert main(["push", "--bucket", BUCKET, "--model", str(model)]) == 0
    assert f"gs://{BUCKET}/models/{DIGEST}/" in capsys.readouterr().out
    assert set(stored(storage)) == {
        f"models/{DIGEST}/{name}"
        for name in ("model.onnx", "tokenizer.json", "MODEL_CARD.md", "manifest.json")
    }
    assert main(["pull", "--bucket", BUCKET, "--digest", DIGEST, "--out", str(out)]) == 0
    assert content(out) == content(model)


def test_a_function_that_is_deployed_by_hand_gets_the_model_that_serves(
    storage: Client, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the beginning of its digest, which a label has; in a folder apart from the checkout's own model."""
    bucket.push(model, BUCKET)
    monkeypatch.setenv("HEADRACE_MODELS_BUCKET", BUCKET)
    settings.cache_clear()
    monkeypatch.chdir(tmp_path)
    revision = Revision("x-1", "old", model=DIGEST[:DIGEST_LENGTH])
    service = Service(revision, revision, "x-1", 100, "", "all")
    save_state(State(dict.fromkeys(FUNCTIONS, service), None))
    serving = tmp_path / "build" / "model-serving"
    assert deploy(["model", "--function=sweep", "--digest="]) == 0
    assert not serving.exists()
    assert deploy(["model", "--function=api", "--digest="]) == 0
    assert content(serving) == content(model)
    for blob in storage.list_blobs(BUCKET):
        blob.delete()
    assert deploy(["model", "--function=api", "--digest="]) == 1


def test_pushing_again_writes_nothing(storage: Client, model: Path) -> None:
    """No object gets a new generation."""
    bucket.push(model, BUCKET)
    before = stored(storage)
    bucket.push(model, BUCKET)
    assert stored(storage) == before


def test_a_push_that_was_cut_off_is_finished(storage: Client, model: Path) -> None:
    """What is there stays; what is missing comes; until then there is no model to pull."""
    bucket.push(model, BUCKET)
    storage.bucket(BUCKET).blob(f"models/{DIGEST}/manifest.json").delete()
    with pytest.raises(SetupError, match="There is no gs://"):
        bucket.pull(BUCKET, DIGEST, model.parent / "out")
    assert not (model.parent / "out").exists()
    bucket.push(model, BUCKET)
    assert bucket.pull(BUCKET, DIGEST, model.parent / "out").digest == DIGEST


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_an_altered_object_is_refused(storage: Client, model: Path, tmp_path: Path, name: str) -> None:
    """The old directory stays, no scraps are left, and another push tells of it too."""
    bucket.push(model, BUCKET)
    blob = storage.bucket(BUCKET).blob(f"models/{DIGEST}/{name}")
    blob.upload_from_string(b"something else" * 1000)
    out = shutil.copytree(model, tmp_path / "out")
    with pytest.raises(SetupError, match=f"{name} was altered"):
        bucket.pull(BUCKET, DIGEST, out)
    assert content(out) == content(model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out"]
    with pytest.raises(SetupError, match="exists and is not this model"):
        bucket.push(model, BUCKET)


def test_another_models_files_under_a_digest(storage: Client, model: Path, tmp_path: Path) -> None:
    """A manifest that is not of the digest asked for is refused, whole as its model may be."""
    bucket.push(model, BUCKET)
    other = "f" * 64
    for blob in list(storage.list_blobs(BUCKET)):
        storage.bucket(BUCKET).copy_blob(blob, storage.bucket(BUCKET), blob.name.replace(DIGEST, other))
    with pytest.raises(SetupError, match=f"is {DIGEST}, but"):
        bucket.pull(BUCKET, other, tmp_path / "out")


def test_what_is_not_there_is_named(model: Path, tmp_path: Path, storage: Client) -> None:
    """A digest nobody pushed, a bucket nobody made, a directory that holds no model."""
    assert stored(storage) == {}
    with pytest.raises(SetupError, match=r"Push the model: python -m model_export push"):
        bucket.pull(BUCKET, DIGEST, tmp_path / "out")
    with pytest.raises(SetupError, match="There is no bucket nobody-made"):
        bucket.push(model, "nobody-made")
    with pytest.raises(SetupError, match="There is no model in"):
        bucket.push(tmp_path / "nothing", BUCKET)
