"""What each format gives a meaning to: put in the wrong place, it breaks what was sound."""

from __future__ import annotations

BYTES = [
    b"\x00", b"\xff", b"\x80", b"\x1b", b"\r", b"\n", b" ", b'"', b"\\", b"\xef\xbb\xbf", b"\xff\xfe",
    b"\xed\xa0\x80",
]  # fmt: skip
NUMBERS = [
    b"0", b"-1", b"1", b"255", b"65535", b"2147483647", b"4294967295", b"99999999999999999999", b"1e999",
    b"NaN",
]  # fmt: skip
_TABLE = [
    b",", b";", b"\t", b"|", b'"', b'""', b',"', b'",', b"\n", b"\r", b"sep=;\n", b"," * 5000, b'"' * 999,
]  # fmt: skip
_JSON = [
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\ud800", b"\\u0000", b"null", b"[" * 2000, b'{"a":' * 600,
    b"9" * 6000, b'"text":', b'"label": true,',
]  # fmt: skip
MARKUP = [
    b"<", b">", b"<div>", b"</p>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<div>" * 3000, b"&lt;", b"&#0;",
    b"&#1114112;", b"&x;", b"<script>", b"<table><tr><td>", b"<?x?>",
    b"<td colspan=1000000000 rowspan=65534>", b"</table>", b"<th>" * 2000, b"<tr>" * 999, b"<caption>",
    b'<!DOCTYPE a [<!ENTITY x "yyyyyyyyyy">]>', b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
]  # fmt: skip
_MAIL = [
    b"\r\n", b"\n\n", b"--", b"=?utf-8?B?w5w=?=", b"=?x?Q?=", b"charset=utf-7;", b"=ZZ",
    b"Content-Type: multipart/mixed; boundary=x\n", b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
]  # fmt: skip
_PDF = [
    b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer", b"/Kids [1 0 R]", b"/Parent 3 0 R",
    b"<<", b">>", b"/Length 99999", b"/Count 100000", b"/Encrypt 1 0 R", b"/MediaBox [0 0 1e9 1e9]",
    b"[" * 3000, b"(" * 999,
]  # fmt: skip
TOKENS = {
    ".csv": _TABLE, ".tsv": _TABLE, ".jsonl": _JSON, ".json": _JSON, ".html": MARKUP, ".eml": _MAIL,
    ".pdf": _PDF,
}  # fmt: skip
"""By suffix."""
NAMES = [
    "../../x.txt", "/x", "a\x00b", "C:\\x", "x" * 400, "a/b/c/d.csv", "word/document.xml", "mimetype",
    "x.zip",
]  # fmt: skip
"""Of members of a ZIP."""
