"""docs/extending/format.md, carried out in a copy of the tree for a format that is drawn.

PLENA_EXTENDING=7 repeats the draw of seed 7.
"""

from __future__ import annotations

import os
import random

import pytest

from plena_ref.isa.formats import FORMATS
from tests.extending.steps import Variant
from tests.extending.trial import carry_out, copied_tree, not_missed, page, run

_NAMES = ("key", "name", "exponent", "mantissa", "bias", "largest", "first_nan", "nan", "dtype")
KINDS = (
    ("e5m2", "E5M2", "5", "2", "15", "7B", "7D", "7F", "ml_dtypes.float8_e5m2"),
    ("ieee", "E4M3IEEE", "4", "3", "7", "77", "79", "7C", "ml_dtypes.float8_e4m3"),
    ("flat", "E5M2FLAT", "5", "2", "15", "7B", "7D", "7E", "ml_dtypes.float8_e5m2"),
)


@pytest.fixture(scope="module")
def variant() -> Variant:
    seed = int(os.environ.get("PLENA_EXTENDING") or random.SystemRandom().randrange(10_000))
    kinds = [kind for kind in KINDS if kind[0] not in FORMATS]
    drawn = random.Random(seed).choice(kinds)
    print(f"PLENA_EXTENDING={seed}: {drawn[0]}")
    return Variant(dict(zip(_NAMES, drawn, strict=True)))


def test_the_steps_make_a_format(variant: Variant) -> None:
    """Reference machine against the independent type, RTL against the reference machine, documentation."""
    with copied_tree() as root:
        carry_out(root, page("format.md"), variant)
        for command in (
            "python -m plena_ref codegen --check",
            "python -m pytest -q -p no:cacheprovider tests/machine/test_formats.py tb/unit/test_formats.py",
        ):
            ran = run(root, command)
            assert ran.status == 0, f"{ran.command} ends with {ran.status}:\n{ran.printed[-4000:]}"
        row = f"| {variant.values['key']} | {variant.values['name']} |"
        assert row in (root / "docs/isa.md").read_text()
        word = f"import plena_ref.machine.hardware as m; print(m.Hardware(element='{variant.values['key']}'))"
        ran = run(root, f'python -c "{word}"')
        assert ran.status == 0, ran.printed


def test_a_step_left_out_is_named(variant: Variant) -> None:
    assert not_missed(page("format.md"), variant) == []
