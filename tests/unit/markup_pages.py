"""Web pages as people make and save them: sentences of their content, and sentences beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page's markup, its content's sentences in order, and sentences beside the content."""

    name: str
    markup: str
    content: tuple[str, ...]
    beside: tuple[str, ...]
    headings: tuple[str, ...] = ()


WATER = "Our mills returned 4.2 million cubic metres of cleaned water to the river Alne in 2023."
DAM = "The second settling basin was finished in May, three months ahead of the plan."
WORK = "Every apprentice who passed the final examination was offered a permanent position."
AUDIT = "Independent auditors visited 38 suppliers and found eleven breaches of our code of conduct."
GOAL = "By 2030 we intend to halve the freshwater drawn for each tonne of paper."
ENERGY = "Steam from the new boiler replaced gas in two of the three drying lines."

COOKIES = "We use cookies to make this website work and to measure how often its pages are read."
LETTER = "Sign up for our newsletter and never miss the latest from the world of paper."
RIGHTS = "\u00a9 2024 Alnemill Paper plc. All rights reserved."
TEASER = "Shares of the group reached a new high after the quarterly figures were published."
SCRIPT = "This sentence stands in a script and nobody is ever shown it."
HIDDEN = "This sentence is hidden from everybody who opens the page."
MENU = "Investors and analysts Careers and training Press and media Contact and directions"

