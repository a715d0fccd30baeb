"""The roundings of RoPE: the tables, both products, and their sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.roundings import F64, OperatorRoundings, Rounder, round_to_bf16, sum_of, variance
from plena_ref.golden.rope import angles, rope, rotate_half


@dataclass(frozen=True)
class RopeRoundings(OperatorRoundings):
    """The roundings of one RoPE.

    Attributes:
        x: batch x seq x heads x head_dim, the values the machine starts from.
        start: position of row 0.
        theta: base of the frequencies.
    """

    stages: ClassVar[Mapping[str, str]] = {
        "table": "cos and sin of the angles",
        "products": "x*cos and rotate_half(x)*sin",
        "y": "their sum",
    }

    x: F64
    start: int
    theta: float

    def golden(self) -> F64:
        """batch x seq x heads x head_dim."""
        return rope(self.x, self.start, self.theta)

    @cached_property
    def tables(self) -> tuple[F64, F64]:
        """cos and sin in float64, each seq x 1 x head_dim."""
        angle = angles(self.start, self.x.shape[1], self.x.shape[-1], self.theta)[:, None, :]
        cos, sin = (np.concatenate([table, table], axis=-1) for table in (np.cos(angle), np.sin(angle)))
        return cos, sin

    def size(self) -> F64:
        """|x*cos| + |rotate_half(x)*sin|: what the roundings of tables and products are relative to."""
        cos, sin = self.tables
        return np.abs(self.x * cos) + np.abs(rotate_half(self.x) * sin)

    def computed(self, rounded: Rounder) -> F64:
        """Tables, products and sum."""
        cos, sin = (rounded("table", table) for table in self.tables)
        products = rounded("products", self.x * cos), rounded("products", rotate_half(self.x) * sin)
        return rounded("y", products[0] + products[1])

    def closed_form(self) -> dict[str, F64]:
        """The errors of the tables are known."""
        pairs = tuple(zip((self.x, rotate_half(self.x)), self.tables, strict=True))
        return {
            "table": sum_of((x * (round_to_bf16(table) - table)) ** 2 for x, table in pairs),
            "products": sum_of(variance(x * table) for x, table in pairs),
            "y": variance(self.exact),
        }
