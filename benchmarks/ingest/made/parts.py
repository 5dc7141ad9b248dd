"""What the made documents have in common: an author who always writes the same, and a package of parts."""

from __future__ import annotations

import random
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEED = 20

_VOCABULARY = (
    "water river mill paper basin energy steam boiler supplier auditor waste apprentice training safety "
    "forest permit target measure year plan board report network customer order price quality delivery "
    "surface weight the the the of of of and and to to in in for with by was were has had is not more less"
)
_WORDS = _VOCABULARY.split()
OPEN = "http://schemas.openxmlformats.org"
RELATION = f"{OPEN}/officeDocument/2006/relationships"
_CONTENT = "application/vnd.openxmlformats-officedocument."
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


class Author(random.Random):
    def sentence(self, words: int) -> str:
        return " ".join(self.choices(_WORDS, k=words)).capitalize() + "."

    def prose(self, sentences: int) -> str:
        return " ".join(self.sentence(self.randint(6, 22)) for _ in range(sentences))


def pack(path: Path, types: Mapping[str, str], parts: Mapping[str, str]) -> None:
    """`types` are the content types of parts; the first part is the main one."""
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{_CONTENT}{kind}+xml"/>' for name, kind in types.items()
    )
    contents = (
        f'<Types xmlns="{OPEN}/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
    main = next(iter(parts))
    every = {"[Content_Types].xml": contents, "_rels/.rels": relations({"r1": ("officeDocument", main)})}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**every, **parts}.items():
            archive.writestr(zipfile.ZipInfo(name), _HEAD + content, zipfile.ZIP_DEFLATED)


def relations(targets: Mapping[str, tuple[str, str]]) -> str:
    """Kind and target by id."""
    each = (
        f'<Relationship Id="{one}" Type="{RELATION}/{kind}" Target="{target}"/>'
        for one, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{OPEN}/package/2006/relationships">{"".join(each)}</Relationships>'
