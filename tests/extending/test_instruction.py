"""docs/extending/instruction.md, carried out in a copy of the tree for an instruction that is drawn.

The seed is drawn too, and printed; PLENA_EXTENDING=7 repeats that of seed 7.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

import pytest

from plena_ref.isa import instructions as isa
from plena_ref.isa.operations import OPERATIONS, no_operation
from tb.engine import simulate
from tests.extending.steps import Variant
from tests.extending.trial import carry_out, copied_tree, not_missed, page, run

_ABS = "lambda x: numerics.bf16_max(x, x ^ np.uint16(0x8000))"
_NEG = "lambda x: numerics.bf16_sub(np.uint16(0x8000), x)"
_ABS_EXAMPLES = "(0xC000, 0x4000), (0x8001, 0x0000), (0x7FA5, 0x7FC0), (0xFF80, 0x7F80)"
_NEG_EXAMPLES = "(0xC000, 0x4000), (0x8001, 0x0000), (0x0000, 0x8000), (0x7F80, 0xFF80)"


@dataclass(frozen=True)
class Kind:
    """An instruction that could be added, without its opcode and operation code."""

    mnemonic: str
    unit: isa.Unit
    shape: str
    operation: str
    meaning: str
    bits: str
    ignored: str = ""
    python: str = ""
    rtl: str = ""
    examples: str = ""


_V, _F = isa.Unit.V, isa.Unit.F
_X = "a[i*16+:16]"
KINDS = (
    Kind("V_ABS", _V, "V1", "ABS", "Row = abs(row A).", "dabm", "b", _ABS,
         f"plena_fp::bf16_max({_X}, {_X} ^ 16'h8000)", _ABS_EXAMPLES),
    Kind("V_NEG", _V, "V1", "NEG", "Row = -row A.", "dabm", "b", _NEG,
         f"plena_fp::bf16_sub(16'h8000, {_X})", _NEG_EXAMPLES),
    Kind("V_MAX_VV", _V, "VV", "MAX", "Row = max(row A, row B).", "dabm"),
    Kind("V_MIN_VV", _V, "VV", "MIN", "Row = min(row A, row B).", "dabm"),
    Kind("S_ABS_FP", _F, "F2", "ABS", "f = abs(fA).", "DA", "", _ABS,
         "plena_fp::bf16_max(a, a ^ 16'h8000)", _ABS_EXAMPLES),
    Kind("S_NEG_FP", _F, "F2", "NEG", "f = -fA.", "DA", "", _NEG,
         "plena_fp::bf16_sub(16'h8000, a)", _NEG_EXAMPLES),
    Kind("S_MIN_FP", _F, "F3", "MIN", "f = min(fA, fB).", "DAB", "", "numerics.bf16_min",
         "plena_fp::bf16_min(a, b)"),
)  # fmt: skip


def draw(seed: int) -> Variant:
    """The instruction of a seed: which one, and which of the free codes it takes."""
    rng = random.Random(seed)
    kind = rng.choice([kind for kind in KINDS if kind.mnemonic not in isa.INSTRUCTIONS])
    free = [code for code in range(1, 64) if code not in isa.BY_OPCODE]
    known = OPERATIONS[kind.unit]
    codes = [code for code in range(no_operation()) if code not in known.values()]
    new = kind.operation not in known
    values = {
        **{name: str(getattr(kind, name)) for name in Kind.__dataclass_fields__ if name != "unit"},
        "unit": kind.unit.name,
        "code": f"{rng.choice(free):02X}",
        "operation_code": str(rng.choice(codes)) if new else str(known[kind.operation]),
        "prose": f'{kind.meaning} One arithmetic step, as in "Numbers".',
    }
    tags = {
        "vector" if kind.unit is _V else "float",
        "new operation" if new else "known operation",
        "one source" if kind.shape in ("V1", "F2") else "two sources",
    }
    return Variant(values, frozenset(tags | ({"new example"} if kind.examples else set())))


@pytest.fixture(scope="module")
def variant() -> Variant:
    seed = int(os.environ.get("PLENA_EXTENDING") or random.SystemRandom().randrange(10_000))
    drawn = draw(seed)
    shown = f"{drawn.values['mnemonic']}, opcode {drawn.values['code']}"
    print(f"PLENA_EXTENDING={seed}: {shown}, operation code {drawn.values['operation_code']}")
    return drawn


def test_every_kind_can_be_drawn() -> None:
    drawn = {draw(seed).values["mnemonic"] for seed in range(100)}
    assert drawn == {kind.mnemonic for kind in KINDS if kind.mnemonic not in isa.INSTRUCTIONS}


def test_the_steps_make_an_instruction(variant: Variant) -> None:
    """It assembles, does its examples, stands in docs and random programs, and is bit-exact on both."""
    mnemonic = variant.values["mnemonic"]
    with copied_tree() as root:
        carry_out(root, page("instruction.md"), variant)
        for command in (
            "python -m plena_ref codegen --check",
            "python -m pytest -q -p no:cacheprovider tests/isa tests/machine/test_operations.py",
            f"python -m tests.extending.program {mnemonic} {' '.join(simulate.SIMULATORS)}",
        ):
            ran = run(root, command)
            assert ran.status == 0, f"{ran.command} ends with {ran.status}:\n{ran.printed[-4000:]}"
        assert f"| `{mnemonic} " in (root / "docs/isa.md").read_text(encoding="utf-8")


def test_a_step_left_out_is_named(variant: Variant) -> None:
    assert not_missed(page("instruction.md"), variant) == []
