"""A drawing as SVG: boxes, arrows, text and cells, in the few colours of the documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

#: Fills by what they stand for: nothing in particular, memories, units, waiting, and four things told apart.
FILLS = {
    "plain": "#ffffff",
    "memory": "#e8eef7",
    "unit": "#f7efe0",
    "wait": "#eeeeee",
    "a": "#bcd3ee",
    "b": "#f3d2a2",
    "c": "#c4e0bd",
    "d": "#e6bfd3",
}
_LINE = "#444444"
_FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"


@dataclass
class Canvas:
    """A picture that is drawn from the top left corner; lengths are in pixels.

    Attributes:
        width, height: of the whole picture.
        title: what it shows, for those who cannot see it.
    """

    width: int
    height: int
    title: str
    _parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, size: int = 13, anchor: str = "start") -> None:
        """One line of text whose baseline begins (or ends, or has its middle) at a point."""
        self._parts.append(
            f"<text x='{x:g}' y='{y:g}' font-size='{size}' text-anchor='{anchor}'>{escape(words)}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, words: str = "", fill: str = "plain"
    ) -> None:
        """A rectangle with lines of text in its middle; the lines are separated by line breaks."""
        self._parts.append(
            f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='3' "
            f"fill='{FILLS[fill]}' stroke='{_LINE}'/>"
        )
        lines = words.split("\n") if words else []
        for number, line in enumerate(lines):
            middle = y + height / 2 + 4.5 + 16 * (number - (len(lines) - 1) / 2)
            self.text(x + width / 2, middle, line, 12, "middle")

    def arrow(self, *points: tuple[float, float], both: bool = False, dashed: bool = False) -> None:
        """A line through points with a head at its end, or at both ends."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        start = " marker-start='url(#head)'" if both else ""
        dashes = " stroke-dasharray='4 3'" if dashed else ""
        self._parts.append(
            f"<polyline points='{path}' fill='none' stroke='{_LINE}'{dashes}{start} marker-end='url(#head)'/>"
        )

    def line(self, *points: tuple[float, float]) -> None:
        """A thin dashed line through points."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(f"<polyline points='{path}' fill='none' stroke='#999999' stroke-dasharray='2 3'/>")

    def svg(self) -> str:
        """The text of the SVG file."""
        head = (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.width} {self.height}' "
            f"width='{self.width}' height='{self.height}' role='img' {_FONT}>\n"
            f"<title>{escape(self.title)}</title>\n"
            "<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' markerHeight='8' "
            f"orient='auto-start-reverse'><path d='M0,0 L8,4 L0,8 z' fill='{_LINE}'/></marker></defs>\n"
            f"<rect width='{self.width}' height='{self.height}' fill='white'/>\n"
        )
        return head + "\n".join(self._parts) + "\n</svg>\n"
