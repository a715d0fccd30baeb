"""The declared matrix: axes from matrix.toml, the cells they span, and the cells that no machine can run.

A cell is one case of plena_ref on one machine. Combinations that break a rule of the machine or of the kernel
are kept, with the rule.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product
from pathlib import Path

from plena_ref.machine.hardware import Hardware, HardwareError
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import Case, make_case
from tb.sweep import declaration, problems
from tb.sweep.declared_values import MatrixError, Table, length

#: The matrix of attention, which the project's permanent mutants are tried on too.
MATRIX_FILE = Path(__file__).with_name("matrix.toml")
#: Every matrix of this project, by what SET= calls it.
SETS = {"attention": MATRIX_FILE, "smolvlm2": Path(__file__).with_name("smolvlm2.toml")}

#: Two axes, each with a value.
Pair = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True)
class Cell:
    """One legal combination.

    Attributes:
        name: unique in the matrix, made of the axis values.
        values: axis name to value; seq in elements.
        case: what to run.
    """

    name: str
    values: Mapping[str, int | str] = field(hash=False)
    case: Case = field(hash=False)

    @property
    def machine(self) -> tuple[int, int]:
        """MLEN and BLEN: cells that agree in these share one model."""
        return self.case.hardware.mlen, self.case.hardware.blen

    @property
    def work(self) -> int:
        """Multiply-accumulates of all products, masked ones included."""
        return problems.products(self.case)


@dataclass(frozen=True)
class Illegal:
    """One combination that breaks a rule, which the message states."""

    name: str
    values: Mapping[str, int | str] = field(hash=False)
    rule: str


@dataclass(frozen=True)
class Matrix:
    """All combinations of a matrix file.

    Attributes:
        cells: the legal ones, in the order of the axes.
        illegal: the others.
        coinciding: combinations left out because another one has the same lengths (MLEN = 16 and 16, say).
        quick: the [quick] table.
        axes: names of the axes.
    """

    cells: tuple[Cell, ...]
    illegal: tuple[Illegal, ...]
    coinciding: int
    quick: Table
    axes: tuple[str, ...]

    @property
    def of_attention(self) -> bool:
        """Its cells are attention, not layers: permanent mutants are tried beside them."""
        return self.axes == declaration.AXES

    @cached_property
    def by_name(self) -> dict[str, Cell]:
        """The legal cells by name."""
        return {cell.name: cell for cell in self.cells}

    def slice(self, wanted: Mapping[str, Sequence[str]]) -> tuple[Cell, ...]:
        """The cells whose value on each axis of `wanted` is one of its values, which are text.

        A value of SEQ may be written with MLEN, as in the matrix file.

        Raises:
            MatrixError: an axis or a value that no cell has, or values that no cell has together.
        """
        for axis, values in wanted.items():
            if axis not in self.axes:
                raise MatrixError(f"{axis.upper()} is no axis; there are {', '.join(self.axes).upper()}")
            for value in values:
                if not any(_has(cell, axis, value) for cell in self.cells):
                    known = ", ".join(dict.fromkeys(str(cell.values[axis]) for cell in self.cells))
                    raise MatrixError(f"no legal cell has {axis.upper()}={value}; there are {known}")
        chosen = tuple(cell for cell in self.cells if _matches(cell, wanted))
        if not chosen:
            rules = sorted({cell.rule for cell in self.illegal if _matches(cell, wanted)})
            text = " ".join(f"{axis.upper()}={','.join(values)}" for axis, values in wanted.items())
            raise MatrixError("; ".join([f"no legal cell has {text}", *rules]))
        return chosen

    def quick_cells(self) -> tuple[Cell, ...]:
        """The cells for every test run: those that add most new pairs of axis values, the cheapest first."""
        machines = [tuple(machine) for machine in self.quick["machines"]]
        limit = self.quick["work"] * 10**6
        left = {
            machine: [cell for cell in self.cells if cell.machine == machine and cell.work <= limit]
            for machine in machines
        }
        seen: set[Pair] = set()
        chosen: list[Cell] = []
        for number in range(self.quick["cells"]):
            candidates = left[machines[number % len(machines)]]
            if not candidates:
                continue
            best = max(candidates, key=lambda cell: (len(_pairs(cell) - seen), -cell.work))
            candidates.remove(best)
            seen |= _pairs(best)
            chosen.append(best)
        return tuple(sorted(chosen, key=self.cells.index))


def _matches(cell: Cell | Illegal, wanted: Mapping[str, Sequence[str]]) -> bool:
    return all(any(_has(cell, axis, value) for value in values) for axis, values in wanted.items())


def _has(cell: Cell | Illegal, axis: str, value: str) -> bool:
    if axis == "seq" and "MLEN" in value:
        return cell.values[axis] == length(value, int(cell.values["mlen"]))
    return str(cell.values[axis]) == value


def _pairs(cell: Cell) -> set[Pair]:
    """Pairs of axis values, seq relative to the tile as the matrix file writes it."""
    return set(combinations([*cell.values.items(), ("tile", _relative(cell))], 2))


def _relative(cell: Cell) -> str:
    seq, mlen = problems.problem_of(cell.case).seq, cell.case.hardware.mlen
    return f"{seq // mlen}*MLEN+{seq % mlen}" if seq % mlen in (0, 1, 3, mlen - 1) else "other"


def load(file: Path = MATRIX_FILE) -> Matrix:
    """Read a matrix file.

    Raises:
        MatrixError: something in it is missing or cannot be understood.
    """
    try:
        return parse(file.read_text())
    except UnicodeDecodeError:
        raise MatrixError(f"{file}: no text") from None
    except MatrixError as error:
        raise MatrixError(f"{file}: {error}") from None


def parse(text: str) -> Matrix:
    """The matrix that the text of a matrix file declares.

    Raises:
        MatrixError: something in it is missing, unknown, or cannot be understood.
    """
    matrix = _expand(declaration.read(text))
    machines = {cell.machine for cell in matrix.cells}
    for machine in matrix.quick["machines"]:
        if tuple(machine) not in machines:
            raise MatrixError(f"quick.machines: no legal cell has MLEN={machine[0]} and BLEN={machine[1]}")
    return matrix


def _expand(declared: Table) -> Matrix:
    cells: dict[str, Cell] = {}
    illegal: dict[str, Illegal] = {}
    coinciding = 0
    names = declaration.axes_of(declared)
    for axes in (declared["axes"], *declared.get("extra", ())):
        for values in _combinations(axes, names):
            name = _name(values)
            if name in cells or name in illegal:
                coinciding += 1
                continue
            try:
                cells[name] = Cell(name, values, _case(declared, name, values))
            except (HardwareError, CaseError) as error:
                illegal[name] = Illegal(name, values, _rule(error, name))
    return Matrix(tuple(cells.values()), tuple(illegal.values()), coinciding, declared["quick"], names)


def _combinations(axes: Table, names: Sequence[str]) -> Iterator[Table]:
    for combination in product(*(axes[axis] for axis in names)):
        values = dict(zip(names, combination, strict=True))
        yield {**values, "seq": length(values["seq"], values["mlen"])}


def _name(values: Table) -> str:
    form = "mlen{mlen}-blen{blen}-batch{batch}-seq{seq}"
    return (form + ("-{layer}" if "layer" in values else "-hd{head_dim}-{mask}")).format(**values)


def _rule(error: ValueError, name: str) -> str:
    """The rule without the cell's name and values: cells that break the same one are counted together."""
    return str(error).removeprefix(f"{name}: ").split(" (got ")[0]


