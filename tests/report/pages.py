"""A page as a browser takes it: every tag is closed, nothing is fetched, nothing runs."""

from __future__ import annotations

from html.parser import HTMLParser


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.identities: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.faults.append("a script")
        for name, value in attrs:
            if name == "id":
                self.identities.append(value or "")
            if name in ("src", "href"):
                if (value or "").startswith("#"):
                    self.targets.append((value or "")[1:])
                elif not (value or "").startswith("data:"):
                    self.faults.append(f"{tag} fetches {value}")
        if tag not in ("meta", "link", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


def faults(page: str) -> list[str]:
    """What is wrong with a page."""
    checker = _Checker()
    checker.feed(page)
    checker.close()
    found = checker.faults + [f"<{tag}> is open" for tag in checker.open]
    found += [f"#{name} is nowhere" for name in checker.targets if name not in checker.identities]
    if len(set(checker.identities)) != len(checker.identities):
        found.append("an id twice")
    return found
