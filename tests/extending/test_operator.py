"""docs/extending/operator.md, carried out: operators that are added step by step, and steps left out."""

from __future__ import annotations

import pytest

from tests.extending.steps import Variant
from tests.extending.trial import carried_out, not_missed, page, run, succeed


def variant(name: str, what: str, instruction: str, formula: str) -> Variant:
    """An operator of one vector instruction a row."""
    values = {"name": name, "class": name.title(), "what": what}
    return Variant({**values, "instruction": instruction, "formula": formula})


#: What is drawn from; none of them is there.
VARIANTS = [
    variant("square", "The square of every element", "V_MUL_VV(y, x, x)", "x * x"),
    variant("double", "Twice every element", "V_ADD_VV(y, x, x)", "x + x"),
    variant("exponential", "The exponential of every element", "V_EXP_V(y, x)", "np.exp(x)"),
]
#: Where the exponents of the exponential stay moderate.
QUIET = "SIGMA=0.5"


@pytest.mark.parametrize("one", VARIANTS, ids=lambda one: one.values["name"])
def test_all_steps_make_an_operator(one: Variant) -> None:
    """Right and bit-exact, alone and with poison around it; its command line, error analysis and rules."""
    name = one.values["name"]
    with carried_out("operator.md", one, "verilator") as root:
        commands = (
            (f"python -m pytest -q -p no:cacheprovider tests/kernels/test_{name}.py", "passed"),
            (f"python -m pytest -q tests/kernels/test_contract.py -k {name}", "passed"),
            ("python -m pytest -q tests/workloads/test_families.py", "passed"),
            (f"python -m plena_ref.error_analysis --seeds 1 --set {QUIET} {name}", "machine"),
            (f"python -m scripts.run_case TEST={name} {QUIET} SEQ=3 FEATURES=17", "PASS"),
            (f"python -m ruff check --ignore I001 plena_ref tests/kernels/test_{name}.py", "passed"),
        )
        succeed(root, commands)
        refused = run(root, f"python -m scripts.run_case TEST={name} HEADS=2")
        assert refused.status == 2 and f"KERNEL = {name} has no HEADS" in refused.printed


def test_a_step_that_is_left_out_is_named() -> None:
    assert not_missed(page("operator.md"), VARIANTS[0]) == []
