"""The named faults of RTL, kernels and comparison, as data: each must make its case fail, for its own reason.

A mutant replaces one exact text in a copy of the source tree; the mechanism is tb/mutants/trial.py.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        name: how it is called.
        file: repository-relative path.
        old: exact text, once in the file.
        new: what replaces it.
        case: the case that must fail.
        reason: text that the report of the failing case contains.
        overrides: options of the case, (KEY, value).
        history: the failure of an earlier bench that this fault repeats; empty for any other.
    """

    name: str
    file: str
    old: str
    new: str
    case: str
    reason: str
    overrides: tuple[tuple[str, str], ...] = ()
    history: str = ""


def read_mutants(file: Path, table: str) -> tuple[Mutant, ...]:
    """The faults of one table of a TOML file, whose keys are the attributes."""
    return tuple(Mutant(**row) for row in tomllib.loads(file.read_text())[table])


_RTL = (
    Mutant(
        name="accumulator not cleared at write-out",
        file="rtl/matrix/array_control.sv",
        old="assign load_fresh = load_idx == '0 && (pair_head || pair_fresh);",
        new="assign load_fresh = load_idx == '0 && pair_head;",
        case="mha_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="per-head sums not cleared at write-out",
        file="rtl/matrix/matrix_unit.sv",
        old="assign product_fresh = fresh_q[sums] || (issue_wo && wo_sums == sums);",
        new="assign product_fresh = !per_head && (fresh_q[sums] || (issue_wo && wo_sums == sums));",
        case="gqa_packed_wide",
        reason="batch 0: ",
    ),
    Mutant(
        name="scale register ignored",
        file="rtl/frontend/address_check.sv",
        old="assign s_offset = {32'd0, scale} + ({32'd0, gp_rs1} >> LX);",
        new="assign s_offset = {32'd0, gp_rs1} >> LX;",
        case="mha_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="matrix instructions do not wait for their tile",
        file="rtl/frontend/scoreboard.sv",
        old="(h_t_q[i] && n_t_read && n_tile == h_tile[i]) ||",
        new="",
        case="mha_ragged",
        reason="not bit-exact",
    ),
    Mutant(
        name="bank of a VRAM write without its hash",
        file="rtl/memory/vram.sv",
        old="assign wr_bank[w*3+:3] = bank_of(wr_row[w*VRW+:VRW]);",
        new="assign wr_bank[w*3+:3] = 3'(wr_row[w*VRW+:VRW]);",
        case="mha_ragged",
        reason="not bit-exact: VRAM",
    ),
    Mutant(
        name="the second of a pair reads its register before the first has written it",
        file="rtl/frontend/instruction_pair.sv",
        old="assign second_rs1 = forward_rs1 ? first_handed_on : file_rs1;",
        new="assign second_rs1 = file_rs1;",
        case="mha_ragged",
        reason="not bit-exact",
    ),
    Mutant(
        name="loop body once too often",
        file="rtl/frontend/dispatch_slot.sv",
        old="assign loop_again = loop_end && gp_rd > 32'd1;",
        new="assign loop_again = loop_end && gp_rd > 32'd0;",
        case="mha_ragged",
        reason="the reference machine with stopped",
    ),
)

_PYTHON = (
    Mutant(
        name="batch views cut to the slab height",
        file="plena_ref/kernels/layout/batched.py",
        old="            physical_rows=self.parent.physical_rows,",
        new="            physical_rows=self.rows_per_batch,",
        case="mha_batch2",
        reason="batch 1: 50.000% within",
        history="truncated physical shape",
    ),
    Mutant(
        name="batch stride rows_per_batch*columns",
        file="plena_ref/kernels/layout/batched.py",
        old="        return self.rows_per_batch * self.parent.mlen",
        new="        return self.rows_per_batch * self.parent.physical_cols",
        case="mha_batch2",
        reason="batch 1: 0.000% within",
        history="per-batch slab slicing of a column-block-major tensor",
    ),
    Mutant(
        name="static triangular mask on every tile",
        file="plena_ref/kernels/attention/tiling.py",
        old="    return shift if keys - 1 > shift else None",
        new="    return 0",
        case="mha_causal_tiles",
        reason="batch 0:",
        history="static causal mask",
    ),
    Mutant(
        name="static triangular mask on every tile, small inputs",
        file="plena_ref/kernels/attention/tiling.py",
        old="    return shift if keys - 1 > shift else None",
        new="    return 0",
        case="mha_causal_tiles",
        overrides=(("SIGMA", "0.5"),),
        reason="batch 0:",
        history="static causal mask, at half a sigma",
    ),
    Mutant(
        name="packed heads not moved to their lanes",
        file="plena_ref/kernels/attention/packed.py",
        old="                    p.add(distance, distance, self.hw.hlen)\n",
        new="",
        case="gqa_packed_narrow",
        reason="batch 0: ",
    ),
    Mutant(
        name="head without the columns behind its last whole systolic block",
        file="plena_ref/kernels/attention/shape.py",
        old="        return -(-min(hw.mlen, self.head_dim - block * hw.mlen) // hw.blen)",
        new="        return max(1, min(hw.mlen, self.head_dim - block * hw.mlen) // hw.blen)",
        case="decode_head40",
        reason="batch 0: ",
    ),
    Mutant(
        name="decode step that reads the first batch's keys for all",
        file="plena_ref/kernels/attention/decode.py",
        old="                    p.add(self.kv_batch, self.kv_batch, batch_bytes)\n",
        new="",
        case="decode_batch",
        reason="batch 2: ",
    ),
    Mutant(
        name="norm without its weights",
        file="plena_ref/kernels/rms_norm.py",
        old="                    p.V_MUL_VV(result, result, weight)\n",
        new="                    pass\n",
        case="norm_linear_residual_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="norm with the weights of the first column block for all",
        file="plena_ref/kernels/rms_norm.py",
        old="(target, self.y), (weight, self.weight)]",
        new="(target, self.y)]",
        case="norm_linear_residual_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="residual add of the layer's own input",
        file="plena_ref/workloads/norm_linear_residual.py",
        old="ResidualAddKernel(hw, x.parent, product.parent,",
        new="ResidualAddKernel(hw, normed.parent, product.parent,",
        case="norm_linear_residual_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="residual left out",
        file="plena_ref/kernels/residual_add.py",
        old="                pointers = ((x, self.x), (y, self.y), (result, self.result))",
        new="                pointers = ((x, self.y), (y, self.y), (result, self.result))",
        case="norm_linear_residual_ragged",
        reason="batch 0: ",
    ),
    Mutant(
        name="comparison that reads padding rows",
        file="plena_ref/verdict/comparison.py",
        old="        result: NDArray[np.uint16] = dense[batch * self.rows_per_batch + row]",
        new="        result = dense[: self.num_batches]",
        case="mha_batch2",
        reason="batch 1: 0.000% within",
        history="padding rows compared",
    ),
)

#: Every fault.
MUTANTS: tuple[Mutant, ...] = _RTL + _PYTHON

#: Those that repeat a failure of an earlier bench.
HISTORICAL: tuple[Mutant, ...] = tuple(mutant for mutant in MUTANTS if mutant.history)
