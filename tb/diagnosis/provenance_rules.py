"""How each shape of instruction hands on the labels of `provenance.py`: what depends on what."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import FUNCT1, IMM18, RD, RS1, RS2, RS3, Field
from plena_ref.isa.policies import POLICIES
from tb.diagnosis.provenance import CLEAN, Labels, Provenance, Rule, least

Done = Callable[[], None]


def _nothing() -> None:
    """An instruction after which no label changes."""


# Vector: rows, f registers, and what moves between memories


def _masked(p: Provenance, word: int, computed: Labels, source: Labels) -> Labels:
    """A row of labels under the mask, if there is one."""
    if not RS3.get(word):
        return computed
    chosen = np.where(p.core.mask_row, computed, source)
    return np.minimum(chosen, np.int32(p.special["v_mask"]))


def _row_result(p: Provenance, word: int, computed: Labels, source: Labels) -> Done:
    where = p.rows(p.address(word, RD))[0]
    labels = _masked(p, word, computed, source)
    return lambda: p.write("vram", where, labels)


def _one_row(p: Provenance, pc: int, word: int) -> Done:
    row = p.read(pc, "vram", p.rows(p.address(word, RS1))[0])
    return _row_result(p, word, row, row)


def _two_rows(p: Provenance, pc: int, word: int) -> Done:
    row = p.read(pc, "vram", p.rows(p.address(word, RS1))[0])
    other = p.read(pc, "vram", p.rows(p.address(word, RS2))[0])
    return _row_result(p, word, np.minimum(row, other), row)


def _row_and_f(p: Provenance, pc: int, word: int) -> Done:
    row = p.read(pc, "vram", p.rows(p.address(word, RS1))[0])
    return _row_result(p, word, np.minimum(row, p.f[RS2.get(word)]), row)


def _shift(p: Provenance, pc: int, word: int) -> Done:
    row = p.read(pc, "vram", p.rows(p.address(word, RS1))[0])
    distance = min(p.core.gp[RS2.get(word)], row.size)
    out = np.full(row.size, CLEAN, np.int32)
    out[distance:] = row[: row.size - distance]
    where, labels = p.rows(p.address(word, RD))[0], np.minimum(out, p.gp[RS2.get(word)])
    return lambda: p.write("vram", where, labels)


def _reduction(p: Provenance, pc: int, word: int) -> Done:
    row = p.read(pc, "vram", p.rows(p.address(word, RS1))[0])
    target = RD.get(word)
    clean = np.full(row.size, CLEAN, np.int32)
    label = least(_masked(p, word, row, clean), p.f[target])
    return lambda: p.set_f(target, label)


def _map(p: Provenance, pc: int, word: int) -> Done:
    at = p.address(word, RS1, IMM18) + np.arange(p.core.hw.mlen)
    labels, where = p.read(pc, "fpmem", at), p.rows(p.address(word, RD))[0]
    return lambda: p.write("vram", where, labels)


def _topk(p: Provenance, pc: int, word: int) -> Done:
    policy = POLICIES[RS3.get(word)]
    label = least(p.read(pc, "vram", p.address(word, RS1) + np.arange(policy.logits)))
    weights, indices = (p.address(word, field) + np.arange(policy.chosen) for field in (RD, RS2))

    def done() -> None:
        p.write("fpmem", weights, label)
        p.write("intmem", indices, label)

    return done


# Matrix: accumulators


def _product(vector: Field, matrix: Field, sums: str, rows_of_tile: bool) -> Rule:
    """A row or block of rows times BLEN columns, or transposed rows, of a tile."""

    def rule(p: Provenance, pc: int, word: int) -> Done:
        hw, target = p.core.hw, p.sums[sums]
        rows = p.read(pc, "vram", p.rows(p.address(word, vector), len(target)))
        address = p.address(word, matrix)
        offset, tile = address % hw.tile_elems, p.tile(address)
        in_rows = rows_of_tile or offset % (hw.blen * hw.mlen) == 0
        first = offset // hw.mlen if in_rows else offset
        part = tile[first : first + hw.blen] if rows_of_tile else tile[:, first : first + hw.blen].T
        columns = p.read(pc, "msram", part).min(axis=1)
        found = np.minimum(rows.min(axis=1)[:, None], columns[None, :])
        return lambda: np.copyto(target, np.minimum(target, found))

    return rule


def _head_product(sums: str) -> Rule:
    """Each head's lanes of rows times HLEN rows, or transposed columns, of a tile."""

    def rule(p: Provenance, pc: int, word: int) -> Done:
        hw, target = p.core.hw, p.sums[sums]
        count = target.shape[1]
        rows = p.read(pc, "vram", p.rows(p.address(word, RS2), count))
        address = p.address(word, RS1, RD)
        tap, tile = address % hw.tile_elems, p.tile(address)
        transposed = "BT" in isa.BY_OPCODE[isa.opcode(word)].mnemonic
        if transposed:
            lanes = rows.reshape(count, hw.lanes, hw.hlen).min(axis=2).T
            columns = p.read(pc, "msram", tile[:, tap : tap + hw.hlen]).min(axis=1)
        else:
            lanes = rows.reshape(count, hw.hlen, hw.lanes).min(axis=1).T
            columns = p.read(pc, "msram", tile[tap : tap + hw.hlen]).min(axis=0)
        found = np.minimum(lanes[:, :, None], columns[None, None, :])
        return lambda: np.copyto(target, np.minimum(target, found))

    return rule


