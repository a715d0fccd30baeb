"""The pages as a web site: every link leads somewhere, and the pictures are those that are drawn."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import site
from scripts.pictures import __main__ as pictures
from tb.engine.paths import REPO


def test_every_link_of_the_site_leads_to_a_file(tmp_path: Path) -> None:
    assert site.build(REPO, tmp_path) == []
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    for page in tmp_path.rglob("*.html"):
        if "tree" not in page.relative_to(tmp_path).parts:
            for target in re.findall(r'(?:href|src)="([^"#]+)', page.read_text(encoding="utf-8")):
                assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
    for name in site.pages(REPO):
        if name != site.INDEX:
            assert f'href="{Path(name).with_suffix(".html")}"' in index, f"{name} is not in {site.INDEX}"


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text(
        "# A\n[b](b.md) [c](none.md) [d](b.md#no) [e](b.md#two-words)"
    )
    (tmp_path / "docs" / "b.md").write_text("# B\n\n## Two `words`\n")
    broken = site.build(tmp_path, tmp_path / "site")
    assert broken == ["docs/README.md: none.md", "docs/README.md: docs/b.md#no"]


def test_a_site_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(root: Path, place: Path) -> list[str]:
        place.mkdir()
        (place / "index.html").write_text("half")
        raise KeyboardInterrupt

    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("old")
    monkeypatch.setattr(site, "BUILD", tmp_path)
    monkeypatch.setattr(site, "build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        site.main([])
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert (tmp_path / "site" / "index.html").read_text() == "old"


def test_the_pictures_are_up_to_date() -> None:
    for name, text in pictures.texts().items():
        ElementTree.fromstring(text)
        stored = (pictures.FOLDER / name).read_text(encoding="utf-8")
        assert stored == text, f"{name}: run `python -m scripts.pictures`"
        shown = [page for page in (REPO / "docs").glob("*.md") if f"pictures/{name}" in page.read_text()]
        assert shown, f"no page shows {name}"
