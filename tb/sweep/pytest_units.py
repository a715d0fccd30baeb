"""Units of a sweep as pytest items, for pytest-xdist to spread over the cores: `make sweep` names this file.

The environment variable PLENA_SWEEP_PLAN names a file that `plan.write` wrote. An item fails when its unit
could not be run; what became of cells and mutants stands in the store.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tb.sweep import plan
from tb.sweep.unit import Unit, run

PLAN = plan.read(Path(os.environ[plan.VARIABLE]))


@pytest.mark.parametrize("unit", PLAN.units, ids=lambda unit: unit.names[0])
def test_unit(unit: Unit) -> None:
    PLAN.keep(unit, run(unit, PLAN.matrix))
