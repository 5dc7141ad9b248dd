"""The texts of the bench: passages as the pipeline cuts them, from real reports where those are at hand."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.model.contestant import ROOT
from shared.intake.read import read_file
from shared.platform.errors import Rejected
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNT = 1_000
SEED = 7
REPORTS = (
    "pdf/atoss_sustainability_2023.pdf",
    "pdf/ionos_sustainability_2023.pdf",
    "pdf/jpmorgan_climate_2024.pdf",
    "pdf/ntt_data_csr_2014.pdf",
    "pdf/reply_nonfinancial_2019.pdf",
    "text/danone_2022.txt",
)


def gather(tokenizer: Path) -> tuple[list[str], str]:
    """`COUNT` different passages in random order, and a phrase that says where they come from.

    From the sample reports under `$HEADRACE_SHARED` or `../shared`; without them from `samples/`, whose
    passages are then repeated, each time numbered, since the engine computes equal texts once.
    """
    shared = Path(os.environ.get("HEADRACE_SHARED") or ROOT.parent / "shared") / "data" / "samples"
    files = [shared / name for name in REPORTS if (shared / name).is_file()]
    found = list(dict.fromkeys(_passages(files or _own(), tokenizer)))
    random.Random(SEED).shuffle(found)  # noqa: S311 - an order, not a secret
    source = f"passages of {len(files)} real reports" if files else "passages of samples/, repeated"
    texts = found[:COUNT]
    for number in range(COUNT - len(texts)):
        texts.append(f"{number}. {found[number % len(found)]}")
    return texts, source


def _own() -> list[Path]:
    return sorted(path for path in (ROOT / "samples").iterdir() if path.is_file())


def _passages(files: Iterable[Path], tokenizer: Path) -> Iterable[str]:
    settings = Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "bench"})
    for path in files:
        try:
            reading = read_file(
                path,
                name=path.name,
                content_type=None,
                metadata={},
                tokenizer=tokenizer,
                redaction_key=b"bench",
                settings=settings,
            )
        except Rejected:
            continue
        yield from (passage.text for passage in reading.passages)
