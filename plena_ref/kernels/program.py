"""A builder for kernel programs: registers handed out and returned, loops as blocks, a commented listing.

    p = Program(hw)
    with p.gp("row") as row, p.fp("scale") as scale:
        p.point(row, tensor)
        with p.loop(tensor.rows, "every row"):
            p.V_MUL_VF(row, row, scale)
            p.add(row, row, hw.mlen)
    words, listing = p.finish()

Every mnemonic of `plena_ref.isa` is a method. Its operands come in text order without the literal zeros of
the assembly form, optional ones last. The listing is assembly text that assembles to the same words.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

from plena_ref.isa import instructions as isa
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.hardware import Hardware

IMM18_LIMIT = 1 << isa.IMM18.width
IMM22_LIMIT = 1 << isa.IMM22.width
UINT32_LIMIT = 1 << 32
LISTING_COMMENT_COLUMN = 44
#: Frames of these files are not the kernel's.
_OWN_FILES = (__file__, contextlib.__file__)


class ProgramError(ValueError):
    """A program that cannot be written: registers ran out, a value does not fit, a block is not closed."""


@dataclass(frozen=True)
class Register:
    """A register of one file: `gp`, `f` or `a`, with its number."""

    file: str
    index: int

    def __str__(self) -> str:
        """Its name in assembly."""
        return f"{self.file}{self.index}"


#: The registers that always read zero.
GP0 = Register("gp", 0)
F0 = Register("f", 0)

_FILE_OF_KIND = {
    isa.Kind.GP: "gp",
    isa.Kind.GP_OR_ZERO: "gp",
    isa.Kind.F: "f",
    isa.Kind.A: "a",
}


@dataclass
class _RegisterFile:
    """The free registers of one file and who holds the others."""

    name: str
    free: list[int]
    holders: dict[int, str] = field(default_factory=dict)

    def take(self, purpose: str, index: int | None = None) -> Register:
        if not self.free or index in self.holders:
            held = ", ".join(f"{self.name}{index} = {who}" for index, who in sorted(self.holders.items()))
            raise ProgramError(f"no free {self.name} register for '{purpose}'; in use: {held}")
        index = self.free[0] if index is None else index
        self.free.remove(index)
        self.holders[index] = purpose
        return Register(self.name, index)

    def give_back(self, register: Register) -> None:
        if self.holders.pop(register.index, None) is None:
            raise ProgramError(f"{register} is released but nobody holds it")
        self.free = sorted([*self.free, register.index])


class Program:
    """One program under construction.

    Args:
        hw: the machine it is written for.
        title: first line of the listing.
    """

    def __init__(self, hw: Hardware, title: str = "") -> None:
        self.hw = hw
        self._files = {
            "gp": _RegisterFile("gp", list(range(1, 16))),
            "f": _RegisterFile("f", list(range(1, 8))),
            "a": _RegisterFile("a", list(range(8))),
        }
        self._words: list[int] = []
        self._calls: list[tuple[str, int]] = []
        self._lines: list[str] = [f"; {title}"] if title else []
        self._depth = 0
        self._finished = False
        #: What begins where, in program order: index of its first instruction, and its name.
        self.marks: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Instructions so far."""
        return len(self._words)

    @property
    def sources(self) -> tuple[tuple[str, int], ...]:
        """Of each instruction the file and line that asked for it, outside of this module."""
        return tuple(self._calls)

    # Registers

    @contextmanager
    def gp(self, purpose: str) -> Iterator[Register]:
        """An integer register for the length of a `with` block."""
        with self._register("gp", purpose) as register:
            yield register

    @contextmanager
    def fp(self, purpose: str) -> Iterator[Register]:
        """A float register for the length of a `with` block."""
        with self._register("f", purpose) as register:
            yield register

    @contextmanager
    def gps(self, *purposes: str) -> Iterator[tuple[Register, ...]]:
        """Several integer registers for the length of a `with` block, in this order."""
        with ExitStack() as stack:
            yield tuple(stack.enter_context(self.gp(purpose)) for purpose in purposes)

    @contextmanager
    def fps(self, *purposes: str) -> Iterator[tuple[Register, ...]]:
        """Several float registers for the length of a `with` block, in this order."""
        with ExitStack() as stack:
            yield tuple(stack.enter_context(self.fp(purpose)) for purpose in purposes)

    @contextmanager
    def hbm_base(self, purpose: str) -> Iterator[Register]:
        """An HBM address register for the length of a `with` block."""
        with self._register("a", purpose) as register:
            yield register

    @contextmanager
    def _register(self, file: str, purpose: str, index: int | None = None) -> Iterator[Register]:
        register = self._files[file].take(purpose, index)
        try:
            yield register
        finally:
            self._files[file].give_back(register)

    def free(self, file: str) -> int:
        """How many registers of a file nobody holds."""
        return len(self._files[file].free)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is written in the block is forgotten after it."""
        words, lines = len(self._words), len(self._lines)
        yield
        del self._words[words:], self._calls[words:], self._lines[lines:]

    # Instructions

    def __getattr__(self, mnemonic: str) -> Callable[..., None]:
        """Every mnemonic is a method: `p.V_ADD_VV(d, a, b)`."""
        if mnemonic not in isa.INSTRUCTIONS:
            raise AttributeError(f"{mnemonic} is no instruction and no method of Program")

        def emit(*operands: Register | int, comment: str = "") -> None:
            self.emit(mnemonic, *operands, comment=comment)

        return emit

    def emit(self, mnemonic: str, *operands: Register | int, comment: str = "") -> None:
        """Append one instruction; left-out trailing operands are 0.

        Raises:
            ProgramError: wrong number or kind of operands, a register nobody holds, an instruction
                without semantics, or a program that is finished.
        """
        entry = isa.INSTRUCTIONS[mnemonic]
        if self._finished:
            raise ProgramError(f"{mnemonic}: the program is finished")
        if not entry.legal:
            raise ProgramError(f"{mnemonic} has no semantics")
        encoded = entry.encoded
        required = sum(not operand.optional for operand in encoded)
        if not required <= len(operands) <= len(encoded):
            raise ProgramError(f"{mnemonic} takes {required} to {len(encoded)} operands, got {len(operands)}")
        values = [self._value(entry, *pair) for pair in zip(encoded, operands, strict=False)]
        try:
            word = entry.encode([*values, *[0] * (len(encoded) - len(values))])
        except ValueError as error:
            raise ProgramError(str(error)) from None
        self._words.append(word)
        self._calls.append(_caller())
        self._write(_text(entry, operands), comment)

    def _value(self, entry: isa.Instruction, operand: isa.Operand, given: Register | int) -> int:
        file = _FILE_OF_KIND.get(operand.kind)
        if file is None:
            if isinstance(given, Register):
                raise ProgramError(f"{entry.mnemonic}: {operand.name} must be a number, got {given}")
            return given
        if not isinstance(given, Register) or given.file != file:
            raise ProgramError(f"{entry.mnemonic}: {operand.name} must be a {file} register, got {given}")
        if given not in (GP0, F0) and given.index not in self._files[file].holders:
            raise ProgramError(f"{entry.mnemonic}: {operand.name} = {given} is used after its release")
        return given.index

    def _write(self, text: str, comment: str) -> None:
        line = "    " * self._depth + text
        self._lines.append(f"{line:<{LISTING_COMMENT_COLUMN}}; {comment}" if comment else line)

    def comment(self, text: str) -> None:
        """A comment line in the listing."""
        self._lines.append("    " * self._depth + f"; {text}")

    def mark(self, name: str) -> None:
        """The next instruction is the first of `name`; the listing says so."""
        self.marks.append((len(self), name))
        self.comment(name)

    # Idioms

    @contextmanager
    def loop(self, count: int, comment: str = "") -> Iterator[Register]:
        """A hardware loop around the block, run `count` times; yields its counter (count down to 1).

        Raises:
            ProgramError: the count is not in 1..2^22-1 or the loop nests too deep.
        """
        with self.gp(f"counter of loop '{comment}'") as counter:
            self._open_loop(counter, count, comment)
            yield counter
            self._close_loop(counter)

    @contextmanager
    def long_loop(self, count: int, word: int, comment: str = "") -> Iterator[None]:
        """Like `loop`, but its counter waits in a word of INT_MEM, so that the body has all registers."""
        with self.gp(f"counter of loop '{comment}'") as counter:
            self._open_loop(counter, count, comment)
            self.S_ST_INT(counter, GP0, word)
        yield
        with self._register("gp", f"counter of loop '{comment}'", counter.index):
            self.S_LD_INT(counter, GP0, word)
            self._close_loop(counter)

    def _open_loop(self, counter: Register, count: int, comment: str) -> None:
        if not 1 <= count < IMM22_LIMIT:
            raise ProgramError(f"a loop must run 1..{IMM22_LIMIT - 1} times, not {count}")
        if self._depth == self.hw.loop_depth:
            raise ProgramError(f"loops nest deeper than LOOP_DEPTH = {self.hw.loop_depth}")
        self.C_LOOP_START(counter, count, comment=comment)
        self._depth += 1

    def _close_loop(self, counter: Register) -> None:
        self._depth -= 1
        self.C_LOOP_END(counter)

    @contextmanager
    def repeat(self, count: int, comment: str = "") -> Iterator[None]:
        """Like `loop`, but a single pass needs no loop and no counter."""
        if count == 1:
            if comment:
                self.comment(comment)
            yield
        else:
            with self.loop(count, comment):
                yield

    def load_constant(self, register: Register, value: int, comment: str = "") -> None:
        """register = value (0..2^32-1) in one or two instructions."""
        if not 0 <= value < UINT32_LIMIT:
            raise ProgramError(f"{value} does not fit a 32-bit register")
        if value < IMM18_LIMIT:
            self.S_ADDI_INT(register, GP0, value, comment=comment)
            return
        self.S_LUI_INT(register, value >> 12, comment=comment)
        if value & 0xFFF:
            self.S_ADDI_INT(register, register, value & 0xFFF)

    def add(
        self,
        target: Register,
        source: Register,
        value: int,
        comment: str = "",
        spare: Register | None = None,
    ) -> None:
        """target = source + value modulo 2^32, for any value, negative ones included.

        A value that no instruction holds is loaded into `spare`, or else into a register taken for it.
        """
        wrapped = value % UINT32_LIMIT
        if wrapped == 0 and target == source:
            return
        if wrapped < IMM18_LIMIT:
            self.S_ADDI_INT(target, source, wrapped, comment=comment)
        elif source == GP0:
            self.load_constant(target, wrapped, comment)
        else:
            taken = nullcontext(spare) if spare is not None else self.gp("constant of an addition")
            with taken as constant:
                self.load_constant(constant, abs(value) % UINT32_LIMIT)
                operation = self.S_ADD_INT if value >= 0 else self.S_SUB_INT
                operation(target, source, constant, comment=comment)

    def point(self, register: Register, tensor: VramTensor, row: int = 0, col: int = 0) -> None:
        """register = VRAM address of the tensor's element (row, col)."""
        where = f"{tensor.name}[{row}, {col}]" if row or col else tensor.name
        self.load_constant(register, tensor.address(row, col), comment=f"{register} = &{where}")

    def set_hbm_base(self, register: Register, address: int, comment: str = "") -> None:
        """HBM address register = byte address."""
        high, low = divmod(address, UINT32_LIMIT)
        with self.gp("lower half of an HBM address") as lower:
            self.load_constant(lower, low)
            if high == 0:
                self.C_SET_ADDR_REG(register, GP0, lower, comment=comment)
                return
            with self.gp("upper half of an HBM address") as upper:
                self.load_constant(upper, high)
                self.C_SET_ADDR_REG(register, upper, lower, comment=comment)

    def finish(self) -> tuple[list[int], str]:
        """End the program with C_BREAK; returns its words and its listing.

        Raises:
            ProgramError: a loop is still open or a register is still held.
        """
        held = [f"{name}{index}" for name, file in self._files.items() for index in sorted(file.holders)]
        if self._depth or held:
            raise ProgramError(f"the program ends inside {self._depth} loops, with {held} still held")
        self.C_BREAK()
        self._finished = True
        return list(self._words), "\n".join(self._lines) + "\n"


def _caller() -> tuple[str, int]:
    """File and line of the nearest caller outside of this module and of `with` blocks."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename in _OWN_FILES and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _text(entry: isa.Instruction, operands: tuple[Register | int, ...]) -> str:
    """The assembly line of one instruction."""
    given = iter(operands)
    parts: list[str] = []
    for operand in entry.operands:
        if operand.field is None:
            if operand.optional:
                break
            parts.append("0")
            continue
        value = next(given, None)
        if value is None:
            break
        parts.append(str(value))
    return f"{entry.mnemonic} {', '.join(parts)}".rstrip()
