"""PLENA reference package: instruction set, assembler, reference machine, kernels and comparison.

In a notebook: `plena_ref.case("mha_batch2")`, `plena_ref.cases()`, `plena_ref.signature("V_ADD_VV")`.
"""

from __future__ import annotations

from typing import Any

#: What notebooks use; imported when it is asked for, because most programs need none of it.
_OF_NOTEBOOKS = ("case", "cases", "signature")


def __getattr__(name: str) -> Any:  # Any: each function with its own type
    """Look up what notebooks use."""
    if name in _OF_NOTEBOOKS:
        from plena_ref import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'plena_ref' has no attribute {name!r}")
