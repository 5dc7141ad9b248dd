"""Real reports and parsers' test files: each has the outcome that a person who looked at it expects."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from shared.extract.core import extract
from shared.extract.language import detect
from shared.extract.shapes import Extracted, ExtractOptions
from shared.platform.errors import Rejected
from shared.text.segment import SegmentLimits, segment
from tests.unit.cuts import Cutting, cutting

SHARED = Path(os.environ.get("HEADRACE_SHARED", Path(__file__).parents[3] / "shared"))
SAMPLES = SHARED / "data" / "samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the sample documents are not at {SAMPLES}")

# pages, at least so many passages, language
READABLE = {
    "pdf/1und1_nonfinancial_2023.pdf": (64, 400, "en"),
    "pdf/addiko_sustainability_2023.pdf": (120, 1000, "en"),
    "pdf/amazon_racial_equity_audit.pdf": (18, 150, "en"),
    "pdf/atoss_sustainability_2023.pdf": (48, 320, "en"),
    "pdf/benefit_report_2018_it.pdf": (15, 100, "it"),
    "pdf/casino_dpef_2018_fr.pdf": (76, 1200, "fr"),
    "pdf/grasim_esg_databook_2024.pdf": (23, 150, "en"),
    "pdf/ionos_sustainability_2023.pdf": (50, 300, "en"),
    "pdf/jpmorgan_climate_2024.pdf": (38, 400, "en"),
    "pdf/ntt_data_csr_2014.pdf": (36, 300, "en"),
    "pdf/psa_csr_2017_extract_fr.pdf": (6, 80, "fr"),
    "pdf/rcs_nonfinancial_2017_it.pdf": (70, 700, "it"),
    "pdf/reply_nonfinancial_2019.pdf": (54, 300, "en"),
    "pdf/schwabe_italia_sustainability.pdf": (67, 350, "en"),
    "tricky/Pages-tree-refs.pdf": (2, 1, None),
    "tricky/habibi.pdf": (1, 1, "ar"),
    "tricky/issue-449-vertical.pdf": (1, 1, None),
    "tricky/issue-625-identity-cmap.pdf": (2, 10, None),
    "tricky/libreoffice-form.pdf": (1, 1, None),
    "tricky/multicolumn.pdf": (3, 12, None),
    "tricky/nics-background-checks-2015-11-rotated.pdf": (1, 1, "en"),
    "tricky/tracemonkey.pdf": (14, 250, "en"),
    "tricky/with-attachment.pdf": (1, 1, None),
    "tricky/zen_of_python_corrupted.pdf": (1, 5, "en"),
    "docx/amazon_esg_generated.docx": (None, 30, "en"),
    "html/sap_integrated_report_2025.html": (None, 80, "en"),
    "text/danone_2022.txt": (None, 200, "en"),
    "text/tesco_community_2022.txt": (None, 70, "en"),
    "csv/amazon_alexa_reviews.tsv": (None, 3071, "en"),
    "jsonl/sustaineval_trial_de.jsonl": (None, 88, "de"),
    "jsonl/deutsche_post_dhl_esg_2020_olmocr.jsonl": (None, 200, "en"),
}
REJECTED = {
    "pdf/sap_diversity_2023_web_print.pdf": "needs_ocr",
    "pdf/sap_integrated_web_print.pdf": "needs_ocr",
    "pdf/sustainability_report_2017_gr133.pdf": "needs_ocr",
    "pdf/scan_like_reply_8p.pdf": "needs_ocr",
    "tricky/aes-256.pdf": "encrypted",
    "tricky/bug1606566.pdf": "unreadable_pdf",
    "tricky/complex_ttf_font.pdf": "needs_ocr",
    "tricky/empty.pdf": "empty",
    "tricky/grayscale-image.pdf": "no_text",
    "tricky/invalid.pdf": "unreadable_pdf",
    "tricky/libreoffice-writer-password.pdf": "encrypted",
    "tricky/linn.pdf": "needs_ocr",
    "tricky/malformed-from-issue-932.pdf": "needs_ocr",  # a scan with a stamped date
    "tricky/no_contents.pdf": "no_text",
    "tricky/poppler-395-0-fuzzed.pdf": "no_pages",
    "tricky/type3_font_nomapping.pdf": "needs_ocr",  # two characters that no table maps
}


@cache
def read(name: str) -> tuple[Extracted, Cutting]:
    extracted = extract(SAMPLES / name, name=name, content_type=None, options=ExtractOptions())
    segmented = segment(
        replace(extracted, blocks=list(extracted.blocks)),
        count=lambda texts: [len(text.split()) * 4 // 3 + 2 for text in texts],
        redact=str,
        limits=SegmentLimits(),
    )
    return extracted, cutting(segmented)


@pytest.mark.parametrize(("name", "expected"), READABLE.items(), ids=READABLE)
def test_a_readable_file_has_pages_passages_and_language(
    name: str, expected: tuple[int | None, int, str | None]
) -> None:
    """Every passage is a slice of the text, in order, and within the window unless it is a data row."""
    pages, passages, language = expected
    extracted, segmented = read(name)
    assert extracted.pages == pages
    assert len(segmented.passages) >= passages
    assert detect(segmented.text) == language
    spans = [passage.span for passage in segmented.passages]
    assert spans == sorted(spans)
    assert all(segmented.text[slice(*passage.span)] == passage.text for passage in segmented.passages)
    cut = [passage for passage in segmented.passages if passage.row is None]
    assert all(passage.tokens <= SegmentLimits().window for passage in cut)
    numbers = [passage.page for passage in segmented.passages if passage.page is not None]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(("name", "code"), REJECTED.items(), ids=REJECTED)
def test_an_unusable_file_is_rejected_with_its_code(name: str, code: str) -> None:
    """The code says what is wrong with it."""
    with pytest.raises(Rejected) as caught:
        read(name)
    assert caught.value.code == code


def test_scanned_pages_of_a_report_are_found_and_its_covers_are_not() -> None:
    """The auditor's statement was scanned into one report; covers and dividers of the others are pictures."""
    found = {name: read(name)[0].ocr_pages for name in READABLE if name.startswith("pdf/")}
    assert {name: pages for name, pages in found.items() if pages} == {
        "pdf/reply_nonfinancial_2019.pdf": [50, 51, 52]
    }


