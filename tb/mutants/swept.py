"""The permanent mutants of the sweep: those with a case of their own, and those of the quick cells."""

from __future__ import annotations

from tb.mutants.placement import PLACEMENT
from tb.mutants.table import MUTANTS, Mutant

#: Every one.
SWEPT: tuple[Mutant, ...] = (*MUTANTS, *PLACEMENT)
