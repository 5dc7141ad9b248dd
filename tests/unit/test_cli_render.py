"""What of strangers' texts and names reaches a terminal: nothing that it would obey."""

from __future__ import annotations

import json
import re
import sys
import unicodedata

import pytest

from cli import digest as making
from cli.doctor import report
from cli.main import main
from cli.render import SHOWN_EVIDENCE, _states, full, print_answer, print_figures, print_hits, table, terminal
from cli.results import Dropped, Progress
from cli.say import HIDDEN, UNSAFE, escape, print_json
from shared.api.ask import NO_MODEL, Answer, Evidence, Said
from shared.api.assistants import Source
from shared.api.findings import Finding
from shared.digests.render.words import BIDI
from shared.digests.render.words import HIDDEN as CATEGORIES
from shared.documents.views import document_view
from shared.platform.errors import HeadraceError, Permanent
from tests.sample_digest import digest, quote, stored

NASTY = "We cut \x1b]52;c;cm0gLXJmIH4=\x07 it\nok \x1b[2J\x9b31m by\u202e 40%."
"""It would fill the clipboard, begin a line of its own, empty the screen, and turn what follows."""


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich writes its own sequences, which must be all that there are."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")


def is_obeyed(text: str) -> bool:
    """Whether anything is left of it."""
    return any(one in text for one in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "it\nok"))


def document(**more: object) -> dict[str, object]:
    fields = {
        "id": "1" * 24,
        "bucket": "acme-uploads",
        "name": f"{NASTY}.pdf",
        "generation": "1",
        "state": "completed",
        "title": NASTY,
        "initiatives": 1,
        "passages": 3,
        "published_run": 1,
        "summary": [{"page": 1, "text": NASTY}],
        "warnings": [NASTY],
    }
    return document_view(fields | more)


def test_the_terminal_hides_what_the_forms_hide() -> None:
    """But for tabs and ends of lines."""
    every = map(chr, range(sys.maxunicode + 1))
    hidden = {one for one in every if unicodedata.category(one) in CATEGORIES or one in BIDI}
    assert {one for one in map(chr, range(sys.maxunicode + 1)) if HIDDEN.match(one)} == hidden - {"\t", "\n"}
    assert {one for one in map(chr, range(sys.maxunicode + 1)) if UNSAFE.match(one)} == hidden


def test_what_is_hidden_is_shown_escaped() -> None:
    """As Python writes it; letters and signs of any script stay."""
    assert escape("a\tb\nc\r\x1b[0m\u202e\udcff") == r"a\tb\nc\r\x1b[0m\u202e\udcff"
    assert escape("\U0001f600 \u05d0\u0301 é") == "\U0001f600 \u05d0\u0301 é"


def test_documents_and_hits_are_shown_without(capsys: pytest.CaptureFixture[str]) -> None:
    """In full, in a table, while they are followed, and as hits of a search."""
    place = {"index": 1, "page": 1, "row": None, "salience": 2.0, "score": 0.5}
    listed = place | {"topics": [NASTY], "action": NASTY, "sure": 0.87, "text": NASTY}
    shown = document(initiatives_top=[listed], incidents=[listed])
    hit = {"score": 0.5, "name": NASTY, "page": 1, "row": None, "document": "1", "text": NASTY}
    full(terminal(), shown)
    table(terminal(), [shown])
    print_hits(terminal(), [hit])
    terminal().print(_states({"1": Progress(Dropped("1", f"[/b]{NASTY}", 1), "uploaded", 0, None)}))
    printed = capsys.readouterr().out
    assert not is_obeyed(printed)
    assert "\x1b[1m" in printed  # its own styles are there
    assert printed.count("40%.") == 13
    assert printed.count("87%") == 2


