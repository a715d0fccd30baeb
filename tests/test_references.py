"""References: every page, heading, file and section that pages and comments name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.site import anchor

REPO = Path(__file__).parents[1]
_KINDS = ("*.md", "*.py", "*.sv", "*.svh", "*.cpp", "*.h", "*.toml", "Makefile")
_FOLDERS = ("docs", "plena_ref", "rtl", "scripts", "tb", "tests")
#: A page in text: docs/isa.md, or [isa.md](isa.md), then headings of it: `, "Numbers"` or `, "A" and "B"`.
_TITLES = r"((?:,?(?: and)? \"[^\"\n]+\")*)"
_PAGE = re.compile(r"(?:\bdocs/([a-z_/]+\.md)|\]\(((?:\.\./)?[a-z_/]+\.md)\)),?" + _TITLES)
_LINK = re.compile(r"\]\(([^)\s#]*)(#[^)\s]*)?\)")
_NUMBERED = re.compile(r"\.md\)?,? sections? \d")


def texts(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file that people read, but for tests of references; without the marks of its comments."""
    files = [path for kind in _KINDS for path in root.glob(kind)]
    files += [path for folder in _FOLDERS for kind in _KINDS for path in (root / folder).rglob(kind)]
    for path in sorted(set(files)):
        if path.name not in (Path(__file__).name, "test_site.py"):
            text = path.read_text(encoding="utf-8")
            yield (
                path,
                re.sub(r"\n[ \t]*(?://|#:?)?[ \t]*(?=[^\s])", " ", text) if path.suffix != ".md" else text,
            )


def headings(page: Path) -> set[str]:
    """The headings of a page, without numbers, and without what stands in brackets behind them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"^\d+\. | \(.*\)$", "", heading) for heading in found}


def faults(root: Path) -> list[str]:
    """Pages and headings that are named and are not there, and sections named by numbers."""
    found = []
    for path, text in texts(root):
        name = path.relative_to(root)
        for match in _PAGE.finditer(text):
            if match[2] and path.suffix != ".md":
                continue
            page = root / "docs" / match[1] if match[1] else path.parent / match[2]
            if not page.exists():
                found.append(f"{name}: there is no page {match[1] or match[2]}")
                continue
            for title in re.findall(r'"([^"]+)"', match[3]):
                if title not in headings(page):
                    found.append(f'{name}: {page.name} has no heading "{title}"')
        found += [f"{name}: a section by its number: {one}" for one in _NUMBERED.findall(text)]
    return found


def broken_links(root: Path) -> list[str]:
    """Relative links in pages that lead nowhere, and fragments without a heading."""
    found = []
    for path in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target, fragment in _LINK.findall(text):
            if "://" in target or target.startswith("mailto:"):
                continue
            goal = path.parent / target if target else path
            if not goal.exists():
                found.append(f"{path.relative_to(root)}: {target}")
            elif fragment and goal.suffix == ".md":
                lines = re.findall(r"^#+ (.*)$", goal.read_text(encoding="utf-8"), re.MULTILINE)
                if fragment[1:] not in {anchor(line) for line in lines}:
                    found.append(f"{path.relative_to(root)}: {target}{fragment}")
    return found


def test_what_is_named_is_there() -> None:
    assert faults(REPO) == []


def test_links_lead_somewhere() -> None:
    assert broken_links(REPO) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("docs/none.md says", "there is no page none.md"),
        ('docs/page.md, "One"', None),
        ('docs/page.md, "One" and "Three"', 'page.md has no heading "Three"'),
        ('[page.md](docs/page.md), "Four"', 'page.md has no heading "Four"'),
        ("docs/page.md, section 3", "a section by its number: .md, section 3"),
    ],
)
def test_a_fault_is_found(text: str, fault: str | None, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Page\n## 1. One\n### Two (`x`)\n")
    (tmp_path / "README.md").write_text(text)
    assert faults(tmp_path) == ([] if fault is None else [f"README.md: {fault}"])


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(
        "# Page\n## A `b`: c\n[x](#a-b-c) [y](../README.md) `[z](no)`\n"
    )
    (tmp_path / "README.md").write_text("[x](docs/page.md#nothing) [y](docs/none.svg)")
    assert broken_links(tmp_path) == ["README.md: docs/page.md#nothing", "README.md: docs/none.svg"]
