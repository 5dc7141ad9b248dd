"""The `headrace` command in a process of its own, forked from one that has its modules already.

Of a second that a command takes most goes into imports, and the tests call hundreds.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("cli.main", "cli.connect", "cli.render", "cli.results", "cli.doctor"),
        *("google.cloud.storage", "google.cloud.firestore", "google.cloud.secretmanager_v1"),
        *(
            "google.pubsub_v1",
            "google.cloud.run_v2",
            "shared.platform.clients",
            "shared.documents.store",
            "shared.platform.logs",
        ),
    ]
)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What it said and its exit status.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds, and was killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "out", Path(folder) / "err"
        process = _FORKS.Process(target=_call, args=(list(arguments), dict(environment), Path.cwd(), said))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        out, err = (path.read_text("utf-8") for path in said)
        return subprocess.CompletedProcess(list(arguments), process.exitcode, out, err)


def _call(arguments: list[str], environment: dict[str, str], folder: Path, said: tuple[Path, Path]) -> None:
    """In the new process: as a shell would."""
    for descriptor, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["headrace", *arguments]
    from cli.main import main

    main()
