"""Recognise pages of a document in parallel; an error of one page does not affect the others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from long_job.ocr.drawing import draw_apart
from long_job.ocr.engine import Engine
from long_job.ocr.page import Illegible, OutOfTime, Reader
from shared.extract.sandbox import SandboxUnavailable
from shared.extract.sandbox.client import Sandbox
from shared.extract.shapes import RecognisedPage
from shared.inference.session import cpu_limit
from shared.platform.errors import Rejected
from shared.platform.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PAGE_SECONDS = 60.0
"""Limit for drawing and reading one page; a full page takes two seconds."""
DRAWING_MEMORY = 1024 * 1024 * 1024
"""Bytes of address space of the process that draws a page."""
ILLEGIBLE = (
    "No line of the page could be read: its letters are too coarse, or of a script that is not recognised."
)


class Recogniser:
    """The engine, loaded once, and one thread a processor; each thread recognises one page."""

    def __init__(self, workers: int | None = None) -> None:
        """None: as many workers as the CPU limit has processors."""
        self._workers = workers or cpu_limit()
        self._engine = Engine()
        self._sandbox = Sandbox()

    def recognise(
        self,
        path: Path,
        pages: Iterable[int],
        *,
        password: str | None = None,
        seconds: float = PAGE_SECONDS,
        memory: int = DRAWING_MEMORY,
    ) -> Iterator[RecognisedPage]:
        """Yield each of the pages (numbers from 1) as it is done; the caller may stop between two of them.

        A page that cannot be drawn or read within `seconds` and bytes of `memory` has a problem.

        Raises:
            SandboxUnavailable: no process could be started to draw a page; the file is not the reason.
        """
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="ocr")
        try:
            running = [pool.submit(self._page, path, number, password, seconds, memory) for number in pages]
            for done in as_completed(running):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Stop the process that pages are drawn in."""
        self._sandbox.stop()

    def _page(
        self, path: Path, number: int, password: str | None, seconds: float, memory: int
    ) -> RecognisedPage:
        start, cpu_start = time.monotonic(), time.thread_time()

        def failed(problem: str) -> RecognisedPage:
            return RecognisedPage(number, 0.0, 0.0, problem=problem, seconds=_since(start))

        try:
            picture = draw_apart(
                self._sandbox, path, number, password=password, seconds=seconds, memory=memory
            )
            reader = Reader(self._engine, picture, start + seconds)
            lines = reader.read()
        except SandboxUnavailable:
            raise
        except Rejected as rejected:
            return failed(rejected.message)
        except OutOfTime:
            return failed(f"Recognising the page took longer than the {seconds:,.0f} seconds it may take.")
        except Illegible:
            return failed(ILLEGIBLE)
        except Exception as error:  # noqa: BLE001 - a page that the engine chokes on must not cost the others
            get_logger("ocr").warning("page not recognised", page=number, error=error)
            return failed("The recognition of the page failed.")
        letters = sum(len(line.text) for line in lines)
        sure = sum(line.confidence * len(line.text) for line in lines)
        return RecognisedPage(
            number,
            reader.width,
            reader.height,
            lines,
            confidence=round(sure / letters, 3) if letters else None,
            rotation=round(reader.rotation, 2),
            seconds=_since(start),
            cpu_seconds=round(time.thread_time() - cpu_start, 3),
        )


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)
