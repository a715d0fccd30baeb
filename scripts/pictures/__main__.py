"""Write the pictures of docs/pictures: ``python -m scripts.pictures``."""

from __future__ import annotations

import sys

from scripts.pictures import layout, machine, overlap, passes, slot, timeline, vram_hash
from tb.bench import command, options
from tb.engine.paths import REPO

FOLDER = REPO / "docs" / "pictures"
PICTURES = {
    "layout": layout.draw,
    "machine": machine.draw,
    "overlap": overlap.draw,
    "passes": passes.draw,
    "slot": slot.draw,
    "timeline": timeline.draw,
    "vram_hash": vram_hash.draw,
}


def texts() -> dict[str, str]:
    """The text of every picture by the name of its file."""
    return {f"{name}.svg": draw().svg() for name, draw in PICTURES.items()}


def main(arguments: list[str]) -> int:
    """Write all of them."""
    options.refuse_all(arguments)
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