def _write_out(sums: str, strided: bool) -> Rule:
    """Accumulators to VRAM: BLEN columns of rows, or whole rows of every head."""

    def rule(p: Provenance, _pc: int, word: int) -> Done:
        hw, target = p.core.hw, p.sums[sums]
        address = p.address(word, RD, IMM18)
        labels: NDArray[np.int32]
        if target.ndim == 3:
            labels = target.reshape(-1, hw.mlen).copy()
            where = p.rows(address, len(labels))
        else:
            step = p.address(word, RS1) if strided and RS1.get(word) else 1
            labels, column = target.copy(), address % hw.mlen
            where = p.rows(address, len(labels), step)[:, column : column + hw.blen]

        def done() -> None:
            p.write("vram", where, labels)
            target[...] = CLEAN

        return done

    return rule


# Scalars


def _f_registers(*sources: Field) -> Rule:
    def rule(p: Provenance, _pc: int, word: int) -> Done:
        label, target = least(*(p.f[field.get(word)] for field in sources)), RD.get(word)
        return lambda: p.set_f(target, label)

    return rule


def _gp_registers(*sources: Field) -> Rule:
    def rule(p: Provenance, _pc: int, word: int) -> Done:
        label, target = least(CLEAN, *(p.gp[field.get(word)] for field in sources)), RD.get(word)
        return lambda: p.set_gp(target, label)

    return rule


def _load(memory: str) -> Rule:
    def rule(p: Provenance, pc: int, word: int) -> Done:
        label = least(p.read(pc, memory, np.array([p.address(word, RS1, IMM18)])))
        store = p.set_f if memory == "fpmem" else p.set_gp
        return lambda: store(RD.get(word), label)

    return rule


def _store(memory: str) -> Rule:
    def rule(p: Provenance, _pc: int, word: int) -> Done:
        labels = p.f if memory == "fpmem" else p.gp
        where, label = np.array([p.address(word, RS1, IMM18)]), int(labels[RD.get(word)])
        return lambda: p.write(memory, where, label)

    return rule


# HBM


