"""The running service against its own description, with requests that schemathesis invents."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.api.description import DESCRIBED
from tests.integration.api_documents import store_all
from tests.integration.api_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.api_server import ApiServer

EXAMPLES = (4, pytest.param(50, marks=pytest.mark.slow))
"""Requests invented for each operation and phase, beside those that the description itself suggests."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server of its own: schemathesis also erases."""
    with serving(tmp_path_factory.mktemp("described")) as server:
        store_all(server)
        yield server


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_service_does_what_its_description_says(api: ApiServer, tmp_path: Path, examples: int) -> None:
    """Every check of schemathesis, in every phase, without a failure: statuses, content types, shapes, keys,
    methods; what the description allows is accepted, what it forbids is refused.
    """
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [
        *(program, "--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
        *("run", f"http://127.0.0.1:{api.port}/openapi.json", "--checks", "all"),
        *("--header", f"X-API-Key: {api.keys[0]}", "--max-examples", str(examples), "--seed", "1"),
        *("--continue-on-failure", "--no-color", "--generation-database", "none"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=590, check=False)
    assert done.returncode == 0, done.stdout
    assert f"Tested: {len(DESCRIBED)}" in done.stdout
