"""One step of a pass: what is marked in its program, and what a verdict on its stages looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerStep:
    """One operator, or one panel of a product.

    Attributes:
        layer: number of the layer; None for what belongs to none.
        name: what it is there: "attention norm", "q", "rope", "k cache", ...
        first, count: columns of the result, padding included, or heads: of "rope" among those of q and k, of
            the caches and of attention heads of K and V; 0 where a step makes all of it.
    """

    layer: int | None
    name: str
    first: int = 0
    count: int = 0
