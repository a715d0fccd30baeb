"""The sequential reference machine: what a program means, bit for bit, with no notion of time.

Each instruction of a program is decoded once into a closure over the machine's state; running the program
calls the closures in program order. The behaviour is that of docs/isa.md and the arithmetic that of
`plena_ref.machine.numerics`.
What only hardware can show is left out: bus and fetch errors, and the watchdog.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine import mx, numerics
from plena_ref.machine.accumulators import BlockSums, HeadSums
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import BF16_TO_F32
from plena_ref.machine.state import (
    A_REGISTERS,
    F_REGISTERS,
    GP_REGISTERS,
    MemoryImages,
    Registers,
    WrittenMaps,
)
from plena_ref.machine.topk import POLICIES, top_k

_WORD = 0xFFFF_FFFF
# Writes to gp0 and f0 go to one extra cell behind the register file, which nothing reads.
_GP_SINK = GP_REGISTERS
_F_SINK = F_REGISTERS

#: One decoded instruction: returns the next pc, or None for the following instruction.
Step = Callable[[], int | None]

#: A VRAM row (raw bf16) to the row it becomes.
RowFunction = Callable[[NDArray[np.uint16]], NDArray[np.uint16]]


@dataclass(frozen=True)
class StopReport:
    """How a run ended.

    Attributes:
        status: "stopped" after C_BREAK or the last word, "trap" otherwise.
        cause: name of the `TrapCause`, or None on a normal stop.
        pc: of C_BREAK or of the trap's culprit, or the program's length when it ran off its end.
        instructions: completed since the last start; C_BREAK counts, a trap's culprit does not.
        registers: a copy of the architectural registers.
    """

    status: str
    cause: str | None
    pc: int
    instructions: int
    registers: Registers


class InstructionLimitError(RuntimeError):
    """A program completed `max_instructions` instructions without coming to a stop."""


class _Trap(Exception):
    """The instruction at hand must not take effect."""

    def __init__(self, cause: TrapCause) -> None:
        super().__init__(cause.name)
        self.cause = cause


class _Break(Exception):
    """C_BREAK was reached."""


class Machine:
    """One machine: registers, accumulators, loop stack, and the memories it was given.

    Attributes:
        hw: the shape.
        images: the memories; a run changes them in place.
        limit: HBM bytes at and past this address cannot be transferred.
        written: which memory elements runs have written since the machine was made.
        hbm_high_water: the highest HBM byte address written, or -1.
    """

    def __init__(self, hw: Hardware, images: MemoryImages, limit: int | None = None) -> None:
        """Take `images` as the memories of a machine in its reset state. `limit` defaults to all of HBM.

        Raises:
            ValueError: an image does not fit `hw`, or `limit` lies outside 0..hbm_bytes.
        """
        images.check(hw)
        self.hw = hw
        self.images = images
        self.limit = hw.hbm_bytes if limit is None else limit
        if not 0 <= self.limit <= hw.hbm_bytes:
            raise ValueError(f"limit = {self.limit} lies outside 0..{hw.hbm_bytes} (HBM bytes)")
        self.written = WrittenMaps.nothing(hw)
        self.hbm_high_water = -1
        self._rows = images.vram.reshape(hw.vram_rows, hw.mlen)
        self._rows_written = self.written.vram.reshape(hw.vram_rows, hw.mlen)
        self._tiles = images.msram.reshape(hw.msram_tiles, hw.mlen, hw.mlen)
        self._tiles_written = self.written.msram.reshape(hw.msram_tiles, hw.mlen, hw.mlen)
        self._row_bits = hw.mlen.bit_length() - 1
        self._m, self._v = BlockSums(hw, hw.blen), BlockSums(hw, 1)
        self._hm, self._hv = HeadSums(hw, hw.mlen), HeadSums(hw, 1)
        self.reset()

    def reset(self) -> None:
        """Bring registers, accumulators and loop stack to their reset values; the memories stay."""
        self._gp = [0] * (GP_REGISTERS + 1)
        self._f = [0] * (F_REGISTERS + 1)
        self._a = [0] * A_REGISTERS
        self._scale = 0
        self._stride = 1
        self._set_v_mask(0)
        self._loops: list[tuple[int, int]] = []
        for sums in (self._m, self._v, self._hm, self._hv):
            sums.clear()
        self._instructions = 0

    @property
    def registers(self) -> Registers:
        """A copy of the architectural registers."""
        return Registers(
            gp=self._gp[:GP_REGISTERS],
            f=self._f[:F_REGISTERS],
            a=list(self._a),
            scale=self._scale,
            stride=self._stride,
            v_mask=self._v_mask,
        )

    def run(
        self,
        words: Sequence[int],
        pc: int = 0,
        max_instructions: int | None = None,
        *,
        resume: bool = False,
    ) -> StopReport:
        """Run machine code `words` from `pc` until it stops or traps.

        Args:
            words: the program, one 32-bit word an instruction.
            pc: index of the first word to execute; past the last word the program is over at once.
            max_instructions: completed instructions of this call after which to give up.
            resume: keep registers, accumulators, open loops and the instruction count; else reset them.

        Raises:
            InstructionLimitError: `max_instructions` were completed and the program still runs.
            ValueError: `pc` is negative, or a word does not fit 32 bits.
        """
        if pc < 0:
            raise ValueError(f"pc = {pc} is negative")
        if not resume:
            self.reset()
        steps = [self._decode(at, int(word)) for at, word in enumerate(words)]
        steps.append(self._run_off_the_end)
        length = len(words)
        past_the_end = max(pc - length, 0)
        pc -= past_the_end
        cause: TrapCause | None = None
        budget = -1 if max_instructions is None else max_instructions
        left = budget
        with np.errstate(all="ignore"):
            try:
                while True:
                    step = steps[pc]
                    if left == 0 and pc < length:
                        raise InstructionLimitError(
                            f"no stop within {max_instructions} instructions; next is the one at pc {pc}"
                        )
                    target = step()
                    left -= 1
                    pc = pc + 1 if target is None else target
            except _Break:
                left -= pc < length
            except _Trap as trap:
                cause = trap.cause
        self._instructions += budget - left
        return StopReport(
            status="stopped" if cause is None else "trap",
            cause=None if cause is None else cause.name,
            pc=pc + past_the_end,
            instructions=self._instructions,
            registers=self.registers,
        )

    # Decoding

    def _decode(self, pc: int, word: int) -> Step:
        """The closure that executes `word` at `pc`; a word that does not decode becomes one that traps."""
        if not 0 <= word <= _WORD:
            raise ValueError(f"the word at pc {pc} does not fit 32 bits: {word:#x}")
        cause = isa.decode_trap(word)
        if cause is not None:
            return _trapping(cause)
        mnemonic = isa.BY_OPCODE[isa.opcode(word)].mnemonic
        if mnemonic == "C_LOOP_START":
            return self._loop_start(word, pc + 1)
        return _DECODERS[mnemonic](self, word)

    def _run_off_the_end(self) -> int | None:
        if self._loops:
            raise _Trap(TrapCause.LOOP_MISMATCH)
        raise _Break

    # Checks that several instructions share

    def _first_row(self, address: int, rows: int) -> int:
        """Row number of an aligned VRAM `address` that begins `rows` existing rows."""
        if address & (self.hw.mlen - 1):
            raise _Trap(TrapCause.VRAM_MISALIGNED)
        row = address >> self._row_bits
        if row + rows > self.hw.vram_rows:
            raise _Trap(TrapCause.VRAM_RANGE)
        return row

    def _tile(self, address: int) -> int:
        """Number of the existing MSRAM tile that holds `address`."""
        tile = address >> (2 * self._row_bits)
        if tile >= self.hw.msram_tiles:
            raise _Trap(TrapCause.MSRAM_RANGE)
        return tile

    # Matrix instructions

    def _columns(self, word: int, field: isa.Field) -> Callable[[], NDArray[np.uint16]]:
        """Reads the right operand [MLEN, BLEN] of M_MM and M_MV at gp[field], in either offset form."""
        gp, mlen, blen, tile_mask = self._gp, self.hw.mlen, self.hw.blen, self.hw.tile_elems - 1
        matrix = field.get(word)

        def read() -> NDArray[np.uint16]:
            offset = gp[matrix] & tile_mask
            if offset % (blen * mlen) == 0:
                column = offset // mlen
            elif offset < mlen and offset % blen == 0:
                column = offset
            else:
                raise _Trap(TrapCause.MSRAM_MISALIGNED)
            return self._tiles[self._tile(gp[matrix])][:, column : column + blen]

        return read

    def _transposed_rows(self, word: int, field: isa.Field) -> Callable[[], NDArray[np.uint16]]:
        """Reads the right operand [MLEN, BLEN] of M_TMM and M_TMV at gp[field]: BLEN rows, transposed."""
        gp, mlen, blen, tile_mask = self._gp, self.hw.mlen, self.hw.blen, self.hw.tile_elems - 1
        matrix = field.get(word)

        def read() -> NDArray[np.uint16]:
            offset = gp[matrix] & tile_mask
            if offset % (blen * mlen):
                raise _Trap(TrapCause.MSRAM_MISALIGNED)
            first = offset // mlen
            return self._tiles[self._tile(gp[matrix])][first : first + blen].T

        return read

    def _product(
        self, sums: BlockSums, rows: int, vector: int, read: Callable[[], NDArray[np.uint16]]
    ) -> Step:
        """sums += `rows` VRAM rows from gp[vector] times what `read` gives."""
        gp = self._gp

        def step() -> None:
            row = self._first_row(gp[vector], rows)
            sums.accumulate(self._rows[row : row + rows], read())

        return step

    def _m_mm(self, word: int) -> Step:
        return self._product(self._m, self.hw.blen, isa.RS2.get(word), self._columns(word, isa.RS1))

    def _m_tmm(self, word: int) -> Step:
        return self._product(self._m, self.hw.blen, isa.RS1.get(word), self._transposed_rows(word, isa.RS2))

    def _m_mv(self, word: int) -> Step:
        return self._product(self._v, 1, isa.RS2.get(word), self._columns(word, isa.RS1))

    def _m_tmv(self, word: int) -> Step:
        return self._product(self._v, 1, isa.RS2.get(word), self._transposed_rows(word, isa.RS1))

    def _m_mm_wo(self, word: int) -> Step:
        stride = isa.RS1.get(word)
        return self._block_write_out(word, self._m, self.hw.blen, stride)

    def _m_mv_wo(self, word: int) -> Step:
        return self._block_write_out(word, self._v, 1, stride=0)

    def _block_write_out(self, word: int, sums: BlockSums, count: int, stride: int) -> Step:
        """Write BLEN columns of `count` VRAM rows that lie gp[stride] rows apart, or 1 when `stride` is 0."""
        gp, mlen, blen, rows = self._gp, self.hw.mlen, self.hw.blen, self.hw.vram_rows
        destination, imm = isa.RD.get(word), isa.IMM18.get(word)

        def step() -> None:
            address = gp[destination] + imm
            if address % blen:
                raise _Trap(TrapCause.VRAM_MISALIGNED)
            first, column = address >> self._row_bits, address & (mlen - 1)
            step_rows = gp[stride] if stride else 1
            last = first + (count - 1) * step_rows
            if last >= rows:
                raise _Trap(TrapCause.VRAM_RANGE)
            block = sums.write_out()
            columns = slice(column, column + blen)
            if step_rows:
                where = slice(first, last + 1, step_rows)
                self._rows[where, columns] = block
            else:
                where = first
                self._rows[where, columns] = block[-1]
            self._rows_written[where, columns] = True

        return step

    def _head_product(self, word: int, sums: HeadSums, rows: int, transposed: bool) -> Step:
        """sums += each head's lanes of `rows` VRAM rows times HLEN rows, or transposed columns, of a tile."""
        gp, hw, tile_mask = self._gp, self.hw, self.hw.tile_elems - 1
        extra, matrix, vector = isa.RD.get(word), isa.RS1.get(word), isa.RS2.get(word)

        def step() -> None:
            row = self._first_row(gp[vector], rows)
            address = gp[matrix] + gp[extra]
            h = address & tile_mask
            if h >= hw.mlen or h % hw.hlen:
                raise _Trap(TrapCause.MSRAM_MISALIGNED)
            tile = self._tiles[self._tile(address)]
            left = self._rows[row : row + rows]
            if transposed:
                heads = left.reshape(rows, hw.lanes, hw.hlen).transpose(1, 0, 2)
                sums.accumulate(heads, tile[:, h : h + hw.hlen].T)
            else:
                heads = left.reshape(rows, hw.hlen, hw.lanes).transpose(2, 0, 1)
                sums.accumulate(heads, tile[h : h + hw.hlen])

        return step

    def _head_write_out(self, word: int, sums: HeadSums, rows: int) -> Step:
        """Write LANES * `rows` whole VRAM rows, head after head."""
        gp, destination, imm = self._gp, isa.RD.get(word), isa.IMM18.get(word)
        count = self.hw.lanes * rows

        def step() -> None:
            first = self._first_row(gp[destination] + imm, count)
            self._rows[first : first + count] = sums.write_out().reshape(count, self.hw.mlen)
            self._rows_written[first : first + count] = True

        return step

    # Vector instructions

    def _vector(self, word: int, compute: RowFunction, other: int) -> Step:
        """A row instruction with destination rd and source rs1; `compute` maps the source row to the result.

        `other` names a gp register whose row `compute` reads besides, or is rd when there is none.
        """
        gp, rows, written, shift = self._gp, self._rows, self._rows_written, self._row_bits
        destination, source, masked = isa.RD.get(word), isa.RS1.get(word), isa.RS3.get(word)
        misaligned, end = self.hw.mlen - 1, self.hw.vram_elems

        def step() -> None:
            d, a, b = gp[destination], gp[source], gp[other]
            if (d | a | b) & misaligned:
                raise _Trap(TrapCause.VRAM_MISALIGNED)
            if d >= end or a >= end or b >= end:
                raise _Trap(TrapCause.VRAM_RANGE)
            row = rows[a >> shift]
            result = compute(row)
            if masked:
                result = np.where(self._mask_row, result, row)
            rows[d >> shift] = result
            written[d >> shift] = True

        return step

    def _vector_vv(self, word: int, operation: Callable[..., NDArray[np.uint16]]) -> Step:
        gp, rows, shift, second = self._gp, self._rows, self._row_bits, isa.RS2.get(word)
        return self._vector(word, lambda row: operation(row, rows[gp[second] >> shift]), second)

    def _vector_vf(self, word: int, operation: Callable[..., NDArray[np.uint16]]) -> Step:
        f, scalar = self._f, isa.RS2.get(word)
        return self._vector(word, lambda row: operation(row, np.uint16(f[scalar])), isa.RD.get(word))

    def _vector_v(self, word: int, operation: Callable[..., NDArray[np.uint16]]) -> Step:
        return self._vector(word, operation, isa.RD.get(word))

    def _v_sub_vf(self, word: int) -> Step:
        if isa.FUNCT1.get(word):
            return self._vector_vf(word, lambda row, scalar: numerics.bf16_sub(scalar, row))
        return self._vector_vf(word, numerics.bf16_sub)

    def _v_shft_v(self, word: int) -> Step:
        gp, mlen, distance = self._gp, self.hw.mlen, isa.RS2.get(word)

        def shifted(row: NDArray[np.uint16]) -> NDArray[np.uint16]:
            n = gp[distance]
            out = np.zeros(mlen, np.uint16)
            if n < mlen:
                out[n:] = row[: mlen - n]
            return out

        return self._vector(word, shifted, isa.RD.get(word))

    def _v_red_sum(self, word: int) -> Step:
        f, source = self._f, isa.RD.get(word)
        destination = source or _F_SINK
        read = self._reduced_row(word, unselected=0)

        def step() -> None:
            total = numerics.tree_sum(BF16_TO_F32.take(read()))
            f[destination] = numerics.scalar_to_bf16(BF16_TO_F32[f[source]] + total)

        return step

    def _v_red_max(self, word: int) -> Step:
        f, source = self._f, isa.RD.get(word)
        destination = source or _F_SINK
        read = self._reduced_row(word, unselected=numerics.BF16_NEG_INF)

        def step() -> None:
            f[destination] = int(numerics.bf16_max(f[source], numerics.bf16_max_reduce(read())))

        return step

    def _reduced_row(self, word: int, unselected: int) -> Callable[[], NDArray[np.uint16]]:
        """Reads the row that a reduction takes in, with `unselected` in the lanes its mask leaves out."""
        gp, source, masked = self._gp, isa.RS1.get(word), isa.RS3.get(word)

        def read() -> NDArray[np.uint16]:
            row = self._rows[self._first_row(gp[source], 1)]
            return np.where(self._mask_row, row, np.uint16(unselected)) if masked else row

        return read

    def _s_map_v_fp(self, word: int) -> Step:
        gp, mlen, fpmem = self._gp, self.hw.mlen, self.images.fpmem
        destination, source, imm = isa.RD.get(word), isa.RS1.get(word), isa.IMM18.get(word)

        def step() -> None:
            row = self._first_row(gp[destination], 1)
            address = gp[source] + imm
            if address + mlen > self.hw.fp_words:
                raise _Trap(TrapCause.FP_MEM_RANGE)
            self._rows[row] = fpmem[address : address + mlen]
            self._rows_written[row] = True

        return step

    def _v_topk(self, word: int) -> Step:
        gp, hw, images, written = self._gp, self.hw, self.images, self.written
        weights_at, source, indices_at = isa.RD.get(word), isa.RS1.get(word), isa.RS2.get(word)
        policy = POLICIES[isa.RS3.get(word)]
        rows = -(-policy.logits // hw.mlen)

        def step() -> None:
            first = self._first_row(gp[source], rows) * hw.mlen
            fp, integer = gp[weights_at], gp[indices_at]
            if fp + policy.chosen > hw.fp_words:
                raise _Trap(TrapCause.FP_MEM_RANGE)
            if integer + policy.chosen > hw.int_words:
                raise _Trap(TrapCause.INT_MEM_RANGE)
            weights, indices = top_k(images.vram[first : first + policy.logits], policy.chosen)
            images.fpmem[fp : fp + policy.chosen] = weights
            images.intmem[integer : integer + policy.chosen] = indices
            written.fpmem[fp : fp + policy.chosen] = True
            written.intmem[integer : integer + policy.chosen] = True

        return step

    # Scalar float instructions

    def _float_2(self, word: int, operation: Callable[[np.float32, np.float32], np.float32]) -> Step:
        f, a, b = self._f, isa.RS1.get(word), isa.RS2.get(word)
        destination = isa.RD.get(word) or _F_SINK
        rounded = numerics.scalar_to_bf16

        def step() -> None:
            f[destination] = rounded(operation(BF16_TO_F32[f[a]], BF16_TO_F32[f[b]]))

        return step

    def _s_max_fp(self, word: int) -> Step:
        f, a, b = self._f, isa.RS1.get(word), isa.RS2.get(word)
        destination = isa.RD.get(word) or _F_SINK

        def step() -> None:
            f[destination] = int(numerics.bf16_max(f[a], f[b]))

        return step

    def _float_1(self, word: int, table: NDArray[np.uint16]) -> Step:
        f, a, destination = self._f, isa.RS1.get(word), isa.RD.get(word) or _F_SINK

        def step() -> None:
            f[destination] = table.item(f[a])

        return step

    def _s_ld_fp(self, word: int) -> Step:
        gp, f, fpmem, words = self._gp, self._f, self.images.fpmem, self.hw.fp_words
        destination, base, imm = isa.RD.get(word) or _F_SINK, isa.RS1.get(word), isa.IMM18.get(word)

        def step() -> None:
            address = gp[base] + imm
            if address >= words:
                raise _Trap(TrapCause.FP_MEM_RANGE)
            f[destination] = fpmem.item(address)

        return step

    def _s_st_fp(self, word: int) -> Step:
        gp, f, fpmem, written = self._gp, self._f, self.images.fpmem, self.written.fpmem
        words = self.hw.fp_words
        source, base, imm = isa.RD.get(word), isa.RS1.get(word), isa.IMM18.get(word)

        def step() -> None:
            address = gp[base] + imm
            if address >= words:
                raise _Trap(TrapCause.FP_MEM_RANGE)
            fpmem[address] = f[source]
            written[address] = True

        return step

    # Integer instructions

    def _integer_3(self, word: int, operation: Callable[[int, int], int]) -> Step:
        gp, a, b = self._gp, isa.RS1.get(word), isa.RS2.get(word)
        destination = isa.RD.get(word) or _GP_SINK

        def step() -> None:
            gp[destination] = operation(gp[a], gp[b]) & _WORD

        return step

    def _s_addi_int(self, word: int) -> Step:
        gp, a, imm = self._gp, isa.RS1.get(word), isa.IMM18.get(word)
        destination = isa.RD.get(word) or _GP_SINK

        def step() -> None:
            gp[destination] = (gp[a] + imm) & _WORD

        return step

    def _s_lui_int(self, word: int) -> Step:
        gp, destination, value = self._gp, isa.RD.get(word) or _GP_SINK, (isa.IMM22.get(word) << 12) & _WORD

        def step() -> None:
            gp[destination] = value

        return step

    def _s_ld_int(self, word: int) -> Step:
        gp, intmem, words = self._gp, self.images.intmem, self.hw.int_words
        destination, base, imm = isa.RD.get(word) or _GP_SINK, isa.RS1.get(word), isa.IMM18.get(word)

        def step() -> None:
            address = gp[base] + imm
            if address >= words:
                raise _Trap(TrapCause.INT_MEM_RANGE)
            gp[destination] = intmem.item(address)

        return step

    def _s_st_int(self, word: int) -> Step:
        gp, intmem, words, written = self._gp, self.images.intmem, self.hw.int_words, self.written.intmem
        source, base, imm = isa.RD.get(word), isa.RS1.get(word), isa.IMM18.get(word)

        def step() -> None:
            address = gp[base] + imm
            if address >= words:
                raise _Trap(TrapCause.INT_MEM_RANGE)
            intmem[address] = gp[source]
            written[address] = True

        return step

    # HBM instructions

    def _transfer(self, word: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """HBM byte addresses of a transfer: of elements [rows, MLEN] and of scales [rows, MLEN/MX_BLOCK].

        Checks alignment, then that no byte lies at or past the limit.
        """
        mlen, block = self.hw.mlen, self.hw.mx_block
        base, offset = self._a[isa.RS2.get(word)], self._gp[isa.RS1.get(word)]
        stride = self._stride if isa.RS3.get(word) else mlen
        if base % block or offset % block or stride % block:
            raise _Trap(TrapCause.HBM_MISALIGNED)
        first = base + offset
        first_scale = base + self._scale + offset // block
        end = first + (rows - 1) * stride + mlen
        scales_end = first_scale + (rows - 1) * (stride // block) + mlen // block
        if end > self.limit or scales_end > self.limit:
            raise _Trap(TrapCause.HBM_ERROR)
        row = np.arange(rows, dtype=np.int64)[:, None]
        elements = first + row * stride + np.arange(mlen)
        scales = first_scale + row * (stride // block) + np.arange(mlen // block)
        return elements, scales

    def _read_hbm(self, word: int, rows: int) -> NDArray[np.uint16]:
        elements, scales = self._transfer(word, rows)
        return mx.decode_rows(self.images.hbm[elements], self.images.hbm[scales])

    def _h_prefetch_m(self, word: int) -> Step:
        gp, destination, tile_elems = self._gp, isa.RD.get(word), self.hw.tile_elems

        def step() -> None:
            if gp[destination] % tile_elems:
                raise _Trap(TrapCause.MSRAM_MISALIGNED)
            tile = self._tile(gp[destination])
            self._tiles[tile] = self._read_hbm(word, self.hw.mlen)
            self._tiles_written[tile] = True

        return step

    def _h_prefetch_v(self, word: int) -> Step:
        gp, destination, rows = self._gp, isa.RD.get(word), self.hw.vpref

        def step() -> None:
            row = self._first_row(gp[destination], rows)
            self._rows[row : row + rows] = self._read_hbm(word, rows)
            self._rows_written[row : row + rows] = True

        return step

    def _h_store_v(self, word: int) -> Step:
        gp, source, rows = self._gp, isa.RD.get(word), self.hw.vstore
        hbm, written = self.images.hbm, self.written.hbm

        def step() -> None:
            row = self._first_row(gp[source], rows)
            element_at, scale_at = self._transfer(word, rows)
            elements, scales = mx.encode_rows(self._rows[row : row + rows], self.hw.mx_block)
            for n in range(rows):
                hbm[element_at[n]] = elements[n]
                hbm[scale_at[n]] = scales[n]
            written[element_at] = True
            written[scale_at] = True
            self.hbm_high_water = max(self.hbm_high_water, int(element_at[-1, -1]), int(scale_at[-1, -1]))

        return step

    # Control instructions

    def _c_set_addr_reg(self, word: int) -> Step:
        gp, a = self._gp, self._a
        destination, high, low = isa.RD.get(word), isa.RS1.get(word), isa.RS2.get(word)

        def step() -> None:
            a[destination] = gp[high] << 32 | gp[low]

        return step

    def _c_set_scale_reg(self, word: int) -> Step:
        gp, source = self._gp, isa.RD.get(word)

        def step() -> None:
            self._scale = gp[source]

        return step

    def _c_set_stride_reg(self, word: int) -> Step:
        gp, source = self._gp, isa.RD.get(word)

        def step() -> None:
            self._stride = gp[source]

        return step

    def _c_set_v_mask_reg(self, word: int) -> Step:
        gp, source = self._gp, isa.RD.get(word)
        return lambda: self._set_v_mask(gp[source])

    def _set_v_mask(self, value: int) -> None:
        lanes = self.hw.lanes
        self._v_mask = value & ((1 << lanes) - 1)
        selected = [bool(self._v_mask >> lane & 1) for lane in range(lanes)]
        self._mask_row = np.repeat(np.array(selected), self.hw.hlen)

    def _loop_start(self, word: int, body: int) -> Step:
        gp, loops, depth = self._gp, self._loops, self.hw.loop_depth
        counter, trips = isa.RD.get(word), isa.IMM22.get(word)

        def step() -> None:
            if trips == 0 or counter == 0:
                raise _Trap(TrapCause.LOOP_COUNT)
            if len(loops) >= depth:
                raise _Trap(TrapCause.LOOP_OVERFLOW)
            gp[counter] = trips
            loops.append((counter, body))

        return step

    def _c_loop_end(self, word: int) -> Step:
        gp, loops, counter = self._gp, self._loops, isa.RD.get(word)

        def step() -> int | None:
            if not loops or loops[-1][0] != counter:
                raise _Trap(TrapCause.LOOP_MISMATCH)
            if gp[counter] > 1:
                gp[counter] -= 1
                return loops[-1][1]
            gp[counter] = 0
            loops.pop()
            return None

        return step

    def _c_break(self, word: int) -> Step:
        del word

        def step() -> None:
            raise _Break

        return step


def _trapping(cause: TrapCause) -> Step:
    def step() -> None:
        raise _Trap(cause)

    return step


_DECODERS: dict[str, Callable[[Machine, int], Step]] = {
    "M_MM": Machine._m_mm,
    "M_TMM": Machine._m_tmm,
    "M_MM_WO": Machine._m_mm_wo,
    "M_BMM": lambda machine, word: machine._head_product(word, machine._hm, machine.hw.mlen, False),
    "M_BTMM": lambda machine, word: machine._head_product(word, machine._hm, machine.hw.mlen, True),
    "M_BMM_WO": lambda machine, word: machine._head_write_out(word, machine._hm, machine.hw.mlen),
    "M_MV": Machine._m_mv,
    "M_TMV": Machine._m_tmv,
    "M_MV_WO": Machine._m_mv_wo,
    "M_BMV": lambda machine, word: machine._head_product(word, machine._hv, 1, False),
    "M_BTMV": lambda machine, word: machine._head_product(word, machine._hv, 1, True),
    "M_BMV_WO": lambda machine, word: machine._head_write_out(word, machine._hv, 1),
    "V_ADD_VV": lambda machine, word: machine._vector_vv(word, numerics.bf16_add),
    "V_SUB_VV": lambda machine, word: machine._vector_vv(word, numerics.bf16_sub),
    "V_MUL_VV": lambda machine, word: machine._vector_vv(word, numerics.bf16_mul),
    "V_ADD_VF": lambda machine, word: machine._vector_vf(word, numerics.bf16_add),
    "V_SUB_VF": Machine._v_sub_vf,
    "V_MUL_VF": lambda machine, word: machine._vector_vf(word, numerics.bf16_mul),
    "V_MAX_VF": lambda machine, word: machine._vector_vf(word, numerics.bf16_max),
    "V_MIN_VF": lambda machine, word: machine._vector_vf(word, numerics.bf16_min),
    "V_EXP_V": lambda machine, word: machine._vector_v(word, numerics.bf16_exp),
    "V_RECI_V": lambda machine, word: machine._vector_v(word, numerics.bf16_reciprocal),
    "V_SHFT_V": Machine._v_shft_v,
    "V_RED_SUM": Machine._v_red_sum,
    "V_RED_MAX": Machine._v_red_max,
    "V_TOPK": Machine._v_topk,
    "S_MAP_V_FP": Machine._s_map_v_fp,
    "S_ADD_FP": lambda machine, word: machine._float_2(word, np.float32.__add__),
    "S_SUB_FP": lambda machine, word: machine._float_2(word, np.float32.__sub__),
    "S_MUL_FP": lambda machine, word: machine._float_2(word, np.float32.__mul__),
    "S_MAX_FP": Machine._s_max_fp,
    "S_EXP_FP": lambda machine, word: machine._float_1(word, numerics.BF16_EXP),
    "S_RECI_FP": lambda machine, word: machine._float_1(word, numerics.BF16_RECIPROCAL),
    "S_SQRT_FP": lambda machine, word: machine._float_1(word, numerics.BF16_SQRT),
    "S_LD_FP": Machine._s_ld_fp,
    "S_ST_FP": Machine._s_st_fp,
    "S_ADD_INT": lambda machine, word: machine._integer_3(word, int.__add__),
    "S_SUB_INT": lambda machine, word: machine._integer_3(word, int.__sub__),
    "S_MUL_INT": lambda machine, word: machine._integer_3(word, int.__mul__),
    "S_ADDI_INT": Machine._s_addi_int,
    "S_LUI_INT": Machine._s_lui_int,
    "S_LD_INT": Machine._s_ld_int,
    "S_ST_INT": Machine._s_st_int,
    "H_PREFETCH_M": Machine._h_prefetch_m,
    "H_PREFETCH_V": Machine._h_prefetch_v,
    "H_STORE_V": Machine._h_store_v,
    "C_SET_ADDR_REG": Machine._c_set_addr_reg,
    "C_SET_SCALE_REG": Machine._c_set_scale_reg,
    "C_SET_STRIDE_REG": Machine._c_set_stride_reg,
    "C_SET_V_MASK_REG": Machine._c_set_v_mask_reg,
    "C_LOOP_END": Machine._c_loop_end,
    "C_BREAK": Machine._c_break,
}
