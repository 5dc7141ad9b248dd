"""What is deployed, run as it is deployed: folders with their own packages, a sample through all of them."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from google.pubsub_v1 import PushConfig

from deploy import smoke
from deploy.functions import FUNCTIONS
from deploy.imports import Source
from deploy.model import main as provide_model
from deploy.stage import ROOT, stage
from deploy.state import Revision, Service, State
from local.provision import expected, subscriber
from shared.platform import clients
from shared.platform.clients import firestore_client, storage_client
from shared.platform.settings import settings
from tests.e2e.running import RunningStack, free_ports
from tests.staged import install, interpreter, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = ROOT / "build" / "model"
PATH = ("ingest", "analyze", "deadletter")
MADE = Revision("x-1", "old")
ANSWERS = 60.0
"""Seconds for a function to start on a busy machine."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(interpreter() is None, reason="no Python of the version that is deployed"),
]


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
    """Every function as it is staged, on a port; those on a document's way are pushed what serves was."""
    out, python = tmp_path_factory.mktemp("staged"), interpreter()
    assert python is not None
    emulators = stack.stack()["environment"]
    source = Source(ROOT)
    with ExitStack() as running:
        ports = {}
        for name, function in FUNCTIONS.items():
            stage(function, out, MODEL, source)
            environment = install(out / name, out / f"{name}-env", python)
            ports[name] = running.enter_context(serving(name, out / name, environment, emulators))
        client = subscriber(emulators["PUBSUB_EMULATOR_HOST"])
        for name in PATH:
            push = PushConfig(push_endpoint=f"http://127.0.0.1:{ports[name]}/")
            wanted = expected(name, settings().project)
            client.modify_push_config(request={"subscription": wanted.name, "push_config": push})
        yield ports


def _forget() -> None:
    made = (clients.storage_client, clients.firestore_client, clients.publisher, clients.secrets, settings)
    for cached in made:
        cached.cache_clear()


def test_a_sample_and_a_dead_letter_come_through_what_is_staged(
    candidates: dict[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the right result; nothing of it is left."""
    assert set(candidates) == set(FUNCTIONS)
    monkeypatch.chdir(tmp_path)  # where no plan says that nothing is to be tried
    assert smoke.main(["--build=7", f"--model={MODEL}", "--seconds=120"]) == 0
    assert list(storage_client().list_blobs(settings().uploads_bucket, prefix=smoke.SAMPLES)) == []
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
    services = {name: Service(MADE, MADE, None, None, "", None, "", "x-1", 100) for name in FUNCTIONS}
    (tmp_path / "build" / "state.json").write_text(json.dumps(asdict(State(services, None))))
    assert provide_model([]) == 0
    built = {path.name: path.read_bytes() for path in (tmp_path / "build" / "model").iterdir()}
    digest = json.loads(built["manifest.json"])["digest"]
    assert {blob.name for blob in storage_client().list_blobs(settings().models_bucket)} == {
        f"models/{digest}/{name}" for name in built
    }
    shutil.rmtree(tmp_path / "build" / "model")
    assert provide_model([f"--digest={digest}"]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "build" / "model").iterdir()} == built
    assert provide_model([f"--digest={'0' * 64}"]) == 1
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
