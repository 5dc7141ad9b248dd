"""One reader of PDFs in a process of its own: `python benchmarks/ingest/reader.py NAME`.

Takes a path a line, answers with a line of JSON: processor seconds of the reading, pages, characters, and the
most memory that the process ever had. Runs in Headrace's environment and in the peers', so that it imports
nothing of Headrace but as a contestant.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[str], tuple[int, int]]  # pages (0: not told) and characters


def headrace() -> Read:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    library = import_module("shared.extract")

    def read(path: str) -> tuple[int, int]:
        extracted = library.extract(
            Path(path), name=path, content_type=None, options=library.ExtractOptions()
        )
        return extracted.pages, sum(len(block.text) for block in extracted.blocks)

    return read


def pypdf() -> Read:
    library = import_module("pypdf")

    def read(path: str) -> tuple[int, int]:
        pages = library.PdfReader(path).pages
        return len(pages), sum(len(page.extract_text()) for page in pages)

    return read


def pdfminer() -> Read:
    library = import_module("pdfminer.high_level")
    return lambda path: (0, len(library.extract_text(path)))


def markitdown() -> Read:
    converter = import_module("markitdown").MarkItDown()
    return lambda path: (0, len(converter.convert(path).markdown))


READERS = {"Headrace": headrace, "pypdf": pypdf, "pdfminer.six": pdfminer, "markitdown": markitdown}


def main(name: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print too
    read = READERS[name]()
    for line in sys.stdin:
        started = time.process_time()
        try:
            pages, characters = read(line.rstrip("\n"))
            answer: dict[str, float | str] = {"pages": pages, "characters": characters}
        except Exception as error:  # noqa: BLE001 - whatever a library raises is an answer, not an end
            answer = {"error": str(getattr(error, "code", type(error).__name__))}
        answer["seconds"] = time.process_time() - started
        answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
