"""The reference machine is fast enough to run attention while one waits."""

from __future__ import annotations

import time

import numpy as np

from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages

#: Scores of one key tile and its softmax, in the plain form of docs/isa.md, for a 64 x 64 tile.
ATTENTION_TILE = """
S_ADDI_INT gp2, gp0, 16384
C_LOOP_START gp3, 4
  S_ADDI_INT gp1, gp0, 0
  C_LOOP_START gp4, 4
    M_TMM 0, gp1, gp5
    M_MM_WO gp2, gp0, 0
    S_ADDI_INT gp1, gp1, 1024
    S_ADDI_INT gp2, gp2, 1024
  C_LOOP_END gp4
  S_ADDI_INT gp5, gp5, 1024
C_LOOP_END gp3
S_LD_FP f5, gp0, 1
S_ADDI_INT gp1, gp0, 16384
S_ADDI_INT gp2, gp0, 10
S_ADDI_INT gp3, gp0, 74
S_ADDI_INT gp4, gp0, 138
C_LOOP_START gp6, 64
  S_LD_FP f1, gp2, 0
  S_ADD_FP f2, f1, f0
  V_MUL_VF gp1, gp1, f5
  S_LD_FP f6, gp0, 2
  V_RED_MAX f6, gp1
  S_MAX_FP f1, f6, f1
  S_SUB_FP f2, f2, f1
  S_EXP_FP f2, f2
  S_ST_FP f2, gp3, 0
  S_ST_FP f1, gp2, 0
  V_SUB_VF gp1, gp1, f1, 0, 0
  V_EXP_V gp1, gp1
  S_LD_FP f3, gp4, 0
  S_ADD_FP f4, f0, f0
  V_RED_SUM f4, gp1
  S_MUL_FP f3, f3, f2
  S_ADD_FP f3, f3, f4
  S_ST_FP f3, gp4, 0
  S_ADDI_INT gp1, gp1, 64
  S_ADDI_INT gp2, gp2, 1
  S_ADDI_INT gp3, gp3, 1
  S_ADDI_INT gp4, gp4, 1
C_LOOP_END gp6
"""


def test_thirty_thousand_instructions_a_second() -> None:
    hw = Hardware(mlen=64, blen=16, hbm_bytes=1 << 16)
    images = MemoryImages.zeros(hw)
    rng = np.random.default_rng(0)
    values = rng.standard_normal(hw.tile_elems).astype(np.float32)
    images.vram[: hw.tile_elems] = values.view(np.uint32) >> 16
    images.msram[: hw.tile_elems] = rng.permutation(values).view(np.uint32) >> 16
    images.fpmem[:3] = [0, 0x3E00, 0xFF80]
    images.fpmem[10:74] = 0xFF80
    words = assemble(ATTENTION_TILE)
    rates = []
    for _ in range(4):
        machine = Machine(hw, images.copy())
        begin = time.perf_counter()
        report = machine.run(words)
        rates.append(report.instructions / (time.perf_counter() - begin))
        assert report.status == "stopped"
    print(f"{max(rates):,.0f} instructions a second")
    assert max(rates) >= 30_000
