"""Errors of the result in units of the last place of bf16: maps by batch and head, and a table by size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tb.report.markup import picture, section, table, text

F64 = NDArray[np.float64]

#: Maps that are drawn, those with the largest errors first.
_MOST_MAPS = 16
#: Pixels of a field's edge at most, and of a map's.
_FIELD, _MAP = 12, 320
#: Bounds of the classes of errors, in units of the last place.
_CLASSES = (0.5, 1, 2, 4, 8, 16, 64, 256)


def ulp(golden: F64) -> F64:
    """The unit of the last place of bf16 (8 bits of significand) at each value; that of 2^-126 below it."""
    exponent = np.floor(np.log2(np.maximum(np.abs(golden), 2.0**-126)))
    return 2.0 ** (exponent - 7)


def errors_in_ulp(got: F64, golden: F64) -> F64:
    """|got - golden| in units of the last place of the golden; infinite where a NaN is."""
    errors = np.abs(got - golden) / ulp(golden)
    return np.where(np.isnan(errors), np.inf, errors)


def section_of(got: F64, golden: F64, right: NDArray[np.bool_], physical: tuple[int, int]) -> str:
    """The maps and the table.

    Args:
        got, golden: what was left and what should have been, batch x seq x heads x columns.
        right: what is within bounds.
        physical: rows of a batch and columns of a head as they lie in VRAM, padding included.
    """
    errors = errors_in_ulp(got, golden)
    worst = errors.max(axis=(1, 3))
    places = sorted(
        np.ndindex(worst.shape), key=lambda place: (right[place[0], :, place[1]].all(), -worst[place])
    )
    shown = sorted(places[:_MOST_MAPS])
    maps = "".join(
        _figure(errors[batch, :, head], right[batch, :, head], f"batch {batch}, head {head}", physical)
        for batch, head in shown
    )
    more = (
        f"<p>{len(places) - len(shown)} more batches and heads have no larger errors.</p>"
        if places[_MOST_MAPS:]
        else ""
    )
    key = (
        '<div class="key"><span><i style="background:rgba(60,110,200,.5)"></i>within bounds, the darker the '
        'larger (logarithmic, to 64 units)</span><span><i style="background:#d5281a"></i>out of bounds or '
        'NaN</span><span><i style="background:var(--none)"></i>padding, never compared</span></div>'
    )
    return section(
        "errors",
        "Errors: rows down, columns across",
        key + f'<div class="maps">{maps}</div>{more}{_sizes(errors)}',
    )


def _figure(errors: F64, right: NDArray[np.bool_], name: str, physical: tuple[int, int]) -> str:
    """One map."""
    rows, columns = errors.shape
    down, across = max(physical[0], rows), max(physical[1], columns)
    size = max(1.0, min(_FIELD, _MAP / max(down, across)))
    strength = np.log2(1 + np.minimum(np.where(np.isfinite(errors), errors, 64), 64)) / 6
    pixels = np.zeros((rows, columns, 4), np.uint8)
    pixels[right] = [60, 110, 200, 0]
    pixels[..., 3] = np.where(right, 220 * strength, 255).astype(np.uint8)
    pixels[~right] = [213, 40, 26, 255]
    wrong = int((~right).sum())
    title = f"{name}: {wrong} of {right.size} elements out of bounds, largest error {errors.max():.3g} units"
    return (
        f'<figure><svg class="map" role="img" width="{across * size:.0f}" height="{down * size:.0f}" '
        f'viewBox="0 0 {across} {down}"><title>{text(title)}</title>'
        f'<rect width="{across}" height="{down}" fill="var(--none)"/>'
        f'<rect width="{columns}" height="{rows}" fill="var(--paper)"/>'
        f'<image width="{columns}" height="{rows}" preserveAspectRatio="none" '
        f'href="{picture(pixels)}"/></svg>'
        f"<figcaption>{text(title)}</figcaption></figure>"
    )


def _sizes(errors: F64) -> str:
    """How many elements have errors of which size."""
    bounds = [0.0, *_CLASSES, np.inf]
    flat, rows = errors.reshape(-1), []
    for low, high in pairwise(bounds):
        count = int(((flat > low) & (flat <= high)).sum()) if low else int((flat <= high).sum())
        name = f"up to {high:g}" if np.isfinite(high) else f"above {low:g}, or NaN"
        rows.append((name, count, f"{100 * count / flat.size:.2f}%"))
    return table(("error in units of the last place", "elements", "share"), rows, "errors by size")
