"""Plain text and Markdown: encodings, paragraphs, what is no text at all."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.extract.core import extract
from shared.extract.decode import decode
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.extract.tidy import Joiner
from shared.platform.errors import Rejected

PROSE = "Grüße aus München. Das Werk spart „viel“ Öl für 5 €.\n"


def read(path: Path, data: bytes, name: str = "a.txt", **limits: int) -> Extracted:
    path.write_bytes(data)
    return extract(path, name=name, content_type=None, options=ExtractOptions(limits=Limits(**limits)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_every_usual_encoding_reads_alike(encoding: str) -> None:
    """With or without a byte-order mark, the same text comes out."""
    assert decode((PROSE * 5).encode(encoding)) == PROSE * 5


SENTENCES = {
    "ru": "Компания сократила выбросы газов на двенадцать процентов. "
    "В следующем году мы построим новую очистную станцию на реке.",
    "uk": "Компанія скоротила викиди газів на дванадцять відсотків. "
    "Наступного року ми збудуємо нову очисну станцію.",
    "el": "Η εταιρεία μείωσε τις εκπομπές αερίων. Του χρόνου θα κατασκευάσουμε νέο σταθμό.",
    "he": "החברה הפחיתה את פליטות גזי החממה. בשנה הבאה נבנה מתקן חדש על גדת הנהר.",
    "ar": "خفضت الشركة انبعاثات الغازات بنسبة كبيرة. في العام المقبل سنبني محطة جديدة.",
    "th": "บริษัทลดการปล่อยก๊าซเรือนกระจกลงร้อยละสิบสอง ปีหน้าเราจะสร้างโรงบำบัดน้ำแห่งใหม่",
    "ja": "当社は温室効果ガスの排出量を削減しました。来年は川のほとりに浄水施設を建設します。",
    "zh": "公司将温室气体排放量减少了百分之十二。明年我们将在河边建设新的污水处理厂。",
    "tw": "公司將溫室氣體排放量減少了百分之十二。明年我們將在河邊建設新的污水處理廠。",
    "ko": "회사는 온실가스 배출량을 줄였습니다. 내년에는 강가에 새로운 정수 시설을 짓습니다.",
    "pl": "Spółka zmniejszyła emisję gazów o dwanaście procent. "
    "Pracownicy przeszli szkolenie, które było dla nich.",
    "tr": "Şirket sera gazı emisyonlarını yüzde on iki azalttı. Gelecek yıl yeni bir tesis kuracağız.",
    "es": "La compañía redujo las emisiones. El próximo año construiremos una depuradora junto al río.",
    "fr": "L’entreprise a réduit ses émissions. L’année prochaine, nous bâtirons une station près du fleuve.",
    "en": "The company’s emissions fell by 12 per cent – a “first” for us, and it cost £5.",
}
LEGACY = [
    ("ru", "cp1251"), ("ru", "koi8-r"), ("ru", "iso8859-5"), ("uk", "cp1251"), ("el", "cp1253"),
    ("he", "cp1255"), ("ar", "cp1256"), ("th", "cp874"), ("ja", "shift_jis"), ("ja", "euc_jp"),
    ("ja", "iso2022_jp"), ("zh", "gb18030"), ("zh", "gbk"), ("tw", "big5"), ("ko", "euc_kr"),
    ("pl", "cp1250"), ("pl", "iso8859-2"), ("tr", "cp1254"), ("es", "cp1252"),
    ("fr", "cp1252"), ("en", "cp1252"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "encoding"), LEGACY)
@pytest.mark.parametrize("times", [1, 30])
def test_what_an_old_program_wrote_is_read(language: str, encoding: str, times: int) -> None:
    """Two sentences are enough to tell the encoding, and many are not too many."""
    text = (SENTENCES[language] + "\n") * times
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("language", SENTENCES)
def test_wide_encodings_need_no_mark(language: str, encoding: str) -> None:
    """In any script."""
    text = SENTENCES[language] + "\n"
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "text", ["5 £\n", "café", "Müller\n", "ÄÖÜ\n", "id;text\n1;Gut für uns\n", "10 µg/m³\n"]
)
def test_few_letters_are_western(text: str) -> None:
    """Where nothing tells, it is the commonest encoding; and no last letter is taken for half of one."""
    assert decode(text.encode("cp1252")) == text


def test_an_accent_tells_the_encoding_wherever_it_stands() -> None:
    """Also behind the part of the file that is looked at first."""
    text = "id;text\n" * 20_000 + SENTENCES["ru"] * 30
    assert decode(text.encode("cp1251")) == text


def test_a_file_cut_off_inside_a_character_is_still_utf8() -> None:
    """The broken last character is dropped and the others stay what they are."""
    assert decode("Müller würde grüßen, ä".encode()[:-1]) == "Müller würde grüßen, "


def test_a_few_malformed_bytes_do_not_turn_utf8_into_mojibake() -> None:
    """One bad byte costs one character, not every accent of the file."""
    text = decode(("Grüße für Öl. " * 20).encode() + b"\xff Ende")
    assert "Grüße" in text
    assert text.count("\ufffd") == 1


def test_newlines_and_control_characters_are_evened_out() -> None:
    """Windows and old Mac line ends become one; null bytes and escapes go."""
    data = b"one\r\ntwo\rthree\x00\x1b" + b" and a lot of other text" * 10
    assert decode(data).startswith("one\ntwo\nthree and")


LINE = "The plant cut its use of water by 12%."


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        pytest.param(f"{LINE}\a\n", f"{LINE}\n", id="a bell"),
        pytest.param("\x1b[1;32mok\x1b[0m 1\n" * 50, "ok 1\n" * 50, id="colours, more than letters"),
        pytest.param(f"\x1b]0;a title\a{LINE}", LINE, id="a window's title"),
        pytest.param(f"\x1b(B{LINE}\x1b7\x1b=", LINE, id="short sequences"),
        pytest.param(f"{LINE} \x1b", f"{LINE} ", id="an escape of nothing"),
        pytest.param(f"{LINE}\x1a", LINE, id="the end of a file of DOS"),
        pytest.param("One\x0bTwo\x0cThree", "One\nTwo\n\nThree", id="line and page breaks"),
        pytest.param(
            f"id,text\n1\x00,{LINE}\x00\n" * 40, f"id,text\n1,{LINE}\n" * 40, id="a table with NULs"
        ),
        pytest.param("a\x00bb\x00 " + "c" * 14, "abb " + "c" * 14, id="one character in ten"),
    ],
)
def test_text_with_control_characters_is_read(written: str, read_as: str) -> None:
    """A terminal's sequences go whole, other controls alone; neither makes the file binary."""
    assert decode(written.encode()) == read_as


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a\x00bb\x00 " + b"c" * 13, id="more than one character in ten"),
        pytest.param(b"\x1b" * 100 + LINE.encode(), id="escapes alone"),
        pytest.param((LINE.encode() + b"\x01\x02") * 9, id="other controls"),
        pytest.param(b"\x07\x00\x00\x00\x0a\x00\x00\x00" * 99, id="numbers of four bytes"),
    ],
)
def test_what_has_too_many_control_characters_is_binary(data: bytes) -> None:
    """It is refused as before, with its code."""
    with pytest.raises(Rejected) as caught:
        decode(data)
    assert caught.value.code == "unsupported_type"


