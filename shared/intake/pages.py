"""Images of a document's pages, and the places of its passages on them.

They show the file as it is, before redaction: ask for the scope `originals` before they are shown. pdfium
works on the file in a process with limits; what it makes is kept, encrypted, with the run's artefacts in the
work bucket, and so erased with the document or its run.

Both functions raise Rejected, whose message and hint are for people: `no_page_image`, `no_such_page`,
`deleted`, `encrypted`, `unreadable_pdf`, `too_many_bytes`, `too_slow`, `too_much_memory`,
`extraction_crashed`; Superseded where the file was overwritten and its new content has no result yet; Busy
and SandboxUnavailable where the same may be asked again in a moment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import tempfile
import threading
from collections import OrderedDict
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter

from shared.documents.artefacts import delete, prefix
from shared.documents.store import Documents
from shared.documents.uploads import upload_of
from shared.extract.refusals import no_such_page
from shared.extract.sandbox import Task
from shared.extract.sandbox.client import Sandbox, misshapen
from shared.extract.sniff import PDF
from shared.intake.fetch import download, password_of, turn, turns
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Rejected
from shared.platform.retry import storage_limits
from shared.platform.sealed import Seal
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shared.documents.model import Document
    from shared.platform.records import UploadEvent

WIDTHS = (240, 800, 1200, 1600)
"""Widths of an image in pixels: in a list, beside a text, and both on finer screens."""
MEDIA_TYPE = "image/jpeg"
MAX_PIXELS = 6_000_000
"""Pixels of an image; a page that would have more, as it is very high, is drawn narrower."""
MAX_IMAGE_BYTES = 4 * 1024 * 1024
PAGE_SECONDS = 30.0
"""Time to draw a page, or to find its passages."""
PAGE_MEMORY = 768 * 1024 * 1024
"""Bytes of address space of the process that does."""
WAIT_SECONDS = 10.0
"""For one of the turns that `extract_at_once` limits."""
MAX_PASSAGES = 2_000
"""Passages of one page that are looked for."""
KEPT_BYTES = 64 * 1024 * 1024
"""Files last used that an instance keeps, so that the next page needs no download."""

Share = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a box from the page's top left corner, as shares of its width and height."""
_IMAGE = TypeAdapter(tuple[int, int, str])
_BOXES = TypeAdapter(list[Share])
_PLACES = TypeAdapter(list[list[Share]])
_SIZE = struct.Struct(">HH")


class PageImage(NamedTuple):
    """An image of a page; `width` and `height` in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


def prepare() -> None:
    """Start the process that pages are drawn in, before the first page is asked for."""
    _sandbox.prepare()


def page_image(document: Document, page: int, width: int) -> PageImage:
    """Return the image of page `page` (from 1) of what is shown of a document; `width` is one of `WIDTHS`.

    A very high page is drawn narrower, so that it has at most `MAX_PIXELS`.

    Raises:
        ValueError: `width` is another one.
    """
    if width not in WIDTHS:
        raise ValueError(f"no width {width}; there are {', '.join(map(str, WIDTHS))}")

    def make(path: Path, password: str | None) -> bytes:
        arguments = {"page": page, "width": width, "pixels": MAX_PIXELS, "password": password}
        drawn = _sandbox.run(_task(DRAW, path, arguments), lambda: _Drawn(width))[0]
        return _SIZE.pack(drawn.columns, drawn.rows) + drawn.data

    kept = _kept(document, page, f"{page}-{width}", make)
    return PageImage(kept[_SIZE.size :], MEDIA_TYPE, *_SIZE.unpack_from(kept))


def page_places(document: Document, page: int, passages: Sequence[Mapping[str, Any]]) -> list[list[Share]]:
    """Return for each passage the boxes that hold its text on a page, one a line; none: it was not found.

    A row of a table has one box. So has a passage of a page whose text was recognised: the box is its
    paragraph's there.

    Args:
        document: the passages' own.
        page: its number, from 1.
        passages: of that page, as `views.passage_view` gives them; and of the page before, whose last one may
            end on this page. None beyond `MAX_PASSAGES` is found.
    """
    looked_for = [asked(passage, page) for passage in passages[:MAX_PASSAGES]]
    read = all(recognition.page != page for recognition in document.recognised)

    def make(path: Path, password: str | None) -> bytes:
        arguments = {"page": page, "password": password, "read": read, "passages": looked_for}
        found = _sandbox.run(_task(PLACE, path, arguments), _Found)[0].found
        if len(found) != len(looked_for):
            raise misshapen()
        return json.dumps(found).encode()

    digest = hashlib.sha256(json.dumps(looked_for).encode()).hexdigest()[:16]
    places = _PLACES.validate_json(_kept(document, page, f"{page}-places-{digest}", make))
    return [*places, *([] for _ in passages[MAX_PASSAGES:])]


def asked(passage: Mapping[str, Any], page: int) -> tuple[str | None, list[float] | None, bool]:
    """Return a passage as `drawing.place` takes it: a row of a table has words of its heads in its text."""
    begun = passage["page"] != page
    box = None if begun else passage.get("box")
    is_row = passage.get("kind") == "row" and box is not None
    return None if is_row else passage["text"], None if box is None else list(box), begun


def _task(function: str, path: Path, arguments: dict[str, Any]) -> Task:
    return Task(function, str(path), arguments, MAX_IMAGE_BYTES, PAGE_SECONDS, PAGE_MEMORY)


DRAW, PLACE = "shared.intake.drawing:draw", "shared.intake.drawing:place"
WARM = ("shared.intake.drawing", "PIL.JpegImagePlugin")
"""Modules that drawing a page needs."""
_sandbox = Sandbox(WARM)


class _Drawn:
    """Checks and keeps an image: the process that sends it is not trusted."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.columns = self.rows = 0
        self.data = b""

    def take(self, piece: bytes) -> None:
        self.columns, self.rows, text = _IMAGE.validate_json(piece)
        self.data = base64.b64decode(text, validate=True)
        if not (
            0 < self.columns <= self._width
            and 0 < self.columns * self.rows <= MAX_PIXELS
            and len(self.data) <= MAX_IMAGE_BYTES
            and self.data.startswith(b"\xff\xd8\xff")
        ):
            raise ValueError("no image")


