"""How an instruction is decoded, by its shape: the one table of all units' decoders."""

from __future__ import annotations

from plena_ref.machine.reference import control, float_unit, hbm, integer, matrix, vector
from plena_ref.machine.reference.step import Decoder

DECODERS: dict[str, Decoder] = {
    "BLOCK_PRODUCT": matrix.block_product,
    "BLOCK_PRODUCT_T": matrix.block_product_transposed,
    "ROW_PRODUCT": matrix.row_product,
    "ROW_PRODUCT_T": matrix.row_product_transposed,
    "HEAD_PRODUCT": matrix.head_product,
    "HEAD_ROW_PRODUCT": matrix.head_row_product,
    "BLOCK_WRITE_OUT": matrix.block_write_out,
    "ROW_WRITE_OUT": matrix.row_write_out,
    "HEAD_WRITE_OUT": matrix.head_write_out,
    "HEAD_ROW_WRITE_OUT": matrix.head_row_write_out,
    "VV": vector.two_rows,
    "VF": vector.row_and_f,
    "VF_REVERSIBLE": vector.row_and_f,
    "V1": vector.one_row,
    "SHIFT": vector.shift,
    "REDUCTION": vector.reduction,
    "MAP": vector.map_row,
    "TOPK": vector.topk,
    "F3": float_unit.two_registers,
    "F2": float_unit.one_register,
    "F_LOAD": float_unit.load,
    "F_STORE": float_unit.store,
    "G3": integer.two_registers,
    "G_IMMEDIATE": integer.immediate,
    "G_UPPER": integer.upper,
    "G_LOAD": integer.load,
    "G_STORE": integer.store,
    "PREFETCH_TILE": hbm.prefetch_tile,
    "PREFETCH_ROWS": hbm.prefetch_rows,
    "STORE_ROWS": hbm.store_rows,
    "SET_ADDRESS": control.set_address,
    "SET_SCALE": control.set_scale,
    "SET_STRIDE": control.set_stride,
    "SET_V_MASK": control.set_v_mask,
    "LOOP_START": control.loop_start,
    "LOOP_END": control.loop_end,
    "STOP": control.stop,
}