def test_programs_and_images_are_refused(file: Path) -> None:
    """Whatever this machine has of them, also where it begins in the middle."""
    of_python = Path(sys.executable).resolve().read_bytes()
    [library, *_] = (Path(np.__file__).parent / "_core").glob("*.so")
    for binary in (of_python, library.read_bytes()):
        for part in (binary[:200_000], binary[len(binary) // 2 :][:200_000], zlib.compress(binary[:200_000])):
            with pytest.raises(Rejected) as caught:
                read(file, part)
            assert caught.value.code == "unsupported_type"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \n\t \n", "no_text"),
        (b"--- *** ---\n", "no_text"),
        (b"PK\x03\x04rest", "unreadable_archive"),
        (b"!<arch>\n" + b"symbol of a library\x00" * 20, "unsupported_type"),
        (b"\x89PNG\r\n\x1a\n", "unsupported_type"),
        (b"<?xml version='1.0'?><a/>", "unsupported_type"),
        (bytes(range(256)) * 20, "unsupported_type"),
        (b"\x00" * 500, "unsupported_type"),
        (b"12 0 obj\n<< >>\nendobj\n", "unreadable_pdf"),
    ],
)
def test_what_is_no_text_is_rejected_with_its_code(file: Path, data: bytes, code: str) -> None:
    """Each kind of unusable file has a code, a sentence and a hint."""
    with pytest.raises(Rejected) as caught:
        read(file, data)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")


