"""A contestant's side of the bench: a process that holds one model and runs it over texts when told to.

Commands come as JSON lines on standard input, answers go as JSON lines to standard output; whatever a library
prints goes to standard error. Needs nothing but the standard library: it runs in the peers' environment too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[list[str], dict[str, Any]], Any]
    """Texts and options to embeddings, (n, width), or to None where the model makes none."""


def serve(load: Callable[[], Run]) -> None:
    """Load the model, say so, and do what is asked until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        print(json.dumps(fields), file=answers, flush=True)

    run = load()
    answer(loaded=True)
    texts: list[str] = []
    for line in sys.stdin:
        command = json.loads(line)
        match command["do"]:
            case "texts":
                texts = json.loads(Path(command["path"]).read_text("utf-8"))
                answer(texts=len(texts))
            case "run":
                run(texts[command["start"] : command["end"] : command["step"]], command["options"])
                answer(done=True)
            case "save":
                _save(Path(command["path"]), run(texts[: command["end"]], command["options"]))
                answer(done=True)
            case "peak":
                answer(mib=peak_mib())


def peak_mib() -> float:
    """The most memory that this process has had resident, MiB (`VmHWM`; a process starts with its own)."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say how much memory a process had")


def _save(path: Path, embeddings: Any) -> None:  # noqa: ANN401 - an array of either environment's numpy
    import numpy as np

    np.save(path, np.asarray(embeddings, np.float32))