def _places(p: Provenance, word: int, memory: str, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """HBM byte addresses of a transfer: elements [rows, row bytes] and scales [rows, scales of a row]."""
    core, form = p.core, p.core.hw.hbm_format(memory, FUNCT1.get(word))
    base, offset = core.a[RS2.get(word)], p.address(word, RS1)
    row = form.row_bytes(core.hw.mlen)
    stride = core.stride if RS3.get(word) else row
    p.addresses = least(p.addresses, p.a[RS2.get(word)], p.special["scale"])
    if RS3.get(word):
        p.addresses = min(p.addresses, p.special["stride"])
    number = np.arange(rows, dtype=np.int64)[:, None]
    scales = base + core.scale + form.scale_bytes(offset) + number * form.scale_bytes(stride)
    return base + offset + number * stride + np.arange(row), scales + np.arange(form.scale_bytes(row))


def _loaded(p: Provenance, pc: int, word: int, memory: str, rows: int) -> Labels:
    """Labels of rows that come from HBM: of their bytes, and of the scales of their blocks."""
    elements, scales = _places(p, word, memory, rows)
    mlen = p.core.hw.mlen
    labels = p.read(pc, "hbm", elements).reshape(rows, mlen, -1).min(axis=2)
    if scales.size:
        shared = p.read(pc, "hbm", scales)
        labels = np.minimum(labels, np.repeat(shared, mlen // shared.shape[1], axis=1))
    result: Labels = labels
    return result


def _prefetch_tile(p: Provenance, pc: int, word: int) -> Done:
    labels = _loaded(p, pc, word, "m", p.core.hw.mlen)
    where = p.tile(p.address(word, RD))
    return lambda: p.write("msram", where, labels)


def _prefetch_rows(p: Provenance, pc: int, word: int) -> Done:
    labels = _loaded(p, pc, word, "v", p.core.hw.vpref)
    where = p.rows(p.address(word, RD), p.core.hw.vpref)
    return lambda: p.write("vram", where, labels)


def _store_rows(p: Provenance, pc: int, word: int) -> Done:
    rows = p.core.hw.vstore
    labels = p.read(pc, "vram", p.rows(p.address(word, RD), rows))
    elements, scales = _places(p, word, "v", rows)
    if scales.size:
        blocks = labels.reshape(rows, scales.shape[1], -1).min(axis=2)
        labels = np.repeat(blocks, labels.shape[1] // blocks.shape[1], axis=1)

    def done() -> None:
        p.write("hbm", elements, np.repeat(labels, elements.shape[1] // labels.shape[1], axis=1))
        if scales.size:
            p.write("hbm", scales, blocks)

    return done


# Control


def _set_address(p: Provenance, _pc: int, word: int) -> Done:
    label = least(p.gp[RS1.get(word)], p.gp[RS2.get(word)])
    return lambda: p.a.__setitem__(RD.get(word), label)


def _set_special(name: str) -> Rule:
    def rule(p: Provenance, _pc: int, word: int) -> Done:
        label = int(p.gp[RD.get(word)])
        return lambda: p.special.__setitem__(name, label)

    return rule


def _loop_end(p: Provenance, _pc: int, word: int) -> Done:
    p.address(word, RD)
    return _nothing


#: The rule of every shape by name.
RULES: dict[str, Rule] = {
    "BLOCK_PRODUCT": _product(RS2, RS1, "m", False),
    "BLOCK_PRODUCT_T": _product(RS1, RS2, "m", True),
    "ROW_PRODUCT": _product(RS2, RS1, "v", False),
    "ROW_PRODUCT_T": _product(RS2, RS1, "v", True),
    "HEAD_PRODUCT": _head_product("hm"),
    "HEAD_ROW_PRODUCT": _head_product("hv"),
    "BLOCK_WRITE_OUT": _write_out("m", True),
    "ROW_WRITE_OUT": _write_out("v", False),
    "HEAD_WRITE_OUT": _write_out("hm", False),
    "HEAD_ROW_WRITE_OUT": _write_out("hv", False),
    "VV": _two_rows,
    "VF": _row_and_f,
    "VF_REVERSIBLE": _row_and_f,
    "V1": _one_row,
    "SHIFT": _shift,
    "REDUCTION": _reduction,
    "MAP": _map,
    "TOPK": _topk,
    "F3": _f_registers(RS1, RS2),
    "F2": _f_registers(RS1),
    "F_LOAD": _load("fpmem"),
    "F_STORE": _store("fpmem"),
    "G3": _gp_registers(RS1, RS2),
    "G_IMMEDIATE": _gp_registers(RS1),
    "G_UPPER": _gp_registers(),
    "G_LOAD": _load("intmem"),
    "G_STORE": _store("intmem"),
    "PREFETCH_TILE": _prefetch_tile,
    "PREFETCH_ROWS": _prefetch_rows,
    "STORE_ROWS": _store_rows,
    "SET_ADDRESS": _set_address,
    "SET_SCALE": _set_special("scale"),
    "SET_STRIDE": _set_special("stride"),
    "SET_V_MASK": _set_special("v_mask"),
    "LOOP_START": _gp_registers(),
    "LOOP_END": _loop_end,
    "STOP": lambda _p, _pc, _word: _nothing,
}