def test_sizes_beyond_the_limits_are_rejected(file: Path) -> None:
    """Bytes are checked before the file is read, characters after it is decoded."""
    with pytest.raises(Rejected) as caught:
        read(file, b"word " * 100, bytes=100)
    assert caught.value.code == "too_many_bytes"
    with pytest.raises(Rejected) as caught:
        read(file, b"word " * 100, characters=100)
    assert caught.value.code == "too_many_characters"


def test_wrapped_lines_become_paragraphs(file: Path) -> None:
    """A line broken for want of room goes on; a short line, a bullet and capitals begin something new."""
    text = (
        "EMISSIONS FELL\n"
        "The boiler replaced natural gas in all of the plants of the group, and emis-\n"
        "sions fell by a tenth. The second boiler follows in the spring of next year and\n"
        "is paid for.\n"
        "- one item of the list\n"
        "- another item of it\n"
        "\n"
        "A new paragraph stands alone.\n"
    )
    paragraph = (
        "The boiler replaced natural gas in all of the plants of the group, and emissions fell by a tenth. "
        "The second boiler follows in the spring of next year and is paid for."
    )
    blocks = read(file, text.encode()).blocks
    assert [(block.kind, block.text) for block in blocks] == [
        ("heading", "EMISSIONS FELL"),
        ("text", paragraph),
        ("text", "- one item of the list"),
        ("text", "- another item of it"),
        ("text", "A new paragraph stands alone."),
    ]


def test_markdown_loses_its_marks_and_keeps_its_structure(file: Path) -> None:
    """Headings, emphasis, links and table rows come out as text of their kind."""
    text = (
        "# Water use\n\nWe **reduced** it, see [the plan](https://a.example/x).\n\n"
        "| site | m3 |\n|---|---|\n| Aulder | 12 |\n"
    )
    extracted = read(file, text.encode(), name="notes.md")
    assert extracted.media_type == "text/markdown"
    assert extracted.title == "Water use"
    assert [(block.kind, block.text) for block in extracted.blocks] == [
        ("heading", "Water use"),
        ("text", "We reduced it, see the plan."),
        ("table", "site > Aulder | m3: 12"),
    ]


def test_tables_of_markdown_keep_heads_and_the_heading_above(file: Path) -> None:
    """Bars that are escaped divide nothing; a bold row stands out; two tables are two."""
    text = (
        "## Staff\n| | 2023 | 2022 |\n|:--|--:|--:|\n| **All** | 9 | 8 |\n| Women\\|X | 4 | |\n\n"
        "|a|b|\n|--|--|\n|c|d|\n"
    )
    extracted = read(file, text.encode(), name="notes.md")
    assert [block.text for block in extracted.blocks] == [
        "Staff",
        "Staff > All | 2023: 9; 2022: 8",
        "Staff > Women|X | 2023: 4",
        "a > c | b: d",
    ]
    assert len(extracted.tables) == 2


