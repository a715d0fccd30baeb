"""Random traps: one instruction that traps with a chosen cause, after whatever must come before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.isa.policies import POLICIES
from tb.fuzz.instructions import Instructions
from tb.fuzz.transfers import Transfer
from tb.fuzz.writer import WORD


class Traps(Instructions):
    """One method for each cause, and a second one where the per-head and one-row products have their own."""

    def trap(self) -> None:
        """One instruction that traps with the program's cause, after whatever must come before it."""
        if self.cause is None:
            raise ValueError("this program does not trap")
        other = _PACKED_TRAPS.get(self.cause)
        if other is not None and self.chance(0.4):
            other(self)
        else:
            _TRAPS[self.cause](self)

    def wild_words(self) -> None:
        """Random words at the end: mostly words that decode, with registers as they happen to be."""
        names = [
            entry.mnemonic
            for entry in self.instructions
            if entry.mnemonic not in ("H_STORE_V", "C_LOOP_START")
        ]
        for _ in range(1 + self.below(12)):
            instruction = isa.INSTRUCTIONS[self.pick(names)]
            bits = self.below(1 << 26) << 6
            if self.chance(0.9):
                bits &= ~instruction.zero_mask
            self.append(instruction.opcode | bits)

    def trap_illegal_opcode(self) -> None:
        legal = {entry.opcode for entry in self.instructions}
        codes = [code for code in range(64) if code not in legal]
        self.append(self.pick(codes) | (self.below(1 << 26) << 6 if self.chance(0.5) else 0))

    def trap_illegal_operand(self) -> None:
        options = [entry for entry in self.instructions if entry.zero_mask]
        instruction = self.pick(options)
        bits = [bit for bit in range(32) if instruction.zero_mask >> bit & 1]
        word = instruction.opcode | 1 << self.pick(bits)
        if self.chance(0.5):
            word |= self.below(1 << 26) << 6
        self.append(word)

    def trap_vram_misaligned(self) -> None:
        step = self.pick([1 << bit for bit in range((self.hw.mlen - 1).bit_length())])
        if self.chance(0.2):
            self.emit("M_MM_WO", self.constant(self.pick(self.hot.rows) * self.hw.mlen + 1), 0, 0)
        else:
            self.bad_row(self.row_number() * self.hw.mlen + step)

    def trap_vram_range(self) -> None:
        end = self.hw.vram_elems
        if self.chance(0.2):
            first = self.hw.vram_rows - self.hw.blen + 1
            self.emit("M_MM_WO", *self.bad_write_out(first))
        else:
            top = WORD + 1 - self.hw.mlen
            self.bad_row(self.pick((end, end + self.hw.mlen, top)), self.pick((end - self.hw.mlen, end, top)))

    def bad_write_out(self, first: int) -> tuple[int, int, int]:
        """Operands of an M_MM_WO whose last row is past the end."""
        if self.chance(0.5):
            return self.constant(first * self.hw.mlen), 0, 0
        stride = self.constant(self.pick((self.hw.vram_rows, WORD)))
        return 0, stride, 0

    def bad_row(self, address: int, window: int | None = None) -> None:
        """An instruction that uses `address` for one of its rows, or `window` for several rows."""
        window = address if window is None else window
        good = self.constant(self.row_number() * self.hw.mlen)
        kind = self.below(8)
        multi = 4 <= kind < 7
        if multi and max(self.hw.blen, self.hw.vpref, self.hw.vstore) > 1 and self.rows_past(kind, window):
            address = window
        bad = self.constant(address, good)
        if kind == 0:
            self.emit("V_ADD_VV", *self.pick(((bad, good, good), (good, bad, good), (good, good, bad))), 0)
        elif kind == 1:
            self.emit(self.pick(("V_RED_SUM", "V_RED_MAX")), self.f(), bad, 0)
        elif kind == 2:
            self.emit("V_EXP_V", *self.pick(((bad, good), (good, bad))), 0)
        elif kind == 3:
            self.emit("S_MAP_V_FP", bad, 0, 0)
        elif kind == 4:
            self.emit("M_MM", 0, bad)
        elif kind == 5:
            self.emit("H_PREFETCH_V", bad, 0, 0, 0, 0)
        elif kind == 6:
            self.emit("H_STORE_V", bad, 0, 0, 0, 0)
        else:
            self.emit("V_TOPK", 0, bad, 0, self.below(2))

    def rows_past(self, kind: int, address: int) -> bool:
        """True when the multi-row instruction of `kind` at `address` is misaligned or passes the end."""
        rows = (self.hw.blen, self.hw.vpref, self.hw.vstore)[kind - 4]
        return address % self.hw.mlen != 0 or address // self.hw.mlen + rows > self.hw.vram_rows

    def trap_msram_misaligned(self) -> None:
        mlen, blen = self.hw.mlen, self.hw.blen
        tile, vector = self.tile(), self.window()
        kind = self.below(3)
        if kind == 0:
            self.emit("H_PREFETCH_M", self.constant(tile + self.pick((1, mlen))), 0, 0, 0, 0)
        elif kind == 1:
            self.emit("M_TMM", vector, self.constant(tile + self.pick((1, blen // 2, mlen)), vector))
        else:
            self.emit(
                "M_MM", self.constant(tile + self.pick((1, blen // 2, mlen, blen * mlen - 1)), vector), vector
            )

    def trap_msram_range(self) -> None:
        end = self.hw.msram_tiles * self.hw.tile_elems
        tile = self.pick((end, (WORD + 1) - self.hw.tile_elems))
        vector = self.window()
        matrix = self.constant(tile, vector)
        if self.chance(0.4):
            self.emit("H_PREFETCH_M", matrix, 0, 0, 0, 0)
        elif self.chance(0.5):
            self.emit("M_MM", matrix, vector)
        else:
            self.emit("M_TMM", vector, matrix)

    def topk_row(self) -> tuple[int, int]:
        """A policy, and a register that holds the address of logits for it."""
        fitting = [value for value, policy in enumerate(POLICIES) if policy.logits <= self.hw.vram_elems]
        value = self.pick(fitting)
        place = self.rows_from(-(-POLICIES[value].logits // self.hw.mlen))
        if place is None:
            raise ValueError("no place for logits in VRAM")
        return value, place

    def trap_fp_mem_range(self) -> None:
        if self.chance(0.3):
            value, row = self.topk_row()
            bad = self.constant(self.hw.fp_words - self.pick((0, POLICIES[value].chosen - 1)), row)
            self.emit("V_TOPK", bad, row, self.pick((0, bad)), value)
        elif self.chance(0.4):
            row = self.row()
            self.emit("S_MAP_V_FP", row, *self.split(self.hw.fp_words - self.hw.mlen + 1, row))
        else:
            address = self.pick((self.hw.fp_words, WORD + 1))
            self.emit(self.pick(("S_LD_FP", "S_ST_FP")), self.f(), *self.split(address))

    def trap_int_mem_range(self) -> None:
        if self.chance(0.3):
            value, row = self.topk_row()
            words = max(0, self.hw.int_words - self.pick((0, POLICIES[value].chosen - 1)))
            self.emit("V_TOPK", 0, row, self.constant(words, row), value)
            return
        name = self.pick(("S_LD_INT", "S_ST_INT"))
        address, imm = self.split(self.pick((self.hw.int_words, WORD + 1)))
        self.emit(name, 0 if name == "S_ST_INT" else self.target(address), address, imm)

    def trap_hbm_misaligned(self) -> None:
        name = self.pick(("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V"))
        form = self.form_of(name)
        row, half = form.row_bytes(self.hw.mlen), form.alignment // 2
        good = Transfer(form, 0, 0, 0, 2 * row, self.below(2))
        kind = self.below(4)
        if kind == 0:
            bad = replace(good, base=form.block // 2)
        elif kind == 1:
            bad = replace(good, offset=1)
        elif kind == 2:
            bad = replace(good, base=form.block // 2, offset=half)
        else:
            bad = replace(good, stride=row + half, rstride=1)
        self.move(name, bad)

    def trap_hbm_error(self) -> None:
        name = self.pick(("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V"))
        rows, form = self.rows_of(name), self.form_of(name)
        row, unit = form.row_bytes(self.hw.mlen), form.alignment
        kind = self.below(4)
        if kind == 0 or (kind == 1 and form.bf16):
            end_of_elements = -(-(self.limit - rows * row + 1) // unit) * unit
            bad = Transfer(form, 0, max(end_of_elements, 0), 0, row, 0)
        elif kind == 1:
            bad = Transfer(form, 0, 0, self.limit - rows * form.scale_bytes(row) + 1, row, 0)
        elif kind == 2:
            bad = Transfer(form, max(64, unit), WORD + 1 - unit, 0, row, 0)
        else:
            bad = Transfer(form, -(-self.limit // unit) * unit, 0, 0, 0, 1)
        self.move(name, bad)

    def trap_loop_count(self) -> None:
        if self.chance(0.5):
            self.emit("C_LOOP_START", 0, self.below(3))
        else:
            self.emit("C_LOOP_START", self.target(), 0)

    def trap_loop_overflow(self) -> None:
        for _ in range(self.hw.loop_depth - len(self.counters) + 1):
            self.emit("C_LOOP_START", self.target(), 1 + self.below(3))

    def trap_loop_mismatch(self) -> None:
        open_register = self.counters[-1] if self.counters else None
        others = [register for register in range(16) if register != open_register]
        if len(self.counters) < self.hw.loop_depth and self.chance(0.3):
            open_register = self.target()
            self.emit("C_LOOP_START", open_register, 2)
            others = [register for register in range(16) if register != open_register]
        self.emit("C_LOOP_END", self.pick(others))

    # The same traps, of the per-head and one-row products

    def packed_vram_misaligned(self) -> None:
        step = self.pick([1 << bit for bit in range((self.hw.mlen - 1).bit_length())])
        row = self.row_number() * self.hw.mlen
        kind = self.below(4)
        if kind == 0:
            self.emit("M_MV_WO", *self.split(row + self.hw.blen // 2))
        elif kind == 1:
            self.emit(self.pick(("M_BMM_WO", "M_BMV_WO")), *self.split(row + step))
        else:
            self.packed_bad_row(row + step)

    def packed_vram_range(self) -> None:
        end = self.hw.vram_elems
        if self.chance(0.4):
            count, name = self.pick(((self.hw.lanes, "M_BMV_WO"), (self.hw.lanes * self.hw.mlen, "M_BMM_WO")))
            first = max(0, self.hw.vram_rows - count + 1)
            self.emit(name, *self.split(first * self.hw.mlen))
        else:
            self.packed_bad_row(self.pick((end, end + self.hw.mlen, WORD + 1 - self.hw.mlen)))

    def packed_bad_row(self, address: int) -> None:
        """An instruction that reads its row or rows at `address`."""
        bad = self.constant(address)
        if self.chance(0.5):
            self.emit(self.pick(("M_MV", "M_TMV")), 0, bad)
        else:
            self.emit(self.pick(("M_BMM", "M_BTMM", "M_BMV", "M_BTMV")), 0, 0, bad)

    def packed_msram_misaligned(self) -> None:
        mlen, hlen = self.hw.mlen, self.hw.hlen
        tile, row = self.tile(), self.row()
        if self.chance(0.5):
            self.emit("M_TMV", self.constant(tile + self.pick((1, self.hw.blen // 2, mlen)), row), row)
            return
        offset = self.pick((mlen, mlen + hlen, self.hw.tile_elems - mlen))
        if hlen > 1 and self.chance(0.5):
            offset = hlen // 2
        matrix = self.constant(tile, row)
        extra = self.constant(offset, row, matrix)
        self.emit(self.pick(("M_BMV", "M_BTMV")), extra, matrix, row)

    def packed_msram_range(self) -> None:
        end = self.hw.msram_tiles * self.hw.tile_elems
        row = self.row()
        matrix = self.constant(self.pick((end, (WORD + 1) - self.hw.tile_elems)), row)
        if self.chance(0.5):
            self.emit(self.pick(("M_MV", "M_TMV")), matrix, row)
        else:
            self.emit(self.pick(("M_BMV", "M_BTMV")), self.pick((0, matrix)), matrix, row)


_TRAPS: dict[TrapCause, Callable[[Traps], None]] = {
    TrapCause.ILLEGAL_OPCODE: Traps.trap_illegal_opcode,
    TrapCause.ILLEGAL_OPERAND: Traps.trap_illegal_operand,
    TrapCause.VRAM_MISALIGNED: Traps.trap_vram_misaligned,
    TrapCause.VRAM_RANGE: Traps.trap_vram_range,
    TrapCause.MSRAM_MISALIGNED: Traps.trap_msram_misaligned,
    TrapCause.MSRAM_RANGE: Traps.trap_msram_range,
    TrapCause.FP_MEM_RANGE: Traps.trap_fp_mem_range,
    TrapCause.INT_MEM_RANGE: Traps.trap_int_mem_range,
    TrapCause.HBM_MISALIGNED: Traps.trap_hbm_misaligned,
    TrapCause.HBM_ERROR: Traps.trap_hbm_error,
    TrapCause.LOOP_COUNT: Traps.trap_loop_count,
    TrapCause.LOOP_OVERFLOW: Traps.trap_loop_overflow,
    TrapCause.LOOP_MISMATCH: Traps.trap_loop_mismatch,
}

#: Other ways to those causes, through the per-head and one-row products.
_PACKED_TRAPS: dict[TrapCause, Callable[[Traps], None]] = {
    TrapCause.VRAM_MISALIGNED: Traps.packed_vram_misaligned,
    TrapCause.VRAM_RANGE: Traps.packed_vram_range,
    TrapCause.MSRAM_MISALIGNED: Traps.packed_msram_misaligned,
    TrapCause.MSRAM_RANGE: Traps.packed_msram_range,
}
