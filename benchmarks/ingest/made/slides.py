"""PowerPoint presentations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ingest.made.parts import OPEN, RELATION, SEED, Author, pack, relations

if TYPE_CHECKING:
    from pathlib import Path

SLIDES = 300
_SLIDE = (
    f'xmlns:a="{OPEN}/drawingml/2006/main" xmlns:r="{RELATION}" xmlns:p="{OPEN}/presentationml/2006/main"'
)


def slides_pptx(path: Path) -> None:
    """Titles, bullets and text boxes; a table on every third slide, notes on every second."""
    author = Author(SEED)
    presentation = "ppt/presentation.xml"
    types = {presentation: "presentationml.presentation.main"}
    listed = "".join(f'<p:sldId id="{256 + at}" r:id="r{at}"/>' for at in range(SLIDES))
    parts = {
        presentation: f"<p:presentation {_SLIDE}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            {f"r{at}": ("slide", f"slides/slide{at}.xml") for at in range(SLIDES)}
        ),
    }
    for at in range(SLIDES):
        name, notes = f"ppt/slides/slide{at}.xml", f"notesSlides/notesSlide{at}.xml"
        types[name] = "presentationml.slide"
        shapes = [
            _shape(2, '<p:ph type="title"/>', _line(author, 1)),
            _shape(3, '<p:ph idx="1"/>', "".join(_line(author, 2) for _ in range(5))),
            _shape(4, "", _line(author, 1)),
        ]
        parts[name] = _slide("sld", "".join(shapes) + (_table(author) if at % 3 == 0 else ""))
        if at % 2 == 0:
            types[f"ppt/{notes}"] = "presentationml.notesSlide"
            parts[f"ppt/{notes}"] = _slide(
                "notes", _shape(2, '<p:ph type="body" idx="1"/>', _line(author, 4))
            )
            parts[f"ppt/slides/_rels/slide{at}.xml.rels"] = relations({"r1": ("notesSlide", f"../{notes}")})
    pack(path, types, parts)


def _slide(element: str, shapes: str) -> str:
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    return (
        f"<p:{element} {_SLIDE}><p:cSld><p:spTree>{group}{shapes}</p:spTree></p:cSld>"
        f"<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:{element}>"
    )


def _shape(number: int, placeholder: str, lines: str) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="Shape {number}"/><p:cNvSpPr/>'
        f"<p:nvPr>{placeholder}</p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:lstStyle/>{lines}</p:txBody></p:sp>"
    )


def _line(author: Author, sentences: int) -> str:
    return f'<a:p><a:r><a:rPr lang="en-GB" dirty="0"/><a:t>{author.prose(sentences)}</a:t></a:r></a:p>'


def _table(author: Author) -> str:
    cell = "<a:tc><a:txBody><a:bodyPr/><a:lstStyle/>{}</a:txBody><a:tcPr/></a:tc>"
    rows = (
        f'<a:tr h="370840">{"".join(cell.format(_line(author, 1)) for _ in range(3))}</a:tr>'
        for _ in range(4)
    )
    columns = '<a:gridCol w="2700000"/>' * 3
    return (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="5" name="Table 5"/><p:cNvGraphicFramePr/><p:nvPr/>'
        '</p:nvGraphicFramePr><p:xfrm><a:off x="0" y="0"/><a:ext cx="8100000" cy="1483360"/></p:xfrm>'
        f'<a:graphic><a:graphicData uri="{OPEN}/drawingml/2006/table"><a:tbl><a:tblGrid>{columns}</a:tblGrid>'
        f"{''.join(rows)}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
