"""Office documents as small as they can be, built from strings."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OFFICE = "http://schemas.openxmlformats.org"
RELATION = f"{OFFICE}/officeDocument/2006/relationships"
NAMESPACES = (
    f'xmlns:w="{OFFICE}/wordprocessingml/2006/main" xmlns:a="{OFFICE}/drawingml/2006/main" '
    f'xmlns:p="{OFFICE}/presentationml/2006/main" xmlns:r="{RELATION}" '
    f'xmlns:dgm="{OFFICE}/drawingml/2006/diagram" xmlns:m="{OFFICE}/officeDocument/2006/math" '
    f'xmlns:mc="{OFFICE}/markup-compatibility/2006" xmlns:wps="urn:shapes" xmlns:v="urn:old-shapes"'
)
SHEET = f'xmlns="{OFFICE}/spreadsheetml/2006/main" xmlns:r="{RELATION}"'


def pack(parts: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def relations(**targets: str) -> str:
    """Each `kind_id="target"`, such as `slide_r1="slides/slide1.xml"`."""
    each = (
        f'<Relationship Id="{name.partition("_")[2] or name}" Type="{RELATION}/{name.partition("_")[0]}" '
        f'Target="{target}"/>'
        for name, target in targets.items()
    )
    return f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{"".join(each)}</Relationships>'


def package(main: str, parts: Mapping[str, str | bytes], title: str = "") -> bytes:
    core = (
        '<core xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{escape(title)}</dc:title></core>"
    )  # fmt: skip
    root = (
        f'<Relationships xmlns="{OFFICE}/package/2006/relationships">'
        f'<Relationship Id="1" Type="{RELATION}/officeDocument" Target="{main}"/>'
        f'<Relationship Id="2" Type="{OFFICE}/package/2006/relationships/metadata/core-properties" '
        'Target="/docProps/core.xml"/></Relationships>'
    )
    return pack({"[Content_Types].xml": "<Types/>", "_rels/.rels": root, "docProps/core.xml": core, **parts})


# Word


def docx(  # the parts of a document
    body: str, *, styles: str = "", footnotes: str = "", endnotes: str = "", title: str = "", chart: str = ""
) -> bytes:
    """`chart` is the part of the relation "c1", if there is one."""

    def part(element: str, content: str) -> str:
        return f"<w:{element} {NAMESPACES}>{content}</w:{element}>"

    return package(
        "word/document.xml",
        {
            "word/document.xml": part("document", f"<w:body>{body}</w:body>"),
            "word/_rels/document.xml.rels": relations(
                styles="styles.xml",
                footnotes="footnotes.xml",
                endnotes="endnotes.xml",
                **({"chart_c1": "charts/chart1.xml"} if chart else {}),
            ),
            **({"word/charts/chart1.xml": chart} if chart else {}),
            "word/styles.xml": part("styles", styles),
            "word/footnotes.xml": part("footnotes", footnotes),
            "word/endnotes.xml": part("endnotes", endnotes),
        },
        title,
    )


def para(text: str, properties: str = "", run: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{escape(text)}</w:t></w:r></w:p>"


def styled(text: str, style: str) -> str:
    return para(text, f'<w:pStyle w:val="{style}"/>')


def style(identifier: str, name: str, *, based_on: str = "", properties: str = "") -> str:
    return (
        f'<w:style w:type="paragraph" w:styleId="{identifier}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="{based_on}"/><w:pPr>{properties}</w:pPr></w:style>'
    )


def table(*rows: Iterable[str]) -> str:
    """Of cells that are XML."""
    written = ("".join(f"<w:tc><w:tcPr/>{cell}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in written)}</w:tbl>"


# PowerPoint


def pptx(
    slides: Mapping[str, str],
    *,
    notes: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """Slides in the order of the mapping, by names that say nothing of it; notes by the names of slides."""
    parts: dict[str, str] = dict(extra or {})
    listed = "".join(f'<p:sldId id="{at}" r:id="{name}"/>' for at, name in enumerate(slides, 256))
    parts["ppt/presentation.xml"] = (
        f"<p:presentation {NAMESPACES}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    )
    parts["ppt/_rels/presentation.xml.rels"] = relations(
        **{f"slide_{name}": f"slides/{name}.xml" for name in sorted(slides)}
    )
    for name, content in slides.items():
        parts[f"ppt/slides/{name}.xml"] = content
        more = {"notesSlide": f"../notesSlides/{name}.xml"} if notes and name in notes else {}
        parts.setdefault(f"ppt/slides/_rels/{name}.xml.rels", relations(**more))
    for name, content in (notes or {}).items():
        parts[f"ppt/notesSlides/{name}.xml"] = content
    return package("ppt/presentation.xml", parts)


def slide(*shapes: str, attributes: str = "", element: str = "sld") -> str:
    tree = f"<p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld>"
    return f"<p:{element} {NAMESPACES} {attributes}>{tree}</p:{element}>"


def shape(*paragraphs: str, kind: str | None = None) -> str:
    """`kind` is the placeholder's type: "" for one that has none, None for a free text box."""
    placeholder = "" if kind is None else f'<p:ph type="{kind}"/>' if kind else '<p:ph idx="1"/>'
    return (
        f"<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>"
        f"<p:txBody>{''.join(paragraphs)}</p:txBody></p:sp>"
    )


def line(text: str, properties: str = "") -> str:
    return f"<a:p><a:pPr>{properties}</a:pPr><a:r><a:t>{escape(text)}</a:t></a:r></a:p>"


# Excel


def xlsx(
    sheets: Mapping[str, str],
    *,
    strings: Iterable[str] = (),
    formats: Iterable[str] = (),
    properties: str = "",
    hidden: Iterable[str] = (),
    styles: str = "",
    after: str = "",
) -> bytes:
    """Sheets of XML rows by their names; strings are XML too; style n + 1 has the n-th of the formats.

    `styles` are XML in their place; `after` follows the rows of each sheet.
    """
    names = list(sheets)
    state = {name: "hidden" if name in hidden else "visible" for name in names}
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{at}" r:id="r{at}" state="{state[name]}"/>'
        for at, name in enumerate(names)
    )
    codes = list(formats)
    styles = styles or (
        "<numFmts>"
        + "".join(f'<numFmt numFmtId="{200 + at}" formatCode={quoteattr(c)}/>' for at, c in enumerate(codes))
        + '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>'
        + "".join(f'<xf numFmtId="{200 + at}"/>' for at in range(len(codes)))
        + "</cellXfs>"
    )
    return package(
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f"<workbook {SHEET}>{properties}<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                styles_s="styles.xml",
                sharedStrings_t="sharedStrings.xml",
                **{f"worksheet_r{at}": f"worksheets/sheet{at}.xml" for at in range(len(names))},
            ),
            "xl/styles.xml": f"<styleSheet {SHEET}>{styles}</styleSheet>",
            "xl/sharedStrings.xml": f"<sst {SHEET}>{''.join(f'<si>{si}</si>' for si in strings)}</sst>",
            **{
                f"xl/worksheets/sheet{at}.xml": f"<worksheet {SHEET}><sheetData>{sheets[name]}</sheetData>"
                f"{after}</worksheet>"
                for at, name in enumerate(names)
            },
        },
    )


def grid(*rows: Iterable[object]) -> str:
    """Rows of texts and numbers, without their addresses."""
    return "".join(f"<row>{''.join(map(_value, row))}</row>" for row in rows)


def _value(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value!r}</v></c>"
