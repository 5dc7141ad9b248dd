"""Which language is a text written in? Function words tell, and scripts; no model is loaded."""

from __future__ import annotations

import re

_SAMPLE = 10_000  # characters, from the beginning and from the middle
_MIN_LETTERS = 12
_MIN_HITS = 2
_LEAD = 1.25  # times the hits of the runner-up
_MIN_SHARE = 0.08  # of the words: every language here writes at least a quarter of its words with these
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_ELISION = re.compile(r"['\u2019]")

_FUNCTION_WORDS = {
    "en": "the of and to in is that for it with as was on are be this by at from have has or an which not were been "
    "their we our its will also than these more you your my they but i had would all can so very when",
    "de": "der die und das den von zu mit sich des auf f\u00fcr ist im dem nicht ein eine als auch es an werden aus er hat "
    "dass sie nach wird bei einer um am sind noch wie einem \u00fcber einen so zum war haben nur oder aber vor zur bis "
    "durch wir unsere unserer unser diese dieser ich nicht sehr wurde wurden",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont la avec son nous "
    "aux cette ses ont mais comme ou si leur y dont \u00e9t\u00e9 ces notre nos \u00e0 tr\u00e8s je vous elle",
    "it": "di e il la che in un per una \u00e8 del non da con si le al dei sono i della lo come pi\u00f9 ha gli alla nel delle "
    "ma anche dal ed nella sul o questo questa degli dalla su essere ai all nell dell dall loro",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como m\u00e1s o pero sus le ha me si sin "
    "sobre este ya entre cuando todo esta ser son tambi\u00e9n fue hay desde est\u00e1 muy nos nuestra nuestro",
    "pt": "de a o que e do da em um para com n\u00e3o uma os no se na por mais as dos como mas ao ele das \u00e0 seu sua ou quando "
    "muito nos j\u00e1 est\u00e1 tamb\u00e9m s\u00f3 pelo pela at\u00e9 isso foi s\u00e3o nossa nosso",
    "nl": "de van een het en in is dat op te zijn met voor niet aan er om ook als dan maar bij uit nog naar heeft hij worden "
    "door ze wordt over zich hebben deze dit tot werd onze wij meer",
    "sv": "och i att det som en p\u00e5 \u00e4r av f\u00f6r med till den har de inte om ett var men jag sig fr\u00e5n vi s\u00e5 kan n\u00e4r eller "
    "ska vid efter \u00e4ven v\u00e5r v\u00e5ra",
    "da": "og i at det er en til af den p\u00e5 som for med de har ikke der et var men sig fra vi kan s\u00e5 blev eller ved ogs\u00e5 "
    "efter vores mere",
    "no": "og i det er en til som p\u00e5 for av med at de har ikke den et var men seg fra vi kan s\u00e5 ble eller ved ogs\u00e5 etter "
    "v\u00e5r v\u00e5re mer",
    "fi": "ja on ei ett\u00e4 se oli ovat kun my\u00f6s mutta tai kuin ole sek\u00e4 voi h\u00e4n sen joka mukaan n\u00e4iden sit\u00e4 t\u00e4m\u00e4",
    "pl": "i w na z do nie si\u0119 jest to \u017ce o jak za od po przez dla oraz co ale czy by\u0142 jego tym ich tak lub przy sprzeda\u017cy",
    "cs": "a v se na je \u017ee s z do o to i ve pro jako za by ale k po jsou kter\u00fd nebo jeho tak byl jen p\u0159i od",
    "hu": "a az \u00e9s hogy nem is egy ez meg van volt de ha csak m\u00e1r mint vagy ki azt amely sem el\u0151 k\u00f6z\u00f6tt",
    "ro": "de \u0219i \u00een a la cu pe nu din care pentru este o mai s\u0103 un ce se al sunt prin dar fost ca sau lui",
    "tr": "ve bir bu da de i\u00e7in ile olarak \u00e7ok daha olan gibi var ne ama ya en sonra kadar her ise",
    "ru": "\u0438 \u0432 \u043d\u0435 \u043d\u0430 \u0447\u0442\u043e \u0441 \u043f\u043e \u043a\u0430\u043a \u044d\u0442\u043e \u0438\u0437 \u0434\u043b\u044f \u043a \u0437\u0430 \u043e\u0442 \u0442\u0430\u043a \u043d\u043e \u0431\u044b\u043b \u0435\u0433\u043e \u0438\u043b\u0438",
    "uk": "\u0456 \u0432 \u043d\u0430 \u0442\u0430 \u0449\u043e \u0437 \u0434\u043e \u0437\u0430 \u0446\u0435 \u0432\u0456\u0434 \u0434\u043b\u044f \u044f\u043a \u0443 \u0442\u0430\u043a \u0454 \u0430\u043b\u0435 \u0457\u0445 \u0432\u0456\u043d",
    "bg": "\u0438 \u043d\u0430 \u0434\u0430 \u0441\u0435 \u0432 \u0437\u0430 \u043e\u0442 \u0435 \u0441 \u043d\u0435 \u043f\u043e \u0442\u043e\u0432\u0430 \u0441\u0430 \u043a\u0430\u0442\u043e \u043d\u043e \u0434\u043e \u0449\u0435 \u0438\u043b\u0438 \u0441\u044a\u0441",
}
_BY_WORD: dict[str, list[str]] = {}
for _language, _words in _FUNCTION_WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _BY_WORD.setdefault(_word, []).append(_language)

# A script that one language alone writes, of those that reports come in. Kana before Han: Japanese uses both.
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]"), 0.1),
    ("zh", re.compile("[\u3400-\u9fff]"), 0.3),
    ("ko", re.compile("[\uac00-\ud7af]"), 0.3),
    ("el", re.compile("[\u0370-\u03ff]"), 0.5),
    ("he", re.compile("[\u0590-\u05ff]"), 0.5),
    ("ar", re.compile("[\u0600-\u06ff]"), 0.5),
    ("hi", re.compile("[\u0900-\u097f]"), 0.5),
    ("th", re.compile("[\u0e00-\u0e7f]"), 0.5),
)


def detect(text: str) -> str | None:
    """The ISO 639-1 code; None where the text is too short, mixed or of a language not known here."""
    middle = len(text) // 2
    sample = text if len(text) <= 2 * _SAMPLE else text[:_SAMPLE] + "\n" + text[middle : middle + _SAMPLE]
    letters = sum(map(str.isalpha, sample))
    if not sample.isascii():
        for language, script, share in _SCRIPTS:
            if letters and len(script.findall(sample)) >= share * letters:
                return language
    if letters < _MIN_LETTERS:
        return None
    words = [part for word in _WORD.findall(sample.lower()) for part in _ELISION.split(word)]
    hits: dict[str, float] = dict.fromkeys(_FUNCTION_WORDS, 0.0)
    for word in words:
        shared_by = _BY_WORD.get(word, ())
        for language in shared_by:
            hits[language] += 1 / len(shared_by)  # a word that several languages share says less
    (first, most), (_, next_most) = sorted(hits.items(), key=lambda pair: -pair[1])[:2]
    if most < max(_MIN_HITS, _MIN_SHARE * len(words)) or most < _LEAD * next_most:
        return None
    return first
