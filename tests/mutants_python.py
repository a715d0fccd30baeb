"""Named faults of the Python side, as data: each must make its case fail, for its own reason.

A mutant replaces one exact line in a copy of the source tree; the mechanism is tb/mutants.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PythonMutant:
    """One fault.

    Attributes:
        name: how it is called.
        file: repository-relative path.
        old: exact text, once in the file.
        new: what replaces it.
        case: the case that catches it.
        overrides: what to change in the case first.
        reason: text that the verdict's reasons contain.
    """

    name: str
    file: str
    old: str
    new: str
    case: str
    reason: str
    overrides: tuple[tuple[str, str], ...] = ()


PYTHON_MUTANTS: tuple[PythonMutant, ...] = (
    PythonMutant(
        name="batch views cut to the slab height",
        file="plena_ref/layout.py",
        old="            physical_rows=self.parent.physical_rows,",
        new="            physical_rows=self.rows_per_batch,",
        case="mha_batch2",
        reason="batch 1: 50.000% within",
    ),
    PythonMutant(
        name="batch stride rows_per_batch*columns",
        file="plena_ref/layout.py",
        old="        return self.rows_per_batch * self.parent.mlen",
        new="        return self.rows_per_batch * self.parent.physical_cols",
        case="mha_batch2",
        reason="batch 1: 0.000% within",
    ),
    PythonMutant(
        name="static triangular mask on every tile",
        file="plena_ref/kernels/tiling.py",
        old="    return shift if keys - 1 > shift else None",
        new="    return 0",
        case="mha_causal_tiles",
        reason="batch 0:",
    ),
    PythonMutant(
        name="static triangular mask on every tile, small inputs",
        file="plena_ref/kernels/tiling.py",
        old="    return shift if keys - 1 > shift else None",
        new="    return 0",
        case="mha_causal_tiles",
        overrides=(("SIGMA", "0.75"),),
        reason="batch 0:",
    ),
    PythonMutant(
        name="comparison that reads padding rows",
        file="plena_ref/layout.py",
        old="        return dense[batch * self.rows_per_batch + row]",
        new="        return dense[: self.num_batches]",
        case="mha_batch2",
        reason="batch 1: 0.000% within",
    ),
)
