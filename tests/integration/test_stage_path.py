"""What is deployed, run as it is deployed: folders with their own packages, each tried as deployment does."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from deploy import trial
from deploy.__main__ import main
from deploy.cloud import Revision, Service, State, save_state
from deploy.stage import FUNCTIONS, ROOT, stage
from deploy.trial import Target, attempt, clear
from shared.digests.store import erase
from shared.documents.store import Documents, document_id
from shared.platform import clients
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Retryable
from shared.platform.records import UploadEvent
from shared.platform.settings import settings
from tests.e2e.running import RunningStack, free_ports
from tests.staged import install, interpreter, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = ROOT / "build" / "model"
MADE = Revision("x-1", "old")
ANSWERS = 60.0
"""Seconds for a function to start on a busy machine."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack, whose functions are those that serve; its clients are this process's."""
    running = RunningStack(tmp_path_factory.mktemp("stack"), free_ports())
    running.up()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running.stack()["environment"].items():
            patch.setenv(name, value)
        _forget()
        yield running
    _forget()
    running.down()


@pytest.fixture(scope="module")
def candidates(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Every function as it is staged, on a port that gets no pushes."""
    out, python = tmp_path_factory.mktemp("staged"), interpreter()
    if python is None:
        pytest.skip("no Python of the version that is deployed")
    emulators = stack.stack()["environment"]
    with ExitStack() as running:
        ports = {}
        for name, function in FUNCTIONS.items():
            stage(function, out, MODEL)
            environment = install(out / name, out / f"{name}-env", python)
            ports[name] = running.enter_context(serving(name, out / name, environment, emulators))
        yield ports


def _forget() -> None:
    made = (clients.storage_client, clients.firestore_client, clients.publisher, clients.secrets, settings)
    for cached in made:
        cached.cache_clear()


def target(name: str, port: int, *, whole: bool = False) -> Target:
    return Target(name, f"http://127.0.0.1:{port}", "token", MODEL, whole)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_candidate_does_what_it_is_tried_with(candidates: dict[str, int], name: str) -> None:
    """Pushed at its own address; of the sample nothing is left."""
    _answer(candidates[name], "/openapi.json" if name == "api" else "/")
    assert attempt(target(name, candidates[name]))
    clear()
    assert_empty()


def test_a_sample_comes_through_what_serves(stack: RunningStack) -> None:
    """To its end, as once traffic has moved."""
    ports = {process["name"]: process["port"] for process in stack.stack()["processes"]}
    assert attempt(target("ingest", ports["ingest"], whole=True)) == "3 passages analyzed"
    clear()
    assert_empty()


def test_a_function_that_does_something_else_fails_its_trial(
    candidates: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong function acknowledges nothing, or leaves nothing that is looked for."""
    monkeypatch.setattr(trial, "SECONDS", 5.0)
    wrong = {"analyze": "deadletter", "ingest": "sweep", "deadletter": "digest", "api": "sweep"}
    for name, other in wrong.items():
        with pytest.raises(Retryable):
            attempt(target(name, candidates[other]))
    with pytest.raises(Retryable, match="cannot be reached"):
        attempt(target("sweep", free_ports(1)))
    clear()


def test_what_a_killed_deployment_left_is_erased_by_the_next() -> None:
    """Documents, files and dead letters of samples; nothing else."""
    client, bucket = firestore_client(), storage_client().bucket(settings().work_bucket)
    for name in (f"{trial.SAMPLES}left.txt", "people.txt"):
        event = UploadEvent(bucket=bucket.name, name=name, generation=1, event_type="OBJECT_FINALIZE", size=1)
        Documents(client).claim(event, published=datetime.now(UTC), lease_seconds=60)
        bucket.blob(name).upload_from_string("text")
    clear()
    assert [each.get("name") for each in client.collection("documents").stream()] == ["people.txt"]
    assert [blob.name for blob in bucket.list_blobs()] == ["people.txt"]
    bucket.blob("people.txt").delete()
    erase(client, document_id(bucket.name, "people.txt"))


def assert_empty() -> None:
    assert list(storage_client().list_blobs(settings().work_bucket)) == []
    for collection in ("documents", "outcomes", "contents", "dead_letters"):
        assert list(firestore_client().collection(collection).stream()) == []


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_starts_with_its_own_packages_alone(candidates: dict[str, int], name: str) -> None:
    """It answers what is no push with 400; the API describes itself."""
    assert _answer(candidates[name], "/openapi.json" if name == "api" else "/") == (
        200 if name == "api" else 400
    )


def test_the_model_comes_from_the_bucket(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Built and stored where no digest is named, fetched where one is; both times the same files."""
    assert stack.process is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "weights").symlink_to(ROOT / "build" / "weights")
    shutil.copytree(ROOT / "build" / "cache", tmp_path / "build" / "cache")
    save_state(State(dict.fromkeys(FUNCTIONS, Service(MADE, MADE, "x-1", 100, "", "all")), None))
    assert main(["model"]) == 0
    built = {path.name: path.read_bytes() for path in (tmp_path / "build" / "model").iterdir()}
    digest = json.loads(built["manifest.json"])["digest"]
    assert {blob.name for blob in storage_client().list_blobs(settings().models_bucket)} == {
        f"models/{digest}/{name}" for name in built
    }
    shutil.rmtree(tmp_path / "build" / "model")
    assert main(["model", f"--digest={digest}"]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "build" / "model").iterdir()} == built
    assert main(["model", f"--digest={'0' * 64}"]) == 1
    assert "There is no gs://" in capsys.readouterr().err


def _answer(port: int, path: str) -> int:
    deadline = time.monotonic() + ANSWERS
    while True:
        data = None if path != "/" else b"{}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=data, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
