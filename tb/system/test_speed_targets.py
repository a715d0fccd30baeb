"""What the attention kernel must achieve, read from the cycle counts that test_cycles.py keeps true.

MLEN 64, BLEN 16, one head of 64, causal, memory latency 100.
"""

from __future__ import annotations

import pytest

from tb.system import cycles

pytestmark = pytest.mark.not_nightly("speed")

PLAIN = "TEST=mha_causal_tiles KERNEL=plain_attention"


@pytest.mark.parametrize(
    ("entry", "most"), [("TEST=mha_causal_tiles", 2300), ("TEST=mha_causal_tiles SEQ=256", 5900)]
)
def test_cycles_of_the_attention_kernel(entry: str, most: int) -> None:
    assert cycles.read()[entry]["cycles"] <= most


def test_the_attention_kernel_against_the_plain_form() -> None:
    """At most 60% of the cycles of the form that compilers emit, on the same machine."""
    table = cycles.read()
    assert table["TEST=mha_causal_tiles"]["cycles"] <= 0.6 * table[PLAIN]["cycles"]
