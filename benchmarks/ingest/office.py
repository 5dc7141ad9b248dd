"""Office documents: each file by each reader of its format, in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.ingest.made import MADE
from benchmarks.ingest.page import row, table
from benchmarks.ingest.process import OURS, Ended, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PEERS = {
    ".docx": ("python-docx", "docx2python"),
    ".pptx": ("python-pptx",),
    ".xlsx": ("openpyxl", "calamine"),
}
ROUNDS = 3
MAX_SECONDS = 10  # of processor time for a round
MAX_MEMORY = 2 * 1024**3  # bytes of address space


@dataclass(frozen=True)
class Row:
    """A file and a reader; `error` says what became of it where there is no text."""

    file: str
    reader: str
    seconds: float = 0
    """Of processor time, the best round."""
    characters: int = 0
    peak: int = 0
    """Bytes, after the first round."""
    bare: int = 0
    """Bytes of the process without the reader."""
    error: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        if self.error:
            return (self.file, self.reader, "", self.error, "")
        return (
            self.file,
            self.reader,
            f"{self.seconds * 1000:,.0f}",
            f"{self.characters:,}",
            f"{self.peak / 1e6:.0f}",
        )


def measure(samples: Sequence[Path], folder: Path, peers: Path) -> Iterator[Row]:
    """The samples, and what is made in `folder`."""
    files = [("a sample", path) for path in samples]
    for what, (name, write) in MADE.items():
        files.append((what, folder / name))
        write(folder / name)
    for what, path in files:
        file = f"{path.suffix}, {path.stat().st_size / 1000:,.0f} kB: {what}"
        for reader in (OURS, *PEERS[path.suffix]):
            measured = _measured(file, path, reader, peers)
            print(row(measured.cells), flush=True)
            yield measured


def _measured(file: str, path: Path, name: str, peers: Path) -> Row:
    try:
        with Reader(peers, "office", name, seconds=MAX_SECONDS, memory=MAX_MEMORY) as reader:
            first = reader.read(path)
            if first.error:
                return Row(file, name, error=first.error)
            rounds = [first, *(reader.read(path) for _ in range(ROUNDS - 1))]
    except Ended as end:
        return Row(file, name, error=str(end))
    best = min(answer.seconds for answer in rounds)
    return Row(file, name, best, first.characters, first.peak, reader.bare)


def report(rows: Sequence[Row]) -> str:
    """The table, each file named once."""
    cells = [
        ("" if at else row.file, *row.cells[1:])
        for _, of_file in groupby(rows, key=lambda row: row.file)
        for at, row in enumerate(of_file)
    ]
    bare = min(row.bare for row in rows if row.bare)
    limits = f"{MAX_SECONDS} s a round, {MAX_MEMORY // 1024**3} GiB of address space"
    return "\n".join(
        (
            f"Milliseconds of processor time (the best of {ROUNDS} rounds, imports not counted), characters,",
            "and the most memory of a process of its own that has read the file once; without a reader",
            f"it has {bare / 1e6:.0f} MB. Limits: {limits}.",
            "",
            table(("file", "with", "ms", "characters", "MB"), cells, names=2),
        )
    )
