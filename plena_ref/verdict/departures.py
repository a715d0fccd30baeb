"""Whether a result is what its roundings make of the data: an error that every element's tolerance lets pass.

A small error in all weights of a head moves each element by less than its own roundings may. But the model of
the roundings says to the bit what a correct machine leaves, unless an f32 sum turns one of them over: that
changes a row here and there. A head many of whose rows are not the model's was computed in another way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: A row departs from the model when more than this share of its elements is another number.
ELEMENTS = 0.125
#: A head departs when more than this share of its rows does, and at least `ROWS` of them.
SHARE = 0.125
ROWS = 2


def departing_rows(values: F64, modelled: F64) -> NDArray[np.intp]:
    """Rows of each head that depart from the model.

    Args:
        values: batch x seq x heads x columns of a head.
        modelled: as `values`; NaN in rows of which the model says nothing.

    Returns:
        how many, and of how many, by head: 2 x heads.
    """
    known = ~np.isnan(modelled).any(axis=-1)
    differs = (values != modelled).mean(axis=-1) > ELEMENTS
    return np.stack([(known & differs).sum(axis=(0, 1)), known.sum(axis=(0, 1))])


def departing_heads(values: F64, modelled: F64 | None) -> tuple[str, ...]:
    """A line for each head that departs from the model; arguments as above, None where there is no model."""
    if modelled is None:
        return ()
    counts = departing_rows(values, modelled).T
    return tuple(
        f"head {head}: {off} of {rows} rows are not what the roundings make of the data"
        for head, (off, rows) in enumerate(counts)
        if off >= ROWS and off > SHARE * rows
    )
