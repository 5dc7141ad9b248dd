"""An Office document as a package: parts in a ZIP, and the relationships between them (ISO/IEC 29500-2)."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from shared.extract.office.xml import Handlers, scan
from shared.extract.refusals import damaged_document, too_many
from shared.extract.tidy import squeeze
from shared.extract.zips import SafeZip

if TYPE_CHECKING:
    from shared.extract.office.xml import Attributes
    from shared.extract.shapes import Limits
    from shared.extract.zips import Source

_RELATIONS = 100_000  # of one part; a slide has a dozen, a long report some thousand links
_MAX_TITLE = 300  # characters
_NO_TITLE = re.compile(
    r"(?i)\.(?:docx?|pptx?|xlsx?|pdf)$|^(?:untitled|unbenannt|sans titre|title|titel"
    r"|microsoft (?:word|excel)\b.*|word document"
    r"|(?:microsoft )?powerpoint\W?pr\w+|pr\w+ (?:de )?(?:microsoft )?powerpoint"
    r"|document\s?\d*|dokument\s?\d*|presentation\s?\d*|pr\w+sentation\s?\d*|slide\s?\d*|[^\s_]*+_\S*+)$"
)
"""What programs put there: the name of the file, or that there is none."""


@dataclass(frozen=True, slots=True)
class Relation:
    """`kind` is the last word of its type, as in "styles"; `part` is the name of the part that is meant."""

    kind: str
    part: str


class Package:
    """The parts of one document; `what` names its kind in refusals, as in "Word document"."""

    def __init__(self, source: Source, limits: Limits, what: str) -> None:
        """Raises Rejected as SafeZip does."""
        self._zip = SafeZip(source, limits)
        self._limits = limits
        self._what = what
        self._names = {name.casefold(): name for name in self._zip.names}  # parts' names have no case

    def __enter__(self) -> Self:
        self._zip.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.__exit__()

    def main_part(self) -> tuple[str, dict[str, Relation]]:
        """The name of the part that everything else hangs on, and its relations by their id.

        Raises Rejected(`unreadable_document`) where there is none.
        """
        for relation in self.relations("").values():
            if relation.kind == "officeDocument" and relation.part.casefold() in self._names:
                return relation.part, self.relations(relation.part)
        raise damaged_document(self._what)

    def relations(self, part: str) -> dict[str, Relation]:
        """Those of `part` ("" is the package itself) that lead to a part; links to elsewhere are none."""
        folder, name = posixpath.split(part)
        reader = _Relations(folder)
        self.scan(posixpath.join(folder, "_rels", f"{name}.rels"), reader)
        if len(reader.found) > _RELATIONS:
            raise too_many("members", f"more than {_RELATIONS:,} relations of one part", _RELATIONS)
        return reader.found

    def scan(self, part: str, handlers: Handlers) -> None:
        """Reads a part, which may be missing; raises what `scan` of XML does, and reading a SafeZip."""
        name = self._names.get(part.casefold())
        if name is not None:
            with self._zip.open(name) as stream:
                scan(stream, handlers, what=self._what, limits=self._limits)

    def title(self) -> str | None:
        """What the document's properties call it, unless a program made that up."""
        for relation in self.relations("").values():
            if relation.kind == "core-properties":
                core = _Core()
                self.scan(relation.part, core)
                title = squeeze(core.title)[:_MAX_TITLE]
                return title if title and not _NO_TITLE.search(title) else None
        return None


class _Relations(Handlers):
    def __init__(self, folder: str) -> None:
        self.found: dict[str, Relation] = {}
        self._folder = folder
        self.starts = {"rel:Relationship": self._add}

    def _add(self, attributes: Attributes) -> None:
        if attributes.get("TargetMode") == "External" or len(self.found) > _RELATIONS:
            return
        target = unquote(attributes.get("Target", "")).partition("#")[0]
        part = posixpath.normpath(posixpath.join("/", self._folder, target)).lstrip("/")
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.found[attributes.get("Id", "")] = Relation(kind, part)


class _Core(Handlers):
    def __init__(self) -> None:
        self.title = ""
        self.texts = {"dc:title": self._set_title}

    def _set_title(self, text: str) -> None:
        self.title = self.title or text
