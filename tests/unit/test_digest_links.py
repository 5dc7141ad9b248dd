"""Links find their object, whatever it is called."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from shared.documents.views import object_link

CLOUD = "https://storage.cloud.google.com/acme-uploads"
LOCAL = "http://127.0.0.1:4443/storage/v1/b/acme-uploads/o"


@pytest.mark.parametrize(
    ("name", "cloud", "local"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("a/b c.pdf", "a/b%20c.pdf", "a%2Fb%20c.pdf"),
        ("100% #1?.pdf", "100%25%20%231%3F.pdf", "100%25%20%231%3F.pdf"),
        ("a&b=c+d.pdf", "a%26b%3Dc%2Bd.pdf", "a%26b%3Dc%2Bd.pdf"),
        ("Übersicht.pdf", "%C3%9Cbersicht.pdf", "%C3%9Cbersicht.pdf"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29", "javascript%3Aalert%281%29"),
        ('"><script>', "%22%3E%3Cscript%3E", "%22%3E%3Cscript%3E"),
        ("a/../b.pdf", "a%2F..%2Fb.pdf", "a%2F..%2Fb.pdf"),  # or a browser would ask for b.pdf
        ("a//b.pdf", "a%2F%2Fb.pdf", "a%2F%2Fb.pdf"),
        ("/a.pdf", "%2Fa.pdf", "%2Fa.pdf"),
    ],
)
def test_names_are_encoded(name: str, cloud: str, local: str) -> None:
    assert object_link("acme-uploads", name, None, None) == f"{CLOUD}/{cloud}"
    assert object_link("acme-uploads", name, None, "http://127.0.0.1:4443") == f"{LOCAL}/{local}?alt=media"
    assert unquote(urlsplit(f"{CLOUD}/{cloud}").path) == f"/acme-uploads/{name}"


@pytest.mark.parametrize("host", ["127.0.0.1:4443", "http://127.0.0.1:4443", "http://127.0.0.1:4443/"])
def test_links_open_at_the_page(host: str) -> None:
    assert object_link("acme-uploads", "a.pdf", 7, None) == f"{CLOUD}/a.pdf#page=7"
    assert object_link("acme-uploads", "a.pdf", 7, host) == f"{LOCAL}/a.pdf?alt=media#page=7"