def _case(declared: Table, name: str, values: Table) -> Case:
    problem = _layer(declared, values) if "layer" in values else _attention(declared, values)
    return make_case(
        name,
        hardware=Hardware.of({"mlen": values["mlen"], "blen": values["blen"], **_memories(declared, values)}),
        batch=values["batch"],
        seq=values["seq"],
        seed=zlib.crc32(name.encode()),
        sigma=declared["inputs"]["sigma"],
        **problem,
    )


def _memories(declared: Table, values: Table) -> dict[str, int]:
    memories, mlen = declared["memories"], values["mlen"]
    own = memories.get(f"{mlen}/{values['blen']}", memories.get(str(mlen)))
    if own is None:
        raise MatrixError(f"'memories.{mlen}' is missing")
    sizes: dict[str, int] = own
    return sizes


def _attention(declared: Table, values: Table) -> Table:
    """The fields of a problem of attention that its mask, its heads and their width decide."""
    mask = declared["masks"][values["mask"]]
    return {
        "kv_seq": values["seq"] + length(mask["cache"], values["mlen"]),
        "heads": declared["heads"][str(values["batch"])],
        "head_dim": values["head_dim"],
        "causal": mask["causal"],
    }


def _layer(declared: Table, values: Table) -> Table:
    """The kernel of a layer, its model and what its caches hold."""
    return dict(declared["layers"][values["layer"]])
