"""Formats made of markup: web pages, mail and electronic books."""

from __future__ import annotations

from shared.extract.markup.epub import read_epub
from shared.extract.markup.html import html_blocks, read_html
from shared.extract.markup.mail import read_eml

__all__ = ["html_blocks", "read_eml", "read_epub", "read_html"]
