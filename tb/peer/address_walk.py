"""How much of each memory a program addresses: its integer and control instructions run, nothing else does.

Addresses come from gp registers, and those from constants, loops and INT_MEM; so they are known before the
program runs, unless an index that V_TOPK leaves in INT_MEM becomes part of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Access, Space
from plena_ref.isa.policies import POLICIES
from plena_ref.machine.access_length import access_length
from plena_ref.machine.hardware import Hardware

#: Instructions that a walk takes at most: about half a second.
STEPS = 300_000
_WORD = 0xFFFF_FFFF
_LOOP_START = isa.INSTRUCTIONS["C_LOOP_START"].opcode
#: Spaces whose extent is wanted.
_SPACES = (Space.VRAM, Space.MSRAM, Space.FP_MEM, Space.INT_MEM)


@dataclass
class Extents:
    """The first element or word after every one that a program addresses.

    Attributes:
        vram, msram: elements.
        fp_words, int_words: words.
        loops: loops that are open at a time.
        complete: the walk came to the program's end and every address was known.
    """

    vram: int = 0
    msram: int = 0
    fp_words: int = 0
    int_words: int = 0
    loops: int = 0
    complete: bool = True


@dataclass
class _State:
    """gp registers (None: not known), INT_MEM, open loops as (counter, pc of the body)."""

    gp: list[int | None]
    intmem: dict[int, int | None]
    loops: list[tuple[int, int]] = field(default_factory=list)
    found: dict[Space, int] = field(default_factory=lambda: dict.fromkeys(_SPACES, 0))
    depth: int = 0
    complete: bool = True


#: A step: the next pc, None for the following instruction, or -1 for the end.
_Step = Callable[[], int | None]


def walk(hw: Hardware, words: Sequence[int], intmem: NDArray[np.uint32]) -> Extents:
    """Walk through a program.

    Args:
        hw: the machine, of which only the lengths matter.
        words: the program.
        intmem: INT_MEM before the run, from its first word on.
    """
    state = _State([0] * 17, {at: int(word) for at, word in enumerate(intmem)})
    known: dict[int, _Step] = {}
    pc, left = 0, STEPS
    while 0 <= pc < len(words) and left:
        word = words[pc]
        # Equal words are equal steps, but for a loop's start, whose body begins where it stands.
        step = known.get(word)
        if step is None:
            step = _step(state, hw, pc, word)
            if isa.opcode(word) != _LOOP_START:
                known[word] = step
        target = step()
        pc = pc + 1 if target is None else target
        left -= 1
    found = state.found
    return Extents(
        vram=found[Space.VRAM],
        msram=found[Space.MSRAM],
        fp_words=found[Space.FP_MEM],
        int_words=found[Space.INT_MEM],
        loops=state.depth,
        complete=state.complete and left > 0,
    )


def _step(state: _State, hw: Hardware, pc: int, word: int) -> _Step:
    """What one instruction does to the state."""
    if isa.decode_trap(word) is not None:
        return lambda: -1
    entry = isa.BY_OPCODE[isa.opcode(word)]
    fields = {f.name: f.get(word) for f in isa.FIELDS}
    name = entry.shape.name
    if name in _INTEGER:
        return _INTEGER[name](state, entry.mnemonic, fields)
    if name in _CONTROL:
        return _CONTROL[name](state, fields, pc)
    accesses = [
        _Range.of(hw, access, fields)
        for access in (*entry.shape.reads, *entry.shape.writes)
        if access.space in _SPACES
    ]

    def step() -> None:
        for access in accesses:
            access.note(state)

    return _topk(state, fields, step) if name == "TOPK" else step


@dataclass(frozen=True)
class _Range:
    """One access: the registers whose sum it begins at, and how far it reaches."""

    space: Space
    registers: tuple[int, ...]
    offset: int
    count: int
    unit: int
    stride: int

    @classmethod
    def of(cls, hw: Hardware, access: Access, fields: dict[str, int]) -> _Range:
        """An access of an instruction."""
        names = [f.name for f in access.address]
        gp = tuple(fields[name] for name in names if not name.startswith("imm"))
        offset = sum(fields[name] for name in names if name.startswith("imm"))
        count = access_length(hw, access, fields["rs3"])
        unit = {Space.VRAM: hw.mlen, Space.MSRAM: hw.tile_elems}.get(access.space, 1)
        stride = 0 if access.stride is None else fields[access.stride.name]
        return cls(access.space, gp, offset, count, unit, stride)

    def note(self, state: _State) -> None:
        """Note where it ends."""
        gp, address, step = state.gp, self.offset, 1
        for register in self.registers:
            value = gp[register]
            if value is None:
                state.complete = False
                return
            address += value
        if self.stride:
            value = gp[self.stride]
            if value is None:
                state.complete = False
                return
            step = value
        end = (address // self.unit + (self.count - 1) * step + 1) * self.unit
        if end > state.found[self.space]:
            state.found[self.space] = end


def _topk(state: _State, fields: dict[str, int], note: Callable[[], None]) -> _Step:
    """V_TOPK leaves indices in INT_MEM that are not known."""
    chosen = POLICIES[fields["rs3"]].chosen

    def step() -> None:
        note()
        at = state.gp[fields["rs2"]]
        if at is not None:
            state.intmem.update(dict.fromkeys(range(at, at + chosen)))

    return step


def _two_registers(state: _State, mnemonic: str, fields: dict[str, int]) -> _Step:
    gp, target, a, b = state.gp, fields["rd"] or 16, fields["rs1"], fields["rs2"]
    operations: dict[str, Callable[[int, int], int]] = {
        "S_ADD_INT": lambda x, y: x + y,
        "S_SUB_INT": lambda x, y: x - y,
        "S_MUL_INT": lambda x, y: x * y,
    }
    operation = operations[mnemonic]

    def step() -> None:
        x, y = gp[a], gp[b]
        gp[target] = None if x is None or y is None else operation(x, y) & _WORD

    return step


def _immediate(state: _State, _mnemonic: str, fields: dict[str, int]) -> _Step:
    gp, target, a, imm = state.gp, fields["rd"] or 16, fields["rs1"], fields["imm18"]

    def step() -> None:
        x = gp[a]
        gp[target] = None if x is None else x + imm & _WORD

    return step


def _upper(state: _State, _mnemonic: str, fields: dict[str, int]) -> _Step:
    gp, target, value = state.gp, fields["rd"] or 16, fields["imm22"] << 12 & _WORD

    def step() -> None:
        gp[target] = value

    return step


def _int_address(state: _State, fields: dict[str, int]) -> int | None:
    """INT_MEM address of a load or store, noted; None when it is not known."""
    base = state.gp[fields["rs1"]]
    if base is None:
        state.complete = False
        return None
    at = base + fields["imm18"]
    state.found[Space.INT_MEM] = max(state.found[Space.INT_MEM], at + 1)
    return at


def _load(state: _State, _mnemonic: str, fields: dict[str, int]) -> _Step:
    gp, target = state.gp, fields["rd"] or 16

    def step() -> None:
        at = _int_address(state, fields)
        gp[target] = None if at is None else state.intmem.get(at, 0)

    return step


def _store(state: _State, _mnemonic: str, fields: dict[str, int]) -> _Step:
    def step() -> int | None:
        at = _int_address(state, fields)
        if at is None:
            return -1
        state.intmem[at] = state.gp[fields["rd"]]
        return None

    return step


def _loop_start(state: _State, fields: dict[str, int], pc: int) -> _Step:
    counter, trips = fields["rd"], fields["imm22"]

    def step() -> int | None:
        if not trips or not counter:
            return -1
        state.gp[counter] = trips
        state.loops.append((counter, pc + 1))
        state.depth = max(state.depth, len(state.loops))
        return None

    return step


def _loop_end(state: _State, fields: dict[str, int], _pc: int) -> _Step:
    counter, gp = fields["rd"], state.gp

    def step() -> int | None:
        value = gp[counter]
        if not state.loops or state.loops[-1][0] != counter or value is None:
            state.complete = state.complete and value is not None
            return -1
        if value > 1:
            gp[counter] = value - 1
            return state.loops[-1][1]
        gp[counter] = 0
        state.loops.pop()
        return None

    return step


def _stop(_state: _State, _fields: dict[str, int], _pc: int) -> _Step:
    return lambda: -1


_INTEGER = {
    "G3": _two_registers,
    "G_IMMEDIATE": _immediate,
    "G_UPPER": _upper,
    "G_LOAD": _load,
    "G_STORE": _store,
}
_CONTROL = {"LOOP_START": _loop_start, "LOOP_END": _loop_end, "STOP": _stop}
