"""The documentation as a web site, without a network: ``python -m scripts.site`` writes build/site.

Every page of docs, and those at the root of the tree, becomes a page of HTML; pictures and the files that
pages link to are copied beside them. Exits 1 when a link leads nowhere.
"""

from __future__ import annotations

import itertools
import re
import shutil
import sys
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from tb.bench import command, options
from tb.engine import scratch
from tb.engine.paths import BUILD, REPO

#: The first page, and the pages at the root of the tree.
INDEX = "docs/README.md"
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r'(href|src)="([^"]+)"')
_STYLE = """
body { max-width: 60em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; color: #222; }
pre, code { background: #f4f4f4; font-size: 90%; } pre { padding: .6em; overflow-x: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #ccc; padding: .2em .6em; text-align: left; vertical-align: top; }
img { max-width: 100%; } nav { margin-bottom: 1.5em; }
@media (prefers-color-scheme: dark) {
  body { background: #1c1c1c; color: #ddd; } pre, code { background: #2b2b2b; } a { color: #8ab4f8; }
  td, th { border-color: #555; } img { background: #fff; border-radius: 4px; }
}
"""


def pages(root: Path) -> list[str]:
    """Every page, relative to the tree."""
    below = sorted(str(path.relative_to(root)) for path in (root / "docs").rglob("*.md"))
    return [*(name for name in ROOT_PAGES if (root / name).exists()), *below]


def anchor(heading: str) -> str:
    """The fragment of a heading, as web sites of repositories make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _html(markdown: str, name: str) -> str:
    """One page, its links still those of the Markdown."""
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(markdown)
    for opening, inside in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(inside.content))
    title = next((token.content for token in tokens if token.type == "inline"), name)
    home = _home(name)
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f'<style>{_STYLE}</style></head><body><nav><a href="{home}">all pages</a></nav>\n'
        + str(parser.renderer.render(tokens, parser.options, {}))
        + "</body></html>\n"
    )


def _place(name: str) -> str:
    """Where a page lies in the site."""
    return "index.html" if name == INDEX else str(Path(name).with_suffix(".html"))


def build(root: Path, site: Path) -> list[str]:
    """Write the site of a tree; the links that lead nowhere, each with its page."""
    shutil.rmtree(site, ignore_errors=True)
    names = pages(root)
    broken: list[str] = []
    anchors: dict[str, set[str]] = {}
    wanted: list[tuple[str, str, str]] = []
    for name in names:
        text = _html((root / name).read_text(encoding="utf-8"), name)
        anchors[name] = set(re.findall(r'<h\d id="([^"]+)"', text))

        def linked(match: re.Match[str], name: str = name) -> str:
            target, mark, fragment = match[2].partition("#")
            if "://" in target or match[2].endswith("index.html"):
                return match[0]
            goal = (root / name).parent / target if target else root / name
            if not goal.exists():
                broken.append(f"{name}: {match[2]}")
                return match[0]
            path = str(goal.resolve().relative_to(root.resolve()))
            if fragment and path in names:
                wanted.append((name, path, fragment))
            there = _place(path) if path in names else _copied(root, site, path)
            return f'{match[1]}="{"../" * _place(name).count("/")}{there}{mark}{fragment}"'

        place = site / _place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_LINK.sub(linked, text), encoding="utf-8")
    broken += [f"{name}: {path}#{mark}" for name, path, mark in wanted if mark not in anchors[path]]
    return broken


def _home(name: str) -> str:
    return "../" * _place(name).count("/") + "index.html"


def _copied(root: Path, site: Path, path: str) -> str:
    """Copy a file of the tree, or a folder's list of files, into the site; its place there."""
    source, target = root / path, site / "tree" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
        listing = "\n".join(f"<li>{escape(one.name)}</li>" for one in sorted(source.iterdir()))
        (target / "index.html").write_text(f"<h1>{escape(path)}</h1><ul>{listing}</ul>", encoding="utf-8")
        return f"tree/{path}/index.html"
    shutil.copyfile(source, target)
    return f"tree/{path}"


def main(arguments: list[str]) -> int:
    """Build the site, and say what leads nowhere."""
    options.refuse_all(arguments)
    site = BUILD / "site"
    # Whole or not at all: an interrupted command leaves the site as it was.
    with scratch.folder(BUILD, "site") as made:
        broken = build(REPO, made / "site")
        shutil.rmtree(site, ignore_errors=True)
        (made / "site").rename(site)
    for link in broken:
        print(f"error: {link} leads nowhere", file=sys.stderr)
    print(f"{len(pages(REPO))} pages: {site / 'index.html'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
