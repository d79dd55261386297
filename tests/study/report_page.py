"""A written report as a parser sees it."""

import html.parser
import re

from slm_jax.study.report import write_report

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(html.parser.HTMLParser):
    """Elements, texts and whether every element is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.source, self.elements, self.open, self.words = text, [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> on line {self.getpos()[0]} closes another element"

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        """What a reader sees, style sheet included, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.words).replace("\N{NARROW NO-BREAK SPACE}", " "))

    def all(self, tag: str) -> list[dict]:
        return [attributes for found, attributes in self.elements if found == tag]


def page_of(study) -> Page:
    return Page(write_report(study).read_text(encoding="utf-8"))
