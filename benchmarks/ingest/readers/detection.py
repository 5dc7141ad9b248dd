"""What tells a file's format."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ingest.readers import Reading

if TYPE_CHECKING:
    from benchmarks.ingest.readers import Load, Read


def headrace() -> Read:
    from shared.extract.shapes import Limits
    from shared.extract.sniff import sniff

    return lambda path: Reading(text=sniff(Path(path), suffix="", content_type="", limits=Limits()))


def magika() -> Read:
    model = import_module("magika").Magika()
    return lambda path: Reading(text=model.identify_path(path).output.mime_type)


READERS: dict[str, Load] = {"Headrace": headrace, "magika": magika}