class _Found:
    """Checks and keeps the boxes of passages."""

    def __init__(self) -> None:
        self.found: list[list[Share]] = []

    def take(self, piece: bytes) -> None:
        boxes = _BOXES.validate_json(piece)
        if not all(0 <= share <= 1 for box in boxes for share in box) or len(self.found) >= MAX_PASSAGES:
            raise ValueError("no boxes of a page")
        self.found.append(boxes)


def _kept(document: Document, page: int, name: str, make: Callable[[Path, str | None], bytes]) -> bytes:
    """Return what is kept of a document under a name, made of its file on first use."""
    from google.api_core.exceptions import NotFound

    if document.media_type != PDF:
        raise Rejected(
            "no_page_image",
            "This document has no page images: only a PDF has pages that look alike everywhere.",
            "Read its passages, or open the file itself.",
        )
    if not 0 < page <= (document.pages or 0):
        raise no_such_page(page)
    event, run = _shown(document)
    bucket = storage_client().bucket(settings().work_bucket)
    # A document that was erased and comes again counts its runs from one.
    blob = bucket.blob(f"{prefix(document.id, run)}pages/{event.generation}/{name}")
    try:
        kept = _seal().open(blob.download_as_bytes(raw_download=True, **storage_limits()), blob.name)
    except NotFound:
        kept = None
    if kept is not None:
        return kept
    with turn(turns(), WAIT_SECONDS), _files.file(event) as path:
        made = make(path, password_of(event.name))
    blob.upload_from_string(
        _seal().close(made, blob.name), content_type="application/octet-stream", **storage_limits()
    )
    current = Documents(firestore_client()).get(document.id)
    if current is None or current.state == "erasing" or _shown(current) != (event, run):
        delete(blob)  # whoever erased the document, or the run, may have looked before it was there
    return made


def _shown(document: Document) -> tuple[UploadEvent, int]:
    """Return the upload and the run that are shown of a document: what is published, else the newest."""
    event, run = upload_of(document), document.published_run or document.run
    if run == document.run:
        return event, run
    record = Documents(firestore_client()).read_run(document.id, run)
    generation = record.generation if record else document.generation
    return event.model_copy(update={"generation": generation}), run


@cache
def _seal() -> Seal:
    return Seal("page images")


class _Files:
    """Uploaded files of at most `KEPT_BYTES` together, the last ones that were used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, int], IO[bytes]] = OrderedDict()
        self._sizes: dict[tuple[str, str, int], int] = {}

    @contextmanager
    def file(self, event: UploadEvent) -> Iterator[Path]:
        """Provide the file of an upload for as long as the block lasts; it is deleted when nobody has it."""
        key = event.bucket, event.name, event.generation
        with self._lock:
            file = self._kept.get(key)
        if file is None:
            file = tempfile.NamedTemporaryFile(prefix="page-")  # noqa: SIM115 - closed with its last reference
            download(event, Path(file.name), settings().max_bytes)
        self._keep(key, file)
        yield Path(file.name)

    def _keep(self, key: tuple[str, str, int], file: IO[bytes]) -> None:
        with self._lock:
            self._kept[key] = file
            self._sizes[key] = Path(file.name).stat().st_size
            self._kept.move_to_end(key)
            while sum(self._sizes.values()) > KEPT_BYTES:
                oldest, _ = self._kept.popitem(last=False)
                del self._sizes[oldest]


_files = _Files()
