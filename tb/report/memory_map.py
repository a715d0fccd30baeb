"""Where the tensors lie: a strip for each memory, to scale inside what is used."""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.machine.tensors import NamedTensor
from tb.report.markup import section, table, text

_WIDTH, _HEIGHT, _LANE = 900, 20, 24
#: Rows of the table of a memory.
_MOST = 40
_TITLES = {"vram": "VRAM", "msram": "MSRAM", "fpmem": "FP_MEM", "intmem": "INT_MEM", "hbm": "HBM"}


def section_of(tensors: Sequence[NamedTensor]) -> str:
    """The strips, each with a table behind it."""
    parts = []
    for memory, title in _TITLES.items():
        here = sorted(
            (tensor for tensor in tensors if tensor.memory == memory), key=lambda tensor: tensor.base
        )
        if here:
            parts.append(f"<h3>{title}</h3>{_strip(here)}{_details(here)}")
    return section("memory", "Where the tensors lie", "".join(parts))


def _strip(tensors: Sequence[NamedTensor]) -> str:
    """Tensors side by side; what shares words with others lies in a lane below."""
    end = max(tensor.base + tensor.words for tensor in tensors)
    ends: list[int] = []
    shapes = []
    for tensor in tensors:
        lane = next((n for n, last in enumerate(ends) if last <= tensor.base), len(ends))
        ends[lane : lane + 1] = [tensor.base + tensor.words]
        left, width = _WIDTH * tensor.base / end, _WIDTH * tensor.words / end
        name = f'<text x="{left + 3:.1f}" y="{lane * _LANE + 14}">{text(tensor.name)}</text>'
        shapes.append(
            f'<g><title>{text(_where(tensor))}</title><rect x="{left:.1f}" y="{lane * _LANE}" '
            f'width="{max(width, 1):.1f}" height="{_HEIGHT}" fill="var(--part)" stroke="var(--line)"/>'
            f"{name if width > 7 * len(tensor.name) + 6 else ''}</g>"
        )
    height = len(ends) * _LANE
    return (
        f'<svg class="map" role="img" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">'
        f"<title>words 0 to {end}</title>{''.join(shapes)}</svg>"
    )


def _where(tensor: NamedTensor) -> str:
    last = tensor.base + tensor.words - 1
    return f"{tensor.name}: words {tensor.base} to {last}, {tensor.rows} x {tensor.cols}"


def _details(tensors: Sequence[NamedTensor]) -> str:
    """The numbers."""
    rows = [
        (t.name, t.base, t.base + t.words, f"{t.rows} x {t.cols}", t.batches, t.heads)
        for t in tensors[:_MOST]
    ]
    heads = ("tensor", "from word", "to", "rows x columns", "batches", "heads")
    return f"<details><summary>numbers</summary>{table(heads, rows, 'tensors')}</details>"
