"""A build directory by hand: a MoE router with weights of bf16 in HBM, and the expert's row it chooses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import write_program
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from tb.peer import comparison, directory
from tb.peer.export import write_golden

MLEN, TOKENS, EXPERTS = 16, 4, 32
#: First byte of the weights; VRAM rows of the logits, of the experts' rows and of the result.
WEIGHTS, LOGITS, TABLE, RESULT = 48, 8, 32, 70


def _program() -> str:
    """Logits of 4 tokens for 32 experts; per token the weight of the largest, times that expert's row."""
    lines = [
        "; weights of the router, bf16",
        f"S_ADDI_INT gp1, gp0, {WEIGHTS}",
        "C_SET_ADDR_REG a5, gp0, gp1",
        f"S_ADDI_INT gp1, gp0, {2 * EXPERTS}",
        "C_SET_STRIDE_REG gp1",
        "S_ADDI_INT gp2, gp0, 0",
        "S_ADDI_INT gp3, gp0, 2",
    ]
    for tile in range(2):
        lines += [
            f"; logits of experts {tile * MLEN} and on",
            f"S_ADDI_INT gp4, gp0, {tile * MLEN * MLEN}",
            f"S_ADDI_INT gp5, gp0, {2 * tile * MLEN}",
            "H_PREFETCH_M gp4, gp5, a5, 1, 1",
        ]
        for column in range(0, MLEN, 4):
            lines += [
                f"S_ADDI_INT gp4, gp0, {tile * MLEN * MLEN + column * MLEN}",
                "M_MM 0, gp4, gp2",
                f"S_ADDI_INT gp5, gp0, {(LOGITS + tile) * MLEN + column}",
                "M_MM_WO gp5, gp3, 0",
            ]
    for token in range(TOKENS):
        lines += [
            f"; choice of token {token}",
            f"S_ADDI_INT gp6, gp0, {8 * token}",
            f"S_ADDI_INT gp7, gp0, {(LOGITS + 2 * token) * MLEN}",
            "V_TOPK gp6, gp7, gp6, 0",
            "S_LD_FP f1, gp6, 0",
            "S_LD_INT gp8, gp6, 0",
            f"S_ADDI_INT gp9, gp0, {MLEN}",
            "S_MUL_INT gp8, gp8, gp9",
            f"S_ADDI_INT gp8, gp8, {TABLE * MLEN}",
            f"S_ADDI_INT gp10, gp0, {(RESULT + token) * MLEN}",
            "V_MUL_VF gp10, gp8, f1",
        ]
    return "\n".join([*lines, "C_BREAK"]) + "\n"


def write_router(folder: Path) -> None:
    """Fill a folder that holds the settings of a machine with MLEN 16, BLEN 4 and bf16 in class m1."""
    rng = np.random.default_rng(3)

    def drawn(*shape: int) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
        bits = bf16_from_float(rng.normal(size=shape))
        return bits, bf16_to_f32(bits).astype(np.float64)

    (x_bits, x), (w_bits, w), (table_bits, table) = (
        drawn(TOKENS, MLEN),
        drawn(MLEN, EXPERTS),
        drawn(EXPERTS, MLEN),
    )
    logits = x @ w
    top = -np.sort(-logits, axis=1)[:, :4]
    share = 1 / np.exp(top - top[:, :1]).sum(axis=1)
    vram = np.zeros((TABLE + EXPERTS, MLEN), np.uint16)
    vram[:TOKENS], vram[TABLE:] = x_bits, table_bits
    vram.astype("<u2").tofile(folder / directory.VRAM)
    hbm = np.zeros(WEIGHTS + w_bits.nbytes, np.uint8)
    hbm[WEIGHTS:] = w_bits.astype("<u2").reshape(-1).view(np.uint8)
    hbm.tofile(folder / directory.HBM)
    (folder / directory.HBM_SIZE).write_text(f"{hbm.size}\n")
    np.zeros(10, "<f2").tofile(folder / directory.FP_MEM)
    np.zeros(10, "<u4").tofile(folder / directory.INT_MEM)
    text = _program()
    (folder / directory.ASSEMBLY).write_text(text)
    write_program(folder / directory.PROGRAM, assemble(text))
    write_golden(folder, share[:, None] * table[logits.argmax(axis=1)])
    params = {
        "start_row_idx": RESULT,
        "num_rows": TOKENS,
        "num_batches": TOKENS,
        "elements_per_batch": MLEN,
        "row_dim": MLEN,
        "use_stride_mode": False,
    }
    (folder / comparison.FILE).write_text(json.dumps(params))
