"""Random programs with random memories: what the RTL and the reference machine are compared on.

A program mixes every instruction over a few VRAM rows, tiles, f registers and memory words, so that all
units keep reading and writing the same places. Addresses are valid by construction: the generator knows the
value of every register it uses as an address. Hardware loops nest, share counters and leave early; rows are
stepped through with registers that a loop body advances. A program ends normally, or in one trap of a chosen
cause, or in words drawn at random.

What docs/isa.md leaves undefined is never generated: a store whose own bytes overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.topk import POLICIES

_WORD = 0xFFFF_FFFF
_T = TypeVar("_T")

#: Causes a program can be made to end in; the rest come from buses and time.
PROGRAM_CAUSES = tuple(
    cause for cause in TrapCause if cause not in (TrapCause.FETCH_ERROR, TrapCause.WATCHDOG)
)

_SPECIAL_BF16 = (
    0x0000,
    0x8000,
    0x0001,
    0x807F,
    0x0080,
    0x8080,
    0x7F80,
    0xFF80,
    0x7FC0,
    0x7F81,
    0xFFA5,
    0x7F7F,
)


@dataclass(frozen=True)
class RandomProgram:
    """A program, the memories it starts from, and what is known about its end.

    Attributes:
        words: machine code.
        images: memories; the caller copies them before a run that must not change them.
        limit: HBM limit in bytes; nothing at or past it is touched.
        cause: the trap it ends in, or None for a normal stop; meaningless when `wild`.
        wild: the program ends in random words, with any outcome.
    """

    words: list[int]
    images: MemoryImages
    limit: int
    cause: TrapCause | None
    wild: bool


def generate(
    hw: Hardware,
    seed: int,
    length: int = 300,
    *,
    cause: TrapCause | None = None,
    trap_probability: float = 0.2,
    wild_probability: float = 0.05,
) -> RandomProgram:
    """Make the program of `seed` for machine `hw`.

    Args:
        hw: the machine. HBM beyond the program's limit (about 4*MLEN*MLEN bytes) stays zero and free.
        seed: same seed, same program.
        length: instructions it executes, roughly.
        cause: end in this trap; otherwise one is drawn with `trap_probability`.
        trap_probability: share of programs that end in a trap, drawn evenly from `PROGRAM_CAUSES`.
        wild_probability: share of the others that end in random words.

    Raises:
        ValueError: `cause` is one no program can bring about, or HBM is too small for the transfers.
    """
    if cause is not None and cause not in PROGRAM_CAUSES:
        raise ValueError(f"no program brings about {cause.name} by itself")
    rng = np.random.default_rng(seed)
    limit = -(-max(4096, 4 * hw.tile_elems) // 64) * 64
    if limit > hw.hbm_bytes:
        raise ValueError(f"hbm_bytes = {hw.hbm_bytes} is too small: transfers take {limit} bytes")
    if cause is None and rng.random() < trap_probability:
        cause = PROGRAM_CAUSES[rng.integers(len(PROGRAM_CAUSES))]
    wild = cause is None and rng.random() < wild_probability
    images = _random_images(hw, rng, limit)
    words = _Generator(hw, rng, length, limit, cause, wild).program()
    return RandomProgram(words, images, limit, cause, wild)


# Memories


def random_bf16(rng: np.random.Generator, size: int, special_share: float) -> NDArray[np.uint16]:
    """Raw bf16 bits: gaussian values, pairs that cancel exactly, and `special_share` of special patterns."""
    values = rng.standard_normal(size).astype(np.float32) * np.float32(2.0) ** rng.integers(-3, 4, size)
    bits = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    opposite = np.flatnonzero(rng.random(size) < 0.3)
    opposite = opposite[opposite > 0]
    bits[opposite] = bits[opposite - 1] ^ np.uint16(0x8000)
    special = rng.random(size) < special_share
    return np.where(special, rng.choice(np.array(_SPECIAL_BF16, np.uint16), size), bits)


def _random_images(hw: Hardware, rng: np.random.Generator, limit: int) -> MemoryImages:
    """Zeroed memories with random data wherever the generator's addresses lead.

    Half of the programs start from tame data: specials are rare, so that results stay finite and differ.
    """
    images = MemoryImages.zeros(hw)
    tame = rng.random() < 0.5
    share = 0.004 if tame else 0.1
    hot = _Hot.of(hw)
    for row in hot.rows:
        # Far enough for M_BMM and for the logits of V_TOPK.
        rows = min(max(hot.window, hw.mlen, POLICIES[1].logits // hw.mlen), hw.vram_rows - row)
        images.vram[row * hw.mlen : (row + rows) * hw.mlen] = random_bf16(rng, rows * hw.mlen, share)
    for tile in hot.tiles:
        where = slice(tile * hw.tile_elems, (tile + 1) * hw.tile_elems)
        images.msram[where] = random_bf16(rng, hw.tile_elems, share)
    images.fpmem[:] = random_bf16(rng, hw.fp_words, share)
    images.intmem[:] = rng.integers(0, 1 << 32, hw.int_words, dtype=np.uint32)
    # Elements without NaN below, moderate scales above, and any byte here and there.
    data = rng.integers(0, 0x7F, limit, dtype=np.uint8) | rng.integers(
        0, 2, limit, dtype=np.uint8
    ) << np.uint8(7)
    scales = _scales_from(limit)
    data[scales:] = rng.integers(0x70, 0x80, limit - scales, dtype=np.uint8)
    anything = rng.random(limit) < (0.002 if tame else 0.2)
    images.hbm[:limit] = np.where(anything, rng.integers(0, 256, limit, dtype=np.uint8), data)
    return images


def _scales_from(limit: int) -> int:
    """First HBM byte of the part where scales mostly lie."""
    return limit * 7 // 8


@dataclass(frozen=True)
class _Hot:
    """The few places that a program works on.

    Attributes:
        window: rows that every multi-row access fits in.
        rows: first rows of windows.
        tiles: MSRAM tiles.
        fp_words: FP_MEM words.
        int_words: INT_MEM words.
    """

    window: int
    rows: tuple[int, ...]
    tiles: tuple[int, ...]
    fp_words: tuple[int, ...]
    int_words: tuple[int, ...]

    @classmethod
    def of(cls, hw: Hardware) -> _Hot:
        window = max(hw.blen, hw.vpref, hw.vstore)
        last = hw.vram_rows - window
        # Neighbours, rows that overlap a window in part, the same bank again, and the end of the memory.
        rows = sorted({min(row, last) for row in (0, 1, 3, window, window + 2, 8, 8 + hw.mlen, last)})
        fp_words = sorted(
            {0, 1, 2, 3, hw.mlen - 1, hw.mlen, hw.mlen + 5, hw.fp_words - hw.mlen, hw.fp_words - 1}
        )
        return cls(
            window=window,
            rows=tuple(rows),
            tiles=tuple(sorted({0, min(1, hw.msram_tiles - 1), hw.msram_tiles - 1})),
            fp_words=tuple(fp_words),
            int_words=tuple(sorted({0, 1, hw.int_words - 1})),
        )


# Programs


@dataclass(frozen=True)
class _Transfer:
    """The HBM side of a transfer: a base, gp offset, SCALE, STRIDE and whether it is used."""

    base: int
    offset: int
    scale: int
    stride: int
    rstride: int


class _Generator:
    """Writes one program. `known` maps gp registers to the values they are certain to hold here."""

    def __init__(
        self,
        hw: Hardware,
        rng: np.random.Generator,
        length: int,
        limit: int,
        cause: TrapCause | None,
        wild: bool,
    ) -> None:
        self.hw = hw
        self.rng = rng
        self.limit = limit
        self.cause = cause
        self.wild = wild
        self.instructions = [entry for entry in isa.INSTRUCTIONS.values() if entry.legal]
        self.hot = _Hot.of(hw)
        self.words: list[int] = []
        self.length = length
        self.executed = 0
        self.repeats = 1
        self.trap_at = int(rng.integers(0, length)) if cause is not None else None
        self.known: dict[int, int] = {0: 0}
        self.writable = list(range(1, 16))
        self.walkers: list[int] = []
        self.counters: list[int] = []
        self.a_known: dict[int, int] = dict.fromkeys(range(8), 0)
        self.scale: int | None = 0
        self.stride: int | None = 1
        self.control_frozen = False
        self.transfers: list[_Transfer] = []

    # Drawing

    def pick(self, options: Sequence[_T]) -> _T:
        """One of `options`, evenly."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return bool(self.rng.random() < probability)

    def below(self, end: int) -> int:
        """An integer in 0..end-1."""
        return int(self.rng.integers(end))

    def f(self) -> int:
        """An f register, mostly one of three."""
        return self.below(4) if self.chance(0.7) else self.below(8)

    # Writing

    def emit(self, mnemonic: str, *values: int) -> None:
        """Append one instruction; `values` are its encoded operands in text order."""
        self.append(isa.INSTRUCTIONS[mnemonic].encode(values))

    def append(self, word: int) -> None:
        """Append one word."""
        self.words.append(word)
        self.executed += self.repeats

    def target(self, *busy: int) -> int:
        """A gp register that may be written and is not in `busy`; its value is no longer known."""
        register = self.pick([register for register in self.writable if register not in busy])
        self.known.pop(register, None)
        return register

    def constant(self, value: int, *busy: int) -> int:
        """A gp register that holds `value`: often one that does already."""
        holders = [register for register, held in self.known.items() if held == value]
        if holders and self.chance(0.85):
            return self.pick(holders)
        register = self.target(*busy)
        base = self.pick(list(self.known))
        step = value - self.known[base]
        if 0 <= step < 1 << 18:
            self.emit("S_ADDI_INT", register, base, step)
        elif value < 1 << 18:
            self.emit("S_ADDI_INT", register, 0, value)
        else:
            self.emit("S_LUI_INT", register, value >> 12)
            if value & 0xFFF:
                self.emit("S_ADDI_INT", register, register, value & 0xFFF)
        self.known[register] = value
        if self.chance(0.06):
            # The same value by way of INT_MEM.
            word = self.pick(self.hot.int_words)
            address, imm = self.split(word, register, *busy)
            self.emit("S_ST_INT", register, address, imm)
            self.emit("S_LD_INT", register, address, imm)
        return register

    def split(self, value: int, *busy: int) -> tuple[int, int]:
        """(gp, imm18) whose sum is `value`, which is below 2^32 + 2^18."""
        near = [register for register, held in self.known.items() if 0 <= value - held < 1 << 18]
        if near and self.chance(0.7):
            register = self.pick(near)
        else:
            imm = self.below(min(value + 1, 1 << 18))
            imm = max(imm, value - _WORD)
            register = self.constant(value - imm, *busy)
        return register, value - self.known[register]

    # Places

    def row_number(self) -> int:
        """A row within one of the windows."""
        return self.pick(self.hot.rows) + self.below(self.hot.window)

    def row(self, *busy: int) -> int:
        """A gp register that holds the address of one VRAM row."""
        if self.walkers and self.chance(0.4):
            return self.pick(self.walkers)
        ready = self.holding(self.is_row)
        if ready and self.chance(0.7):
            return self.pick(ready)
        return self.constant(self.row_number() * self.hw.mlen, *busy)

    def window(self, *busy: int) -> int:
        """A gp register that holds the address of a row with a whole window of rows from it on."""
        if self.walkers and self.chance(0.3):
            return self.pick(self.walkers)
        ready = self.holding(lambda value: self.is_row(value + (self.hot.window - 1) * self.hw.mlen))
        if ready and self.chance(0.7):
            return self.pick(ready)
        return self.constant(self.pick(self.hot.rows) * self.hw.mlen, *busy)

    def rows_from(self, count: int, *busy: int) -> int | None:
        """A gp register that holds the address of `count` existing rows; None when there is no such place."""
        if count > self.hw.vram_rows:
            return None
        last = (self.hw.vram_rows - count) * self.hw.mlen
        ready = self.holding(lambda value: self.is_row(value) and value <= last)
        if ready and self.chance(0.5):
            return self.pick(ready)
        places = [row for row in self.hot.rows if row * self.hw.mlen <= last]
        row = self.pick(places) if places and self.chance(0.8) else last // self.hw.mlen
        return self.constant(row * self.hw.mlen, *busy)

    def holding(self, wanted: Callable[[int], bool]) -> list[int]:
        """The registers but gp0 that are known to hold a wanted value."""
        return [register for register, held in self.known.items() if register and wanted(held)]

    def is_row(self, value: int) -> bool:
        """True for the address of a VRAM row."""
        return value % self.hw.mlen == 0 and value < self.hw.vram_elems

    def is_block(self, value: int) -> bool:
        """True for the address of BLEN rows of a tile, which M_TMM and M_MM both take."""
        return value % (self.hw.blen * self.hw.mlen) == 0 and value < self.hw.msram_tiles * self.hw.tile_elems

    def tile(self) -> int:
        """The address of a tile."""
        return self.pick(self.hot.tiles) * self.hw.tile_elems

    def fp_word(self, words: int = 1) -> int:
        """An FP_MEM address with `words` words from it on."""
        return min(self.pick(self.hot.fp_words), self.hw.fp_words - words)

    # Instructions

    def m_mm(self) -> None:
        """M_MM in either column-offset form, or M_TMM."""
        block = self.below(self.hw.p) * self.hw.blen
        transposed = self.chance(0.5)
        offset = block if not transposed and self.chance(0.5) else block * self.hw.mlen
        vector = self.window()
        ready = self.holding(self.is_block)
        if ready and self.chance(0.5):
            matrix = self.pick(ready)
        else:
            matrix = self.constant(self.tile() + offset, vector)
        if transposed:
            self.emit("M_TMM", vector, matrix)
        else:
            self.emit("M_MM", matrix, vector)

    def m_mm_wo(self) -> None:
        """M_MM_WO at any column block, with a row stride that fits."""
        first = self.pick(self.hot.rows)
        room = (self.hw.vram_rows - 1 - first) // (self.hw.blen - 1)
        strides = [stride for stride in (0, 1, 2, 3, self.hw.mlen) if stride <= room]
        address = first * self.hw.mlen + self.below(self.hw.p) * self.hw.blen
        destination, imm = self.split(address)
        stride = 0 if self.chance(0.6) else self.constant(self.pick(strides), destination)
        self.emit("M_MM_WO", destination, stride, imm)

    def m_mv(self) -> None:
        """M_MV in either column-offset form, or M_TMV."""
        block = self.below(self.hw.p) * self.hw.blen
        name = self.pick(("M_MV", "M_TMV"))
        offset = block if name == "M_MV" and self.chance(0.5) else block * self.hw.mlen
        vector = self.row()
        self.emit(name, self.constant(self.tile() + offset, vector), vector)

    def m_mv_wo(self) -> None:
        """M_MV_WO, often followed by a use of the row it wrote to."""
        row = self.row_number() * self.hw.mlen
        self.emit("M_MV_WO", *self.split(row + self.below(self.hw.p) * self.hw.blen))
        if self.chance(0.5):
            self.use_row(row)

    def m_head(self) -> None:
        """A per-head product, with the tile and the offset in it shared out between the two registers."""
        name = self.pick(("M_BMM", "M_BTMM", "M_BMV", "M_BMV", "M_BTMV", "M_BTMV"))
        vector = self.rows_from(self.hw.mlen) if name.endswith("MM") else self.row()
        if vector is None:
            return
        address = self.tile() + self.below(self.hw.lanes) * self.hw.hlen
        part = self.pick((0, 1, self.hw.hlen, self.tile()))
        if part > address:
            part = 0
        extra = self.constant(part, vector)
        self.emit(name, extra, self.constant(address - part, vector, extra), vector)

    def m_head_wo(self) -> None:
        """M_BMM_WO or M_BMV_WO, often followed by a use of one of the rows it wrote."""
        name, rows = ("M_BMM_WO", self.hw.mlen) if self.chance(0.3) else ("M_BMV_WO", 1)
        count = self.hw.lanes * rows
        first = self.rows_from(count)
        if first is None:
            return
        address = self.known[first]
        self.emit(name, *self.split(address))
        if self.chance(0.6):
            self.use_row(address + self.pick((0, count // 2, count - 1)) * self.hw.mlen)

    def use_row(self, address: int) -> None:
        """An instruction that reads the row at `address`, or overwrites it."""
        kind = self.below(5)
        if kind == 0:
            self.emit(self.pick(("V_RED_MAX", "V_RED_SUM")), self.f(), self.constant(address), 0)
        elif kind == 1:
            self.emit("S_MAP_V_FP", self.constant(address), 0, 0)
        elif kind == 2:
            vector = self.constant(address)
            self.emit("M_MV", self.constant(self.tile(), vector), vector)
        else:
            row = self.constant(address)
            self.emit("V_MUL_VF", self.row(row) if kind == 3 else row, row, self.f(), self.below(2))

    def topk(self) -> None:
        """V_TOPK of a row that may just have been written, often followed by a use of what it wrote."""
        value = self.below(2)
        policy = POLICIES[value]
        if policy.chosen > self.hw.int_words:
            return
        row = self.rows_from(-(-policy.logits // self.hw.mlen))
        if row is None:
            return
        if self.chance(0.3):
            self.emit("V_ADD_VF", row, row, self.f(), self.below(2))
        weights = self.fp_word(policy.chosen)
        indices = min(self.pick(self.hot.int_words), self.hw.int_words - policy.chosen)
        fp = self.constant(weights, row)
        integer = self.constant(indices, row, fp)
        if self.chance(0.2):
            self.emit("S_ST_FP", self.f(), fp, self.below(policy.chosen))
        self.emit("V_TOPK", fp, row, integer, value)
        for _ in range(self.below(3)):
            n = self.below(policy.chosen)
            kind = self.below(5)
            if kind == 0:
                self.emit("S_LD_FP", self.f(), fp, n)
            elif kind == 1:
                self.emit("S_ST_FP", self.f(), fp, n)
            elif kind == 2:
                self.emit("S_LD_INT", self.target(fp, integer), integer, n)
            elif kind == 3:
                self.emit("S_ST_INT", self.below(16), integer, n)
            else:
                start = min(weights, self.hw.fp_words - self.hw.mlen)
                row = self.row(fp, integer)
                self.emit("S_MAP_V_FP", row, *self.split(start, row, fp, integer))

    def vector(self) -> None:
        """A row instruction, often in place."""
        name = self.pick(_VECTOR)
        a = self.row()
        d = a if self.chance(0.3) else self.row(a)
        rmask = self.below(2)
        if name == "V_SHFT_V":
            n = self.pick([r for r in range(16) if r not in self.walkers])
            if self.chance(0.7):
                n = self.constant(self.below(self.hw.mlen + 2), a, d)
            self.emit(name, d, a, n)
        elif name in ("V_EXP_V", "V_RECI_V"):
            self.emit(name, d, a, rmask)
        elif name.endswith("_VV"):
            self.emit(name, d, a, self.row(a, d), rmask)
        elif name == "V_SUB_VF":
            self.emit(name, d, a, self.f(), rmask, self.below(2))
        else:
            self.emit(name, d, a, self.f(), rmask)

    def reduction(self) -> None:
        """V_RED_SUM or V_RED_MAX, often with the f register used on both sides."""
        name = self.pick(("V_RED_SUM", "V_RED_MAX"))
        f = self.f()
        if self.chance(0.3):
            self.emit("S_LD_FP", f, *self.split(self.fp_word()))
        self.emit(name, f, self.row(), self.below(2))
        if self.chance(0.4):
            row = self.row()
            self.emit("V_SUB_VF", row, row, f, 0, self.below(2))

    def map_row(self) -> None:
        """S_MAP_V_FP."""
        destination = self.row()
        self.emit("S_MAP_V_FP", destination, *self.split(self.fp_word(self.hw.mlen), destination))

    def float_arithmetic(self) -> None:
        """A scalar float operation."""
        name = self.pick(_FLOAT)
        operands = 3 if len(isa.INSTRUCTIONS[name].encoded) == 3 else 2
        self.emit(name, *(self.f() for _ in range(operands)))

    def float_memory(self) -> None:
        """S_LD_FP or S_ST_FP."""
        name = self.pick(("S_LD_FP", "S_LD_FP", "S_ST_FP"))
        self.emit(name, self.f(), *self.split(self.fp_word()))

    def integer(self) -> None:
        """Integer arithmetic on whatever the registers hold."""
        name = self.pick(("S_ADD_INT", "S_SUB_INT", "S_MUL_INT", "S_ADDI_INT", "S_LUI_INT"))
        sources = self.below(16), self.below(16)
        destination = 0 if self.chance(0.1) else self.target()
        if name == "S_LUI_INT":
            self.emit(name, destination, self.below(1 << 22))
        elif name == "S_ADDI_INT":
            self.emit(name, destination, sources[0], self.below(1 << 18))
        else:
            self.emit(name, destination, *sources)

    def integer_memory(self) -> None:
        """S_LD_INT or S_ST_INT."""
        address, imm = self.split(self.pick(self.hot.int_words))
        if self.chance(0.5):
            self.emit("S_ST_INT", self.below(16), address, imm)
        else:
            self.emit("S_LD_INT", 0 if self.chance(0.1) else self.target(address), address, imm)

    def v_mask(self) -> None:
        """C_SET_V_MASK_REG from any register."""
        register = (
            self.below(16) if self.chance(0.3) else self.constant(self.below(1 << min(self.hw.lanes, 17)))
        )
        self.emit("C_SET_V_MASK_REG", register)

    def transfer(self) -> None:
        """A prefetch or a store; some repeat a recent one, so that stored bytes are read back at once."""
        name = self.pick(("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V", "H_STORE_V"))
        chosen = self.choose_transfer(self.rows_of(name), store=name == "H_STORE_V")
        if chosen is None:
            return
        self.move(name, chosen)
        if name == "H_STORE_V" and self.chance(0.6):
            for again in ("H_PREFETCH_V", "H_PREFETCH_M"):
                if self.chance(0.5) and self.fits(chosen, self.rows_of(again), store=False):
                    self.move(again, chosen)

    def rows_of(self, name: str) -> int:
        """Rows that transfer `name` moves."""
        return {"H_PREFETCH_M": self.hw.mlen, "H_PREFETCH_V": self.hw.vpref, "H_STORE_V": self.hw.vstore}[
            name
        ]

    def choose_transfer(self, rows: int, store: bool) -> _Transfer | None:
        """A transfer below the limit that, for a store, does not overlap itself; None when none is found."""
        for _ in range(20):
            if self.control_frozen or (self.transfers and self.chance(0.5)):
                options = [
                    chosen for chosen in self.transfers if not self.control_frozen or self.is_set(chosen)
                ]
                if not options:
                    return None
                chosen = self.pick(options)
            else:
                chosen = self.new_transfer(rows)
            if self.fits(chosen, rows, store):
                self.transfers = [*self.transfers[-3:], chosen]
                return chosen
        return None

    def is_set(self, chosen: _Transfer) -> bool:
        """True when the a registers, SCALE and STRIDE hold already what `chosen` needs."""
        stride_set = not chosen.rstride or self.stride == chosen.stride
        return chosen.base in self.a_known.values() and self.scale == chosen.scale and stride_set

    def new_transfer(self, rows: int) -> _Transfer:
        """A transfer anywhere in HBM; now and then one that ends exactly at the limit."""
        mlen, block = self.hw.mlen, self.hw.mx_block
        stride = self.pick((0, block, mlen - block, mlen, mlen + block, mlen + 2 * block, 2 * mlen))
        rstride = self.below(2)
        step = stride if rstride else mlen
        last_element = self.limit - ((rows - 1) * step + mlen)
        last_scale = self.limit - ((rows - 1) * (step // block) + mlen // block)
        ebase = self.below(max(last_element, 0) // block + 1) * block
        sbase = self.below(max(last_scale, 0) + 1)
        scales = _scales_from(self.limit)
        if last_scale >= scales and self.chance(0.8):
            sbase = scales + self.below(last_scale - scales + 1)
        edge = self.below(10)
        if edge == 0 and last_element % block == 0:
            ebase = max(last_element, 0)
        elif edge == 1:
            sbase = max(last_scale, 0)
        offset = min(self.below(64) * block, ebase)
        base = ebase - offset
        if base + offset // block > sbase:
            base, offset = offset, ebase - offset
        return _Transfer(base, offset, sbase - base - offset // block, stride, rstride)

    def fits(self, chosen: _Transfer, rows: int, store: bool) -> bool:
        """True when `rows` rows of `chosen` are legal, and defined if they are stored."""
        if chosen.scale < 0:
            return False
        mlen, block = self.hw.mlen, self.hw.mx_block
        step = chosen.stride if chosen.rstride else mlen
        ebase = chosen.base + chosen.offset
        sbase = chosen.base + chosen.scale + chosen.offset // block
        row = np.arange(rows)[:, None]
        elements = (ebase + row * step + np.arange(mlen)).ravel()
        scales = (sbase + row * (step // block) + np.arange(mlen // block)).ravel()
        touched = np.concatenate([elements, scales])
        if touched.max() >= self.limit:
            return False
        return not store or np.unique(touched).size == touched.size

    def move(self, name: str, chosen: _Transfer) -> None:
        """Bring the registers to what `chosen` needs, then emit the transfer `name`."""
        if chosen.rstride and self.stride != chosen.stride:
            self.emit("C_SET_STRIDE_REG", self.constant(chosen.stride))
            self.stride = chosen.stride
        if self.scale != chosen.scale:
            self.emit("C_SET_SCALE_REG", self.constant(chosen.scale))
            self.scale = chosen.scale
        a = self.a_holding(chosen.base)
        place = self.constant(self.tile()) if name == "H_PREFETCH_M" else self.window()
        offset = self.constant(chosen.offset, place)
        self.emit(name, place, offset, a, chosen.rstride, self.below(2))

    def a_holding(self, base: int) -> int:
        """An a register that holds `base`."""
        holders = [register for register, held in self.a_known.items() if held == base]
        if holders:
            return self.pick(holders)
        register = self.below(8)
        self.emit("C_SET_ADDR_REG", register, 0, self.constant(base))
        self.a_known[register] = base
        return register

    # Blocks

    def program(self) -> list[int]:
        """The whole program."""
        self.block(self.length)
        if self.trap_at is not None:
            self.trap_at = None
            self.trap()
        if self.wild:
            self.wild_words()
        ending = self.below(3)
        if ending == 0:
            self.emit("C_BREAK")
        elif ending == 1:
            self.emit("C_LOOP_START", self.target(), 2)
            self.integer_memory()
            self.emit("C_BREAK")
        return self.words

    def block(self, budget: int) -> None:
        """Instructions and loops that execute about `budget` instructions."""
        end = self.executed + budget
        kinds, weights = zip(*_MIX, strict=True)
        shares = np.cumsum(weights) / sum(weights)
        while self.executed < end:
            if self.trap_at is not None and self.executed >= self.trap_at:
                self.trap_at = None
                self.trap()
            left = (end - self.executed) // self.repeats
            if left > 12 and self.may_loop() and self.chance(0.06):
                self.loop(left)
            else:
                kinds[int(np.searchsorted(shares, self.rng.random()))](self)

    def may_loop(self) -> bool:
        """True when one more loop may be open, and its body would keep enough registers to write."""
        return len(self.counters) < self.hw.loop_depth and len(self.writable) >= 9

    def loop(self, left: int) -> None:
        """A loop whose body has room for `left` instructions in all its passes together."""
        if self.chance(0.1):
            self.deep_nest()
            return
        trips = 1 + self.below(min(5, left // 6))
        counter = self.pick(self.counters) if self.counters and self.chance(0.15) else self.target()
        walker = self.walker(counter, trips) if self.chance(0.6) else None
        self.emit("C_LOOP_START", counter, trips)
        with self.body(counter, trips, walker):
            leave = self.below(12)
            if leave == 0:
                self.emit("S_ADDI_INT", counter, 0, self.below(2))
            elif leave == 1:
                self.emit("S_SUB_INT", counter, counter, self.constant(1))
            self.block(max(1, left // trips - 2) * self.repeats)
            if walker is not None:
                self.emit("S_ADDI_INT", walker[0], walker[0], walker[1] * self.hw.mlen)
            self.emit("C_LOOP_END", counter)
        self.known[counter] = 0

    def walker(self, counter: int, trips: int) -> tuple[int, int] | None:
        """(register, rows a pass) of a row address that the body will advance; it starts at a window."""
        step = self.pick((1, 1, 2, self.hw.blen))
        last = self.hw.vram_rows - self.hot.window - trips * step
        starts = [row for row in self.hot.rows if row <= last]
        if not starts:
            return None
        register = self.target(counter)
        value = self.pick(starts) * self.hw.mlen
        if value < 1 << 18:
            self.emit("S_ADDI_INT", register, 0, value)
        else:
            self.emit("S_LUI_INT", register, value >> 12)
            self.emit("S_ADDI_INT", register, register, value & 0xFFF)
        return register, step

    @contextmanager
    def body(self, counter: int, trips: int, walker: tuple[int, int] | None) -> Iterator[None]:
        """Inside: only some registers may be written, and what they held at the start is not known."""
        writable, walkers, repeats, frozen = self.writable, self.walkers, self.repeats, self.control_frozen
        taken = {counter} | ({walker[0]} if walker else set())
        free = [register for register in writable if register not in taken]
        self.rng.shuffle(free)
        self.writable = free[self.below(3) :]
        self.walkers = [*walkers, walker[0]] if walker else walkers
        self.counters.append(counter)
        self.repeats *= trips
        for register in (*self.writable, *taken):
            self.known.pop(register, None)
        self.control_frozen = frozen or self.chance(0.5)
        if not self.control_frozen:
            self.a_known, self.scale, self.stride = {}, None, None
        yield
        self.counters.pop()
        self.writable, self.walkers, self.repeats, self.control_frozen = writable, walkers, repeats, frozen

    def deep_nest(self) -> None:
        """As many loops as may be open, one inside the other around one instruction, on two counters."""
        depth = self.hw.loop_depth - len(self.counters)
        counters = [self.target() for _ in range(2)]
        chosen = [self.pick(counters) for _ in range(depth)]
        for counter in chosen:
            self.emit("C_LOOP_START", counter, 1 + self.below(2) if depth <= 3 else 1 + self.below(8) // 7)
        self.emit(*self.pick((("S_ADD_FP", 1, 1, 2), ("V_RED_SUM", 1, 0, 0), ("S_MUL_FP", 2, 1, 2))))
        for counter in reversed(chosen):
            self.emit("C_LOOP_END", counter)
            self.known[counter] = 0

    # Ends

    def trap(self) -> None:
        """One instruction that traps with the program's cause, after whatever must come before it."""
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
            top = _WORD + 1 - self.hw.mlen
            self.bad_row(self.pick((end, end + self.hw.mlen, top)), self.pick((end - self.hw.mlen, end, top)))

    def bad_write_out(self, first: int) -> tuple[int, int, int]:
        """Operands of an M_MM_WO whose last row is past the end."""
        if self.chance(0.5):
            return self.constant(first * self.hw.mlen), 0, 0
        stride = self.constant(self.pick((self.hw.vram_rows, _WORD)))
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
        tile = self.pick((end, (_WORD + 1) - self.hw.tile_elems))
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
        return value, self.rows_from(-(-POLICIES[value].logits // self.hw.mlen))

    def trap_fp_mem_range(self) -> None:
        if self.chance(0.3):
            value, row = self.topk_row()
            bad = self.constant(self.hw.fp_words - self.pick((0, POLICIES[value].chosen - 1)), row)
            self.emit("V_TOPK", bad, row, self.pick((0, bad)), value)
        elif self.chance(0.4):
            row = self.row()
            self.emit("S_MAP_V_FP", row, *self.split(self.hw.fp_words - self.hw.mlen + 1, row))
        else:
            address = self.pick((self.hw.fp_words, _WORD + 1))
            self.emit(self.pick(("S_LD_FP", "S_ST_FP")), self.f(), *self.split(address))

    def trap_int_mem_range(self) -> None:
        if self.chance(0.3):
            value, row = self.topk_row()
            words = max(0, self.hw.int_words - self.pick((0, POLICIES[value].chosen - 1)))
            self.emit("V_TOPK", 0, row, self.constant(words, row), value)
            return
        name = self.pick(("S_LD_INT", "S_ST_INT"))
        address, imm = self.split(self.pick((self.hw.int_words, _WORD + 1)))
        self.emit(name, 0 if name == "S_ST_INT" else self.target(address), address, imm)

    def trap_hbm_misaligned(self) -> None:
        name = self.pick(("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V"))
        good = _Transfer(0, 0, 0, 2 * self.hw.mlen, self.below(2))
        half = self.hw.mx_block // 2
        kind = self.below(4)
        if kind == 0:
            bad = replace(good, base=half)
        elif kind == 1:
            bad = replace(good, offset=1)
        elif kind == 2:
            bad = replace(good, base=half, offset=half)
        else:
            bad = replace(good, stride=self.hw.mlen + half, rstride=1)
        self.move(name, bad)

    def trap_hbm_error(self) -> None:
        name = self.pick(("H_PREFETCH_M", "H_PREFETCH_V", "H_STORE_V"))
        rows, mlen, block = self.rows_of(name), self.hw.mlen, self.hw.mx_block
        kind = self.below(4)
        if kind == 0:
            end_of_elements = -(-(self.limit - rows * mlen + 1) // block) * block
            bad = _Transfer(0, max(end_of_elements, 0), 0, mlen, 0)
        elif kind == 1:
            bad = _Transfer(0, 0, self.limit - rows * (mlen // block) + 1, mlen, 0)
        elif kind == 2:
            bad = _Transfer(64, _WORD + 1 - block, 0, mlen, 0)
        else:
            bad = _Transfer(self.limit, 0, 0, 0, 1)
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
            self.packed_bad_row(self.pick((end, end + self.hw.mlen, _WORD + 1 - self.hw.mlen)))

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
        matrix = self.constant(self.pick((end, (_WORD + 1) - self.hw.tile_elems)), row)
        if self.chance(0.5):
            self.emit(self.pick(("M_MV", "M_TMV")), matrix, row)
        else:
            self.emit(self.pick(("M_BMV", "M_BTMV")), self.pick((0, matrix)), matrix, row)


_VECTOR = (
    "V_ADD_VV",
    "V_ADD_VV",
    "V_SUB_VV",
    "V_MUL_VV",
    "V_ADD_VF",
    "V_SUB_VF",
    "V_SUB_VF",
    "V_MUL_VF",
    "V_MAX_VF",
    "V_MIN_VF",
    "V_EXP_V",
    "V_RECI_V",
    "V_SHFT_V",
)
_FLOAT = ("S_ADD_FP", "S_SUB_FP", "S_MUL_FP", "S_MAX_FP", "S_EXP_FP", "S_RECI_FP", "S_SQRT_FP")

#: What a block is made of, with weights.
_MIX: tuple[tuple[Callable[[_Generator], None], int], ...] = (
    (_Generator.m_mm, 10),
    (_Generator.m_mm_wo, 7),
    (_Generator.m_mv, 5),
    (_Generator.m_mv_wo, 3),
    (_Generator.m_head, 5),
    (_Generator.m_head_wo, 3),
    (_Generator.vector, 20),
    (_Generator.reduction, 10),
    (_Generator.map_row, 5),
    (_Generator.float_arithmetic, 14),
    (_Generator.float_memory, 14),
    (_Generator.integer, 4),
    (_Generator.integer_memory, 4),
    (_Generator.v_mask, 3),
    (_Generator.transfer, 6),
    (_Generator.topk, 4),
)

_TRAPS: dict[TrapCause, Callable[[_Generator], None]] = {
    TrapCause.ILLEGAL_OPCODE: _Generator.trap_illegal_opcode,
    TrapCause.ILLEGAL_OPERAND: _Generator.trap_illegal_operand,
    TrapCause.VRAM_MISALIGNED: _Generator.trap_vram_misaligned,
    TrapCause.VRAM_RANGE: _Generator.trap_vram_range,
    TrapCause.MSRAM_MISALIGNED: _Generator.trap_msram_misaligned,
    TrapCause.MSRAM_RANGE: _Generator.trap_msram_range,
    TrapCause.FP_MEM_RANGE: _Generator.trap_fp_mem_range,
    TrapCause.INT_MEM_RANGE: _Generator.trap_int_mem_range,
    TrapCause.HBM_MISALIGNED: _Generator.trap_hbm_misaligned,
    TrapCause.HBM_ERROR: _Generator.trap_hbm_error,
    TrapCause.LOOP_COUNT: _Generator.trap_loop_count,
    TrapCause.LOOP_OVERFLOW: _Generator.trap_loop_overflow,
    TrapCause.LOOP_MISMATCH: _Generator.trap_loop_mismatch,
}

#: Other ways to those causes, through the per-head and one-row products.
_PACKED_TRAPS: dict[TrapCause, Callable[[_Generator], None]] = {
    TrapCause.VRAM_MISALIGNED: _Generator.packed_vram_misaligned,
    TrapCause.VRAM_RANGE: _Generator.packed_vram_range,
    TrapCause.MSRAM_MISALIGNED: _Generator.packed_msram_misaligned,
    TrapCause.MSRAM_RANGE: _Generator.packed_msram_range,
}