@pytest.mark.parametrize("name", [name for name in READABLE if name.startswith("pdf/")])
def test_headings_are_short_and_few(name: str) -> None:
    """They are words, not sentences and not figures, and no more than one block in three."""
    blocks = read(name)[0].blocks
    headings = [block.text for block in blocks if block.kind == "heading"]
    assert 0.03 * len(blocks) < len(headings) < 0.34 * len(blocks)
    for text in headings:
        assert len(text.split()) <= 25
        assert sum(map(str.isalpha, text)) >= 0.5 * len("".join(text.split()))
        assert not (text.endswith(".") and len(text.split()) >= 7)


def test_every_sample_has_an_expected_outcome() -> None:
    """A sample that is added needs one too."""
    found = {str(path.relative_to(SAMPLES)) for path in SAMPLES.glob("*/*") if path.is_file()}
    assert found == READABLE.keys() | REJECTED.keys()


def test_a_long_report_is_read_quickly() -> None:
    """48 pages take some 0.3 s on one core; ten times that is a defect, not noise."""
    started = time.process_time()
    read.__wrapped__("pdf/atoss_sustainability_2023.pdf")
    assert time.process_time() - started < 6


@pytest.mark.parametrize(
    ("name", "password"),
    [("tricky/aes-256.pdf", "foo"), ("tricky/libreoffice-writer-password.pdf", "openpassword")],
)
def test_a_protected_sample_opens_with_its_password(name: str, password: str) -> None:
    """The password comes with the options, whatever the cipher."""
    options = ExtractOptions(password=password)
    assert extract(SAMPLES / name, name=name, content_type=None, options=options).blocks
