"""Which language is a text written in? Function words tell, and scripts; no model is loaded."""

from __future__ import annotations

import re

_SAMPLE = 10_000  # characters, from the beginning and from the middle
_MIN_LETTERS = 12
_MIN_HITS = 2
_LEAD = 1.5  # times the hits of the runner-up
_MIN_SHARE = 0.08  # of the words; running text has a quarter to a half of them
_WORD = re.compile(r"[^\W\d_]+")

_FUNCTION_WORDS = {
    "en": """
        the of and to in is that for it with as was on are be this by at from have has or an which not
        were been their we our its will also than these more you your my they but i had would all can so
        very when""",
    "de": """
        der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden
        aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur
        oder aber vor zur bis durch wir unsere unserer unser diese dieser ich sehr wurde wurden""",
    "fr": """
        de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec
        son nous aux cette ses ont mais comme ou si leur y dont été ces notre nos à très je vous elle l d
        qu""",
    "it": """
        di e il la che in un per una è del non da con si le al dei sono i della lo come più ha gli alla
        nel delle ma anche dal ed nella sul o questo questa degli dalla su essere ai all nell dell dall
        loro l""",
    "es": """
        de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me
        si sin sobre este ya entre cuando todo esta ser son también fue hay desde está muy nos nuestra
        nuestro""",
    "pt": """
        de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu
        sua ou quando muito nos já está também só pelo pela até isso foi são nossa nosso""",
    "nl": """
        de van een het en in is dat op te zijn met voor niet aan er om ook als dan maar bij uit nog naar
        heeft hij worden door ze wordt over zich hebben deze dit tot werd onze wij meer""",
    "sv": """
        och i att det som en på är av för med till den har de inte om ett var men jag sig från vi så kan
        när eller ska vid efter även vår våra""",
    "da": """
        og i at det er en til af den på som for med de har ikke der et var men sig fra vi kan så blev
        eller ved også efter vores mere""",
    "no": """
        og i det er en til som på for av med at de har ikke den et var men seg fra vi kan så ble eller ved
        også etter vår våre mer""",
    "fi": """
        ja on ei että se oli ovat kun myös mutta tai kuin ole sekä voi hän sen joka mukaan näiden sitä
        tämä""",
    "pl": """
        i w na z do nie się jest to że o jak za od po przez dla oraz co ale czy był jego tym ich tak lub
        przy""",
    "cs": """
        a v se na je že do o to i ve pro jako za by ale po jsou který nebo jeho tak byl jen při od""",
    "hu": """
        a az és hogy nem is egy ez meg van volt de ha csak már mint vagy ki azt amely sem el között""",
    "ro": """
        de și în a la cu pe nu din care pentru este o mai să un ce se al sunt prin dar fost ca sau""",
    "tr": """
        ve bir bu da de için ile olarak çok daha olan gibi var ne ama ya en sonra kadar her ise""",
}
_BY_WORD: dict[str, list[str]] = {}
for _language, _words in _FUNCTION_WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _BY_WORD.setdefault(_word, []).append(_language)

# Scripts that one language alone writes, of those reports come in, and the share of letters that tells. Kana
# before Han, as Japanese uses both; of the Cyrillic languages each has letters that the others lack.
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]"), 0.1),
    ("zh", re.compile("[\u3400-\u9fff]"), 0.3),
    ("ko", re.compile("[\uac00-\ud7af]"), 0.3),
    ("el", re.compile("[\u0370-\u03ff]"), 0.5),
    ("he", re.compile("[\u0590-\u05ff]"), 0.5),
    ("ar", re.compile("[\u0600-\u06ff]"), 0.5),
    ("hi", re.compile("[\u0900-\u097f]"), 0.5),
    ("th", re.compile("[\u0e00-\u0e7f]"), 0.5),
    ("uk", re.compile("[\u0454\u0456\u0457]"), 0.02),
    ("ru", re.compile("[\u044b\u044d\u0451]"), 0.01),
    ("bg", re.compile("[\u044a]"), 0.01),
)


def detect(text: str) -> str | None:
    """The ISO 639-1 code; None where the text is too short, mixed or of a language not known here."""
    middle = len(text) // 2
    sample = text if len(text) <= 2 * _SAMPLE else text[:_SAMPLE] + "\n" + text[middle : middle + _SAMPLE]
    letters = sum(map(str.isalpha, sample))
    if letters < _MIN_LETTERS:
        return None
    if not sample.isascii():
        for language, script, share in _SCRIPTS:
            if len(script.findall(sample)) >= share * letters:
                return language
    words = _WORD.findall(sample.lower())
    hits: dict[str, float] = dict.fromkeys(_FUNCTION_WORDS, 0.0)
    for word in words:
        shared_by = _BY_WORD.get(word, ())
        for language in shared_by:
            hits[language] += 1 / len(shared_by)  # a word that several languages share says less
    (first, most), (_, next_most) = sorted(hits.items(), key=lambda pair: -pair[1])[:2]
    if most < max(_MIN_HITS, _MIN_SHARE * len(words)) or most < _LEAD * next_most:
        return None
    return first