CORPORATE = Page(
    "corporate",
    f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Water stewardship | Alnemill
    Paper</title>
    <meta property="og:title" content="Water stewardship"><meta property="og:site_name" content="Alnemill
    Paper">
    <style>.x {{ content: "{SCRIPT}" }}</style><script>var s = "<p>{SCRIPT}</p>";</script></head>
    <body class="page has-sidebar"><a class="skip-link" href="#m">Skip straight to the main content of this
    page.</a>
    <header class="site-header"><div class="logo"><a href="/">Alnemill</a></div>
    <nav><ul><li><a href="/a">Investors and analysts</a><li><a href="/b">Careers and
    training</a></ul></nav></header>
    <div id="onetrust-consent-sdk"><div role="dialog"><h2>Your
    privacy</h2><p>{COOKIES}</p><button>Accept</button></div>
    </div><main id="m"><ol class="breadcrumb"><li><a href="/">Home</a><li><a href="/s">Sustainability</a></ol>
    <article><header><h1>Water stewardship</h1></header><p>{WATER}</p>
    <h2>Progress</h2><ul><li>{DAM}</li><li><p>{GOAL}</p></li></ul>
    <div class="social-share"><p>Share this story with your friends and colleagues.</p></div>
    <p style="display:
    none">{HIDDEN}</p><template><p>{SCRIPT}</p></template><noscript><p>{SCRIPT}</p></noscript>
    <h2>Read on</h2><ul><li><a href="/x">{TEASER}</a></li></ul></article></main>
    <aside><h3>News</h3><p>{TEASER}</p></aside>
    <footer><p>{LETTER}</p><p>{RIGHTS}</p></footer><script
    src="https://example.invalid/t.js"></script></body></html>""",
    (WATER, DAM, GOAL),
    (
        COOKIES,
        TEASER,
        LETTER,
        RIGHTS,
        SCRIPT,
        HIDDEN,
        "Skip straight",
        "Share this story",
        "Careers and training",
    ),
    ("Water stewardship", "Progress"),
)

TABLE_LAYOUT = Page(
    "table layout",
    f"""<HTML><HEAD><TITLE>Alnemill - Environment</TITLE></HEAD><BODY BGCOLOR=white><TABLE WIDTH=100%
    BORDER=0><TR>
    <TD COLSPAN=2><IMG SRC=logo.gif ALT="Alnemill"></TD></TR><TR><TD WIDTH=160 VALIGN=top>
    <TABLE><TR><TD><A HREF=a.htm>Investors and analysts</A></TR><TR><TD><A HREF=b.htm>Careers and
    training</A></TABLE>
    </TD><TD><FONT SIZE=5><H1>Environment</H1></FONT><FONT FACE=Arial>{WATER}<P>{DAM}<P>{GOAL}
    <TABLE BORDER=1><TR><TD>Mill<TD>Water drawn<TD>2023</TR><TR><TD>Alnwick<TD>1,200<TD>1,150</TR></TABLE>
    <P>{ENERGY}</FONT></TD></TR>
    <TR><TD COLSPAN=2><FONT SIZE=1>{RIGHTS} <A
    HREF=c.htm>Imprint</A></FONT></TD></TR></TABLE></BODY></HTML>""",
    (WATER, DAM, GOAL, "Mill > Alnwick | Water drawn: 1,200; 2023: 1,150", ENERGY),
    (RIGHTS, "Careers and training"),
    ("Environment",),
)

DIVS = Page(
    "nothing but divs",
    f"""<html><head><title>Alnemill Paper: people</title></head><body><div id="wrapper"><div
    id="top-nav"><div>
    <a href="/a">Investors and analysts</a> <a href="/b">Careers and training</a></div></div>
    <div class="col"><div class="h1"><h1>People</h1></div><div>{WORK}</div><div><span>{AUDIT}</span></div>
    <div>{GOAL} <a href="/g">More on our goals</a> and <a href="/m">how we measure them</a>.</div></div>
    <div class="sidebar"><div>{TEASER}</div><div>{LETTER}</div></div>
    <div class="cookie-banner"><div>{COOKIES}</div></div>
    <div id="footer"><div>{RIGHTS}</div><div><a href="/i">Imprint</a> | <a href="/p">Privacy</a></div></div>
    </div></body></html>""",
    (WORK, AUDIT, GOAL),
    (TEASER, LETTER, COOKIES, RIGHTS, "Careers and training", "Imprint"),
    ("People",),
)

BLOG = Page(
    "blog",
    f"""<!doctype html><html><head><title>A year at the mill &#8211; Alnemill blog</title></head>
    <body class="single post-template"><div id="page"><header id="masthead"><p>Alnemill blog</p><p>Stories
    from the
    people who make your paper every day.</p></header><div id="content"><article class="post-7 post"><header>
    <h1 class="entry-title">A year at the mill</h1></header><div class="entry-content"><p>{WORK}</p>
    <blockquote><p>{ENERGY}</p></blockquote><p>{AUDIT}</p></div><footer class="entry-footer">Posted in
    stories about
    the mill by the editors.</footer></article><div
    class="related-posts"><h3>Related</h3><p>{TEASER}</p></div></div>
    <div id="secondary" class="widget-area"><aside class="widget"><h2>About</h2><p>{LETTER}</p></aside></div>
    <footer id="colophon"><p>{RIGHTS}</p></footer></div></body></html>""",
    (WORK, ENERGY, AUDIT),
    (TEASER, LETTER, RIGHTS, "Stories from the", "Posted in stories"),
    ("A year at the mill",),
)

SAVED_TEXT = Page(
    "text saved as a page",
    f"""<html><head><meta charset=utf-8><title>Alnemill report</title></head><body><h1>Alnemill
    report</h1><section>
    <h2>Water</h2><pre>Menu\n\n{WATER} {WATER}\n{DAM} {DAM}\n\nGoals\n\n{GOAL} {GOAL}</pre></section><section>
    <h2>People</h2><pre>{WORK} {WORK}</pre></section></body></html>""",
    (WATER, DAM, GOAL, WORK),
    (),
    ("Alnemill report", "Water", "Goals", "People"),
)

WORD = Page(
    "saved by a word processor",
    f"""<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv=Content-Type
    content="text/html; charset=windows-1252"><title>Sustainability report</title><!--[if gte mso
    9]><xml><o:p>{SCRIPT}
    </o:p></xml><![endif]--><style><!-- p.MsoNormal {{ margin: 0 }} --></style></head><body lang=EN-GB><div
    class=WordSection1><h1><span lang=EN-GB>Water<o:p></o:p></span></h1><p
    class=MsoNormal><span>{WATER[:40]}</span><span
    style='font-size:11.0pt'>{WATER[40:]}<o:p></o:p></span></p><p class=MsoNormal><o:p>&nbsp;</o:p></p>
    <p class=MsoListParagraph><![if !supportLists]><span>&middot;<span>&nbsp;&nbsp;
    </span></span><![endif]>{DAM}</p>
    <table class=MsoTableGrid border=1><tr><td><p class=MsoNormal>Mill</p></td><td><p
    class=MsoNormal>2023</p></td></tr>
    <tr><td><p class=MsoNormal>Alnwick</p></td><td><p class=MsoNormal>1,150</p></td></tr></table>
    <p class=MsoNormal>{GOAL}</p></div></body></html>""",
    (WATER, DAM, "Mill > Alnwick | 2023: 1,150", GOAL),
    (SCRIPT,),
    ("Water",),
)

DATA = Page(
    "data in tables",
    f"""<!doctype html><title>Key figures</title><main><h1>Key
    figures</h1><p>{WATER}</p><table><caption>Water by mill
    </caption><thead><tr><th>Mill</th><th>Drawn,
    m<sup>3</sup></th><th>Change</th></tr></thead><tbody><tr><th>Alnwick
    </th><td>1,150</td><td>&minus;4&nbsp;%</td></tr><tr><th>Morpeth</th><td>980</td><td></td></tr></tbody></table>
    <p>{GOAL}<sup><a href="#n1">1</a></sup></p><dl><dt>Reporting</dt><dd>{AUDIT}</dd></dl></main>""",
    (
        WATER,
        "Water by mill > Mill > Alnwick | Drawn, m3: 1,150; Change: \u22124 %",
        "Water by mill > Mill > Morpeth | Drawn, m3: 980",
        GOAL,
        AUDIT,
    ),
    (),
    ("Key figures",),
)

FORM = Page(
    "a page in a form",
    f"""<html><body><form method="post" action="./default.aspx" id="aspnetForm"><div><input type="hidden"
    value="x">
    </div><div class="navbar"><ul class="menu"><li><a href="/a">Investors and analysts</a></ul></div>
    <div id="ctl00_main"><h2>Energy</h2><p>{ENERGY}</p><details><summary>Details on
    suppliers</summary><p>{AUDIT}</p>
    </details><select><option>{HIDDEN}</option></select><textarea>{HIDDEN}</textarea>
    <div hidden><p>{HIDDEN}</p></div><p>{WORK}</div><div
    class="site-footer"><p>{RIGHTS}</p></div></form></body></html>""",
    (ENERGY, AUDIT, WORK),
    (HIDDEN, RIGHTS, "Investors and analysts"),
    ("Energy",),
)

BREAKS = Page(
    "paragraphs made by line breaks",
    f"""<body><b>Sustainability at Alnemill</b><br><br>{WATER}<br>\n<br>{DAM} {GOAL}<br><br>- {WORK}<br>-
    {AUDIT}<br>
    <br></body>""",
    (WATER, f"{DAM} {GOAL}", f"- {WORK}", f"- {AUDIT}"),
    (),
    ("Sustainability at Alnemill",),
)

TEASERS = Page(
    "articles that are teasers",
    f"""<html><body><div class="intro"><h1>Newsroom</h1><p>{WATER} {DAM} {GOAL}</p><p>{WORK} {AUDIT}</p></div>
    <article><h3><a href="/1">Figures</a></h3><p><a href="/1">{TEASER}</a></p></article></body></html>""",
    (WATER, DAM, GOAL, WORK, AUDIT),
    (TEASER,),
    ("Newsroom",),
)

PAGES = (CORPORATE, TABLE_LAYOUT, DIVS, BLOG, SAVED_TEXT, WORD, DATA, FORM, BREAKS, TEASERS)
