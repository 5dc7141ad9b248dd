"""Whole documents, analyzed as `headrace analyze` does: for what is shown, summarised and found of them."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.inprocess import analyze
from shared.platform.errors import HeadraceError
from shared.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SAMPLES = (
    "1und1_nonfinancial_2023.pdf",
    "addiko_sustainability_2023.pdf",
    "amazon_racial_equity_audit.pdf",
    "atoss_sustainability_2023.pdf",
    "grasim_esg_databook_2024.pdf",
    "ionos_sustainability_2023.pdf",
    "jpmorgan_climate_2024.pdf",
    "ntt_data_csr_2014.pdf",
    "reply_nonfinancial_2019.pdf",
    "schwabe_italia_sustainability.pdf",
    "danone_2022.txt",
    "tesco_community_2022.txt",
)
"""English documents of companies of the test split: what is shown of them is judged, and searched."""
_PROCESSES = 2


def analyze_all(names: Iterable[str], data: Path, model: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What `headrace analyze --embeddings` says of each document, by name; and what could not be read."""
    paths = {name: path for name in sorted(set(names)) if (path := _find(name, data))}
    # The longest first, so that no process is left with it at the end.
    order = sorted(paths, key=lambda name: -paths[name].stat().st_size)
    with ProcessPoolExecutor(_PROCESSES) as pool:
        found = list(pool.map(partial(_analyze, model), order, map(paths.get, order)))
    problems = [f"There is no {name} below {data}." for name in sorted(set(names) - paths.keys())]
    problems += [f"{name}: {said}" for name, said in zip(order, found, strict=True) if isinstance(said, str)]
    return {
        name: said for name, said in zip(order, found, strict=True) if not isinstance(said, str)
    }, problems


def _find(name: str, data: Path) -> Path | None:
    report = data / "reports" / f"{name}.gz"
    return report if report.is_file() else next((data / "samples").rglob(name), None)


def _analyze(model: Path, name: str, path: Path) -> dict[str, Any] | str:
    """The analysis, or why there is none: on a machine that is too busy, reading takes too long."""
    with tempfile.TemporaryDirectory() as directory:
        if path.suffix == ".gz":
            unpacked = Path(directory) / name
            with gzip.open(path) as packed, unpacked.open("wb") as file:
                shutil.copyfileobj(packed, file)
            path = unpacked
        try:
            return analyze(path, model=model, embeddings=True)
        except HeadraceError as error:
            return error.message


def prose(analysis: Mapping[str, Any]) -> list[str]:
    """The sentences of a document's passages of prose, in order."""
    return [
        passage["text"][start:end]
        for passage in analysis["passages"]
        if passage["kind"] == "text"
        for start, end in split_sentences(passage["text"])
    ]