def test_lists_have_the_best_first_or_go_by_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Summary, incidents and initiatives alike."""
    places = [{"index": at, "page": 9 - at, "row": None, "text": f"text {at}"} for at in range(3)]
    listed = [each | {"topics": ["E1"], "action": "planned", "sure": 0.9} for each in places]
    shown = document(summary=places, incidents=listed, initiatives_top=listed)
    for by_page, expected in ((False, "012012012"), (True, "210210210")):
        full(terminal(), shown, by_page=by_page)
        assert "".join(re.findall(r"text (\d)", capsys.readouterr().out)) == expected


def test_a_digest_is_shown_without(capsys: pytest.CaptureFixture[str]) -> None:
    """Its line, its quotes and its notes."""
    made = digest(line=NASTY, quotes=[quote(1, NASTY), quote(2, "b"), quote(3, "c")])
    made = made.model_copy(update={"notes": [NASTY]})
    making.show(terminal(), stored(made), "/d.html")
    printed = capsys.readouterr().out
    assert not is_obeyed(printed)
    assert "40%." in printed


def test_lines_and_errors_are_printed_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may stand in any of them."""
    report(iter([Finding("told", "ok", NASTY, NASTY)]), as_json=False)

    for error in (HeadraceError(NASTY), Permanent("none", NASTY, NASTY)):

        def fail(error: HeadraceError = error, **_: object) -> None:
            raise error

        monkeypatch.setattr("cli.main.headrace", fail)
        with pytest.raises(SystemExit):
            main()
    printed = "".join(capsys.readouterr())
    assert not is_obeyed(printed)
    assert printed.count("40%.") == 5


def test_json_has_all_of_it_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get what is stored."""
    print_json({NASTY: [NASTY, "\u2028 \u00e4 \\u202e"]})
    printed = capsys.readouterr().out
    assert not is_obeyed(printed)
    assert "\u00e4" in printed
    assert json.loads(printed) == {NASTY: [NASTY, "\u2028 \u00e4 \\u202e"]}


def test_figures_are_shown_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a wide terminal and in a narrow one, which has no room for organisation and qualifier."""
    words = dict.fromkeys(("organisation", "title", "name", "metric", "unit", "period", "qualifier"), NASTY)
    figure = words | {"value": 1.0, "datapoint": "E1-6.scope1", "page": 3}
    for width in ("200", "80"):
        monkeypatch.setenv("COLUMNS", width)
        print_figures(terminal(), [figure], 1)
        printed = capsys.readouterr().out
        assert not is_obeyed(printed)
        assert ("qualifier" in printed) == (width == "200")


def test_a_long_metric_keeps_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The row's own label says more than its parents."""
    names = dict.fromkeys(("organisation", "title", "period", "qualifier", "datapoint", "page", "unit"))
    metric = " > ".join(["A parent with a long name"] * 5 + ["Scope 1"])
    print_figures(terminal(), [names | {"name": "a.pdf", "metric": metric, "value": 1.0}], None)
    assert (
        "… > A parent with a long name > A parent with a long name > A parent with a long name > Scope 1"
        in (capsys.readouterr().out)
    )


def test_an_answer_shows_what_it_cites_and_nothing_of_it_is_obeyed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without sentences it shows the best that was found, and why there are none."""
    source = Source(document="d" * 24, name=f"{NASTY}.pdf", organisation=NASTY, page=3)
    evidence = [
        Evidence(number=number, text=f"Text {number}. {NASTY}", source=source) for number in range(1, 9)
    ]
    said = [Said(text=f"Less was used. {NASTY}", cites=[2, 4])]
    answer = Answer(question="q", model="m", sentences=said, note=None, evidence=evidence)
    without = answer.model_copy(update={"sentences": [], "model": None, "note": NO_MODEL})
    for one, texts in ((answer, ["2", "4"]), (without, [str(1 + at) for at in range(SHOWN_EVIDENCE)])):
        print_answer(terminal(), one)
        printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
        assert re.findall(r"Text (\d)", printed) == texts
        assert ("[2, 4]" in printed, NO_MODEL in printed) == (one is answer, one is without)
        assert not is_obeyed(printed)
