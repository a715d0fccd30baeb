"""The order of the instructions of some rows that are under way together, with other work woven in.

One addressed instruction is dispatched a cycle, and the vector unit issues in order: an instruction that
waits for a reduction holds up all after it. So the instructions of several rows are put in an order in which
each finds its operands ready, as a list scheduler does. Other work, mostly products for the array, fills the
cycles in which no row has anything ready, and is spread evenly over the rest, so that neither the queue of
the array nor that of the vector unit runs full.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from plena_ref.kernels.program import IMM18_LIMIT, Program, Register

#: A register and a constant.
Key = tuple[Register, int]
#: Instructions from one on for which an address is made early, and a step that does not come.
MADE_AHEAD, NEVER = 4, 1 << 30
#: Instructions of a row that are looked at for the next one to go.
LOOK_AHEAD = 6


@dataclass(eq=False)
class Op:
    """One addressed instruction of a row.

    Attributes:
        write: writes it, with what makes its addresses.
        vector: of the vector unit, which issues in order; else of the float unit.
        latency: cycles from its issue to that of what needs its result.
        after: what comes before it.
        takes, frees: how many registers of the row it is the first to need, or the last.
    """

    write: Callable[[], None]
    vector: bool
    latency: int
    after: tuple[Op, ...]
    takes: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()
    issued: int | None = field(default=None, init=False)


class Row:
    """The instructions of one row, and the f registers that it holds at the time, by name."""

    def __init__(self, most: int) -> None:
        #: Registers that it holds at most.
        self.most = most
        self.ops: list[Op] = []
        self.held: dict[str, Register] = {}
        #: Those that it holds while the order is made.
        self.taken: set[str] = set()

    def add(
        self,
        write: Callable[[], None],
        latency: int,
        *after: Op | None,
        vector: bool = False,
        takes: tuple[str, ...] = (),
        frees: tuple[str, ...] = (),
    ) -> Op:
        """The next instruction; those that it follows may be None."""
        op = Op(write, vector, latency, tuple(filter(None, after)), takes, frees)
        self.ops.append(op)
        return op


class Weaver:
    """Puts rows and other work in a good order and writes them.

    Args:
        rows: the rows, the oldest first.
        fill: other work, in order.
        pool: f registers for the rows.
    """

    def __init__(
        self, rows: Sequence[Row], fill: Sequence[Callable[[], None]], pool: Sequence[Register]
    ) -> None:
        self.waiting = list(rows)
        self.active: list[Row] = []
        self.fill, self.filled = fill, 0
        self.pool, self.left = pool, len(pool)
        self.total, self.ordered = sum(len(row.ops) for row in rows), 0
        self.cycle = self.last_vector = 0
        #: What is written, in order: an instruction with its row, or other work.
        self.order: list[tuple[Row, Op] | Callable[[], None]] = []
        self._order()

    def write(self, p: Program, addresses: Addresses) -> None:
        """Write everything: once to learn which addresses are needed when, and once for good."""
        with p.rehearsal(), addresses.learning():
            self._write(addresses)
        self._write(addresses)

    def _write(self, addresses: Addresses) -> None:
        pool = list(self.pool)
        for item in self.order:
            if isinstance(item, tuple):
                row, op = item
                for name in op.takes:
                    if name not in row.held:
                        row.held[name] = pool.pop(0)
                op.write()
                for name in op.frees:
                    pool.append(row.held.pop(name))
            else:
                item()
            addresses.step()

    def _order(self) -> None:
        while self.ordered < self.total:
            if self.filled * self.total < self.ordered * len(self.fill):
                self._fill()
                continue
            self._admit()
            row, op, issue = self._choose()
            if issue > self.cycle + 1 and self.filled < len(self.fill):
                self._fill()
                continue
            self._go(row, op, issue)
        while self.filled < len(self.fill):
            self._fill()

    def _fill(self) -> None:
        self.order.append(self.fill[self.filled])
        self.filled += 1
        self.cycle += 1

    def _admit(self) -> None:
        """Rows begin while their registers, and those that the rows under way may still need, are free."""
        while self.waiting and self.left >= self.waiting[0].most:
            row = self.waiting.pop(0)
            self.active.append(row)
            self._take(row, row.ops[0])

    def _take(self, row: Row, op: Op) -> None:
        missing = set(op.takes) - row.taken
        row.taken |= missing
        self.left -= len(missing)

    def _choose(self) -> tuple[Row, Op, int]:
        """The instruction that may issue first; of several, that of the oldest row."""
        best: tuple[Row, Op, int] | None = None
        for row in self.active:
            for op in row.ops[:LOOK_AHEAD]:
                missing = set(op.takes) - row.taken
                if len(missing) > self.left or any(before.issued is None for before in op.after):
                    continue
                issue = max([self.cycle + 1, *((before.issued or 0) + before.latency for before in op.after)])
                if op.vector:
                    issue = max(issue, self.last_vector + 1)
                if best is None or issue < best[2]:
                    best = (row, op, issue)
                    if issue == self.cycle + 1:
                        return best
        if best is None:
            raise RuntimeError("the rows wait for one another's registers")
        return best

    def _go(self, row: Row, op: Op, issue: int) -> None:
        self._take(row, op)
        self.order.append((row, op))
        op.issued = issue
        row.ops.remove(op)
        row.taken -= set(op.frees)
        self.left += len(op.frees)
        if not row.ops:
            self.active.remove(row)
        if op.vector:
            self.last_vector = issue
        self.cycle = max(self.cycle + 1, issue - 1)
        self.ordered += 1


class Addresses:
    """Sums of a register and a constant in a few registers.

    Once it has learnt which are needed when, the one that is needed last gives way to a new one, and where an
    instruction needs none made, one of those to come is made beside it: dispatch takes an integer instruction
    along with any other.

    Args:
        p: the program.
        registers: the registers; one that it does not have among them is needed where a constant is large.
    """

    def __init__(self, p: Program, registers: Sequence[Register]) -> None:
        self.p = p
        self.registers = registers
        self._learning = False
        #: Steps at which each is needed, and all of them by step.
        self._uses: dict[Key, list[int]] = {}
        self._needed: list[list[Key]] = []
        self._begin()

    def _begin(self) -> None:
        self._held: dict[Key, Register] = {}
        self._free = list(self.registers)
        self._step, self._made = 0, False

    @contextmanager
    def learning(self) -> Iterator[None]:
        """What is asked for in the block will be asked for again after it, step by step."""
        self._learning = True
        yield
        self._learning = False
        self._begin()

    def step(self) -> None:
        """What comes now belongs to the next instruction."""
        self._step += 1
        if self._learning:
            return
        if not self._made:
            self._make_ahead()
        self._made = False

    def __call__(self, base: Register, offset: int) -> Register:
        """A register that holds `base` + `offset`."""
        if offset == 0:
            return base
        key = (base, offset)
        if self._learning:
            self._uses.setdefault(key, []).append(self._step)
            self._needed += [[] for _ in range(self._step + 1 - len(self._needed))]
            self._needed[self._step].append(key)
        if key in self._held:
            # The one used longest ago is the first.
            self._held[key] = self._held.pop(key)
        else:
            self._make(key)
            self._made = True
        return self._held[key]

    def _make(self, key: Key) -> None:
        if not self._free:
            self._free.append(self._held.pop(self._last_needed()))
        register = self._free.pop()
        self.p.add(register, *key)
        self._held[key] = register

    def _last_needed(self) -> Key:
        return max(self._held, key=self._next_use)

    def _next_use(self, key: Key) -> int:
        """The step at which it is needed next; those never needed again come last."""
        uses = self._uses.get(key, [])
        place = bisect_left(uses, self._step)
        return uses[place] if place < len(uses) else NEVER

    def _make_ahead(self) -> None:
        """Make an address of one of the next steps, if none that is needed before has to give way."""
        for step in range(self._step + 1, min(self._step + 1 + MADE_AHEAD, len(self._needed))):
            for key in self._needed[step]:
                if key in self._held or abs(key[1]) >= IMM18_LIMIT:
                    continue
                if not self._free and self._next_use(self._last_needed()) <= step:
                    return
                self._make(key)
                return
