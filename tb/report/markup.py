"""Pieces of the page: text that is safe in HTML, tables, sections, pictures in the page itself."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def text(value: object) -> str:
    """A value as text of a page."""
    return html.escape(str(value))


def section(identity: str, title: str, content: str) -> str:
    """A part of the page with its heading."""
    return f'<section id="{identity}"><h2>{text(title)}</h2>\n{content}\n</section>\n'


def scroll(content: str, label: str) -> str:
    """Content that may be wider than the page; the keyboard reaches it."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}">{content}</div>'


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], label: str) -> str:
    """A table, without a head where no column has a name; what begins with a digit stands at the right."""
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    head = "".join(f"<th>{text(name)}</th>" for name in heads)
    return scroll(f"<table>{f'<tr>{head}</tr>' if any(heads) else ''}{body}</table>", label)


def _cell(value: object) -> str:
    shown = text(value)
    state = {"PASS": "good", "yes": "good", "FAIL": "bad", "NO": "bad"}.get(shown, "")
    number = shown[:1].isdigit() or shown[:1] == "-"
    return f'<td class="{state or ("number" if number else "")}">{shown}</td>'


def picture(pixels: NDArray[np.uint8]) -> str:
    """An image of RGBA pixels, uint8[height, width, 4], as an address of its own (PNG)."""
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + 4 * width), np.uint8)
    lines[:, 1:] = pixels.reshape(height, -1)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()
