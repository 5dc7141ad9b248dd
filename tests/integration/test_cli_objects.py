"""What a job cannot find is said before it is started, and before anything is stored of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cli.jobs import need_model, need_objects, start_backfill, start_import, start_training
from shared.inference.manifest import Manifest
from shared.jobs.listing import Wanted
from shared.platform.clients import storage_client
from shared.platform.errors import HeadraceError
from shared.platform.settings import settings
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = "labels-of-acme"
DIGEST = "a" * 64


@pytest.fixture(scope="module", autouse=True)
def _storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Buckets, and a Firestore where nothing answers: whoever asked it first would not get far."""
    with storing(tmp_path_factory.mktemp("storage")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
        storage_client().create_bucket(BUCKET).blob("labels/mine.jsonl").upload_from_string("{}")
        storage_client().create_bucket(settings().models_bucket)
        yield


@pytest.mark.parametrize("digest", ["nope", "", DIGEST])
def test_a_backfill_wants_its_model(digest: str) -> None:
    with pytest.raises(HeadraceError, match=f"There is no model {digest} in gs://.*model_export push"):
        start_backfill(Wanted(), digest, None)


def test_a_model_is_whole_with_its_manifest() -> None:
    models = storage_client().bucket(settings().models_bucket)
    models.blob(f"models/{'b' * 64}/model.onnx").upload_from_string("half")
    with pytest.raises(HeadraceError):
        need_model("b" * 64)
    models.blob(f"models/{'b' * 64}/manifest.json").upload_from_string("{}")
    need_model("b" * 64)


def test_the_local_stacks_own_model_is_in_no_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = {"sha256": DIGEST, "size": 1}
    facts: dict[str, Any] = {"name": "own", "digest": DIGEST, "space": DIGEST, "precision": "int8"}
    facts |= {"model": file, "tokenizer": file, "window": 256, "dimensions": 4, "metrics": {}, "versions": {}}
    facts |= dict.fromkeys(("topics", "thresholds", "sentiments", "actions", "sources"), ())
    (tmp_path / "manifest.json").write_text(Manifest.model_validate(facts).model_dump_json())
    monkeypatch.setenv("HEADRACE_MODEL_DIR", str(tmp_path))
    settings.cache_clear()
    need_model(DIGEST)
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST")  # that of the cloud has what its builds stored
    with pytest.raises(HeadraceError):
        need_model(DIGEST)
    settings.cache_clear()


@pytest.mark.parametrize(
    ("uri", "told"), [("gs://nope/x", "no bucket nope"), (f"gs://{BUCKET}/none", "nothing under")]
)
def test_imports_and_trainings_want_objects(uri: str, told: str) -> None:
    with pytest.raises(HeadraceError, match=told):
        start_import(uri, None)
    with pytest.raises(HeadraceError, match=told):
        start_training(uri, identifier=None, model=None)
    assert need_objects(f"gs://{BUCKET}/labels") == (BUCKET, "labels")
