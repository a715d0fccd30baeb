"""A small program around one instruction, on RTL and reference machine.

`python -m tests.extending.program V_ABS icarus verilator`

For elementwise instructions of the vector and the float unit. Also checks that random programs hold it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from plena_ref.isa import instructions as isa
from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from tb.bench.harness import Job
from tb.fuzz.random_programs import generate
from tb.system.equivalence import check, random_images

#: The smallest machine.
HW = Hardware(8, 4, 4, vram_elems=1 << 10, msram_tiles=2, fp_words=64, int_words=64, hbm_bytes=1 << 14)


VECTOR = """
S_ADDI_INT gp1, gp0, 64
S_ADDI_INT gp2, gp0, 128
S_ADDI_INT gp3, gp0, 0
S_ADDI_INT gp4, gp0, 1
C_SET_V_MASK_REG gp4
C_LOOP_START gp4, 6
  {name} gp2, gp3{second}, 0
  V_ADD_VV gp3, gp2, gp1
  {name} gp2, gp2{second}, 1
  V_RED_MAX f1, gp2
  {name} gp1, gp3{second}, 1
  S_ADDI_INT gp1, gp1, 8
  S_ADDI_INT gp2, gp2, 8
  S_ADDI_INT gp3, gp3, 8
C_LOOP_END gp4
"""

FLOAT = """
C_LOOP_START gp5, 24
  S_LD_FP f1, gp4, 0
  S_LD_FP f2, gp4, 1
  {name} f3, f1{second}
  {name} f0, f3{second}
  S_ADD_FP f2, f3, f1
  {name} f4, f2{second}
  S_ST_FP f3, gp4, 32
  S_ST_FP f4, gp4, 36
  S_ADDI_INT gp4, gp4, 1
C_LOOP_END gp5
"""

_SECOND = {"VV": ", gp1", "V1": "", "F3": ", f2", "F2": ""}


def program(entry: isa.Instruction) -> list[int]:
    """The instruction over many values, its results used at once, and stored."""
    text = VECTOR if entry.unit is isa.Unit.V else FLOAT
    return assemble(text.format(name=entry.mnemonic, second=_SECOND[entry.shape.name]))


def main(arguments: Sequence[str]) -> int:
    """Check instruction `arguments[0]` on the simulators `arguments[1:]`."""
    mnemonic, *simulators = arguments
    entry = isa.INSTRUCTIONS[mnemonic]
    programs = [generate(HW, seed, 120, trap_probability=0, wild_probability=0) for seed in range(30)]
    holding = [p for p in programs if any(isa.opcode(word) == entry.opcode for word in p.words)]
    if not holding:
        print(f"no random program holds {mnemonic}")
        return 1
    jobs = {"values": Job(program(entry), random_images(HW, 1, special_share=0.4), timeout=50_000)}
    jobs |= {str(n): Job(p.words, p.images, p.limit, timeout=50_000) for n, p in enumerate(holding[:4])}
    for simulator in simulators:
        pairs = check(HW, jobs, simulator)
        assert all(pair.report.cause is None for pair in pairs.values())
        print(
            f"{mnemonic}: bit-exact on {simulator}, {len(holding)} of {len(programs)} random programs hold it"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