def test_lines_in_columns_are_a_table(file: Path) -> None:
    """Drawn by blanks or tabs, with labels between; prose with wide gaps and contents are none."""
    drawn = (
        "Our energy\n\n"
        "                     2023      2022\n"
        "Bought\n"
        "  Electricity       1,200       900\n"
        "  Gas                  12         -\n"
        "Made\n"
        "  Sun                   7         5\n\n"
        "This was measured by the meters of the grid, and by our own where there are none.\n"
    )
    assert [(block.kind, block.text) for block in read(file, drawn.encode()).blocks] == [
        ("heading", "Our energy"),
        ("table", "Our energy > Bought > Electricity | 2023: 1,200; 2022: 900"),
        ("table", "Our energy > Bought > Gas | 2023: 12; 2022: -"),
        ("table", "Our energy > Made > Sun | 2023: 7; 2022: 5"),
        ("text", "This was measured by the meters of the grid, and by our own where there are none."),
    ]
    tabbed = "Site\tWater\tWaste\nMill\t12\t\nFarm\t9\t3\n"
    assert [block.text for block in read(file, f"Water and waste.\n\n{tabbed}".encode()).blocks][1:] == [
        "Site > Mill | Water: 12",
        "Site > Farm | Water: 9; Waste: 3",
    ]
    prose = "We use 12 mills.  They are old.\nThe mills make paper.  In 2023 there were 7 accidents.\n"
    contents = "".join(f"Chapter {at}        {3 * at}\n" for at in range(1, 9))
    assert not [
        block for block in read(file, (prose + "\n" + contents).encode()).blocks if block.kind == "table"
    ]


def test_a_long_table_of_text_goes_on(file: Path) -> None:
    """With the heads of its beginning, and with every row."""
    rows = "".join(f"Mill {at:05}    {at:>7}\n" for at in range(5_000))
    blocks = read(file, f"                  Water\n{rows}".encode()).blocks
    assert len(blocks) == 5_000
    assert blocks[-1].text == "Mill 04999 | Water: 4999"


def test_ligatures_and_soft_hyphens_are_spelt_out(file: Path) -> None:
    """What a typesetter put in comes out as the letters one would type."""
    assert read(file, "The e\ufb03cient \ufb01rm re\u00adduced its\u00a0use.".encode()).blocks[0].text == (
        "The efficient firm reduced its use."
    )


def test_a_name_that_promises_another_format_is_noted(file: Path) -> None:
    """The content decides, and the mismatch is a warning."""
    extracted = read(file, b"Just a sentence of text.", name="report.pdf")
    assert extracted.media_type == "text/plain"
    assert extracted.warnings == ["the name ends in .pdf, but the content is text/plain"]


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["an emis-", "sion"], "an emission"),
        (["the well-", "known case, well-known"], "the well-known case, well-known"),  # spelt so elsewhere
        (["the EU-", "Taxonomy"], "the EU-Taxonomy"),  # a capital follows
        (["short-", "and long-term"], "short- and long-term"),  # suspended
        (["2019-", "2023"], "2019- 2023"),  # no word
    ],
)
def test_a_hyphen_at_a_line_end_goes_only_where_it_broke_a_word(lines: list[str], joined: str) -> None:
    """The document's own words and the next letter decide."""
    assert Joiner(lines).join(lines) == joined


@given(data=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_read_or_rejected(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Nothing but Rejected is ever raised, whatever the bytes and whatever the name promises."""
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(data)
    for name in ("a.txt", "a.csv", "a.tsv", "a.jsonl", "a.md", "a.pdf", ""):
        try:
            extracted = extract(path, name=name, content_type="text/plain", options=ExtractOptions())
        except Rejected:
            continue
        assert any(block.text for block in extracted.blocks)


@given(data=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_arbitrary_bytes_behind_a_pdf_header_are_read_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """The PDF library's failures are rejections too."""
    path = tmp_path_factory.getbasetemp() / "header"
    path.write_bytes(b"%PDF-1.7\n" + data)
    with pytest.raises(Rejected):
        extract(path, name="a.pdf", content_type=None, options=ExtractOptions())
