"""Language: right where it speaks, silent where it cannot know."""

from __future__ import annotations

import pytest

from shared.extract.language import detect

SENTENCES = {
    "en": "The mill takes water from the river and returns most of it after treatment.",
    "de": "Das Werk entnimmt dem Fluss Wasser und gibt das meiste davon nach der Reinigung zurück.",
    "fr": "L'usine prélève de l'eau dans la rivière et en restitue la plus grande partie après traitement.",
    "it": "Lo stabilimento preleva l'acqua dal fiume e ne restituisce la maggior parte dopo la depurazione.",
    "es": "La fábrica toma el agua del río y devuelve la mayor parte después de su tratamiento.",
    "pt": "A fábrica retira a água do rio e devolve a maior parte dela após o tratamento, mas não em agosto.",
    "nl": "De fabriek haalt water uit de rivier en geeft het meeste ervan na zuivering weer terug.",
    "sv": "Bruket tar vatten från älven och lämnar tillbaka det mesta av det efter rening.",
    "pl": "Zakład pobiera wodę z rzeki i oddaje jej większość po oczyszczeniu, ale nie w sierpniu.",
    "ja": "工場は川から水を取り、処理した後にその大部分を戻します。",
    "zh": "工厂从河中取水。经过处理后将大部分水返回河中。",
    "ru": "Завод берёт воду из реки и возвращает большую её часть после очистки.",
    "uk": "Завод бере воду з річки і повертає більшу її частину після очищення.",  # noqa: RUF001 - it is Ukrainian
    "el": "Το εργοστάσιο παίρνει νερό από τον ποταμό.",  # noqa: RUF001 - Greek
    "ar": "يأخذ المصنع الماء من النهر ويعيد معظمه بعد المعالجة.",
}


@pytest.mark.parametrize(("language", "text"), SENTENCES.items(), ids=SENTENCES)
def test_a_sentence_is_enough(language: str, text: str) -> None:
    """One ordinary sentence of each language is recognised."""
    assert detect(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12 345",
        "OK",
        "Lorem ipsum dolor sit amet",
        "CO2 EBITDA ESG KPI 2023",
        "Acme Inc. Berlin Paris Roma",
    ],
)
def test_what_says_too_little_has_no_language(text: str) -> None:
    """None rather than a guess."""
    assert detect(text) is None


def test_a_text_half_in_one_and_half_in_another_language_has_none() -> None:
    """Neither leads far enough."""
    assert detect(f"{SENTENCES['en']} {SENTENCES['de']}") is None


@pytest.mark.parametrize(
    "text",
    [
        "The table shows Bank d.d. Zagreb, Bank d.d. Sarajevo, Bank d.d. Split and Bank d.d. Skopje as one.",
        "Los Angeles, Las Vegas, El Paso, San Jose: plants without an accident in the year.",
        "SO2 | t; to: 12; do: 14; t; to: 15; do: 16",
        "OK",
    ],
)
def test_a_passage_follows_its_document(text: str) -> None:
    """Names and abbreviations are no other language."""
    assert detect(text, "en") == "en"


@pytest.mark.parametrize("language", ["de", "fr", "it", "es", "pl", "ja"])
def test_a_passage_that_is_clearly_in_another_language_has_that(language: str) -> None:
    """A whole sentence of it is enough, in a document of any other."""
    assert detect(SENTENCES[language], "en") == language
    assert detect(SENTENCES["en"], language) == "en"


def test_a_long_document_is_judged_by_its_middle_too() -> None:
    """An English cover does not make a German report English."""
    assert detect(SENTENCES["en"] * 20 + SENTENCES["de"] * 2000) == "de"
