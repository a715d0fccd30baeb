"""A strict front end over the RTL, pyslang, and the rules of this project that it can check.

``python -m scripts.rtl_rules`` prints what the front end says and every breach of a rule, and exits 1 if
there is any; it is part of ``python -m scripts.lint``. The rules are named in docs/assertions.md, "Rules".
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from pyslang import ast, driver

from tb.bench import command, options
from tb.engine.paths import ASSERTIONS, INCLUDES, REPO, rtl_sources

#: Warnings that do not count, each with its reason.
WAIVED = {
    "useless-cast": "a cast that does nothing in one shape of the machine is needed in another",
    "misleading-indentation": "verible's formatter indents the body of a loop without begin like this",
}
#: Signals that give a register its value before a program begins.
RESETS = frozenset({"rst", "flush", "init", "clear"})
#: Signals of the assertions' own: rtl/assertions.svh.
_OWN = frozenset({"assert_armed"})
#: Lines of a file at most, and the files that may have more, each with its reason.
LINES = 400
LONGER = {
    "rtl/matrix/matrix_unit.sv": "connections of its parts",
    "rtl/plena_pkg.sv": "generated: all that follows from the table of the instruction set, in one package",
    "rtl/plena_core.sv": "connections only: the units and what goes between them",
}
_GENERATED = ("rtl/plena_pkg.sv",)
_HEADER = re.compile(
    r"//[^\n]+\n//[^\n]+\n// Specified in [^\n]+\n`timescale 1ns / 1ps\n`default_nettype none\n"
)
_PARTS = (ast.ElementSelectExpression, ast.RangeSelectExpression, ast.MemberAccessExpression)


@dataclass(frozen=True)
class Write:
    """One assignment in a process.

    Attributes:
        target: the variable.
        read: names on the right side.
        conditions: names in each condition on its way, and whether it stands where the condition holds.
    """

    target: ast.ValueSymbol
    read: frozenset[str]
    conditions: tuple[tuple[frozenset[str], bool], ...]

    @property
    def resets(self) -> bool:
        """A reset reaches it whatever else is true, and decides what it writes."""
        reached = all(holds and names & RESETS for names, holds in self.conditions)
        return reached and bool(self.conditions or self.read & RESETS)


@dataclass(frozen=True)
class Register:
    """A variable that a clocked process writes.

    Attributes:
        module: where it is.
        name: what it is called there.
        memory: it is an array of words.
        port: it is an output of the module.
        reset: a signal of RESETS gives it a value.
    """

    module: str
    name: str
    memory: bool
    port: bool
    reset: bool


@cache
def _front_end(root: Path) -> driver.Driver:
    """The front end with every source of the core read as one unit."""
    front_end = driver.Driver()
    front_end.addStandardArgs()
    files = " ".join(str(root / source) for source in rtl_sources(root))
    waivers = " ".join(f"-Wno-{name}" for name in WAIVED)
    folders = " ".join(f"-I {root / folder}" for folder in INCLUDES)
    arguments = f"slang --single-unit --top plena_core -Wextra {waivers} -Werror {folders} {files}"
    if not (
        front_end.parseCommandLine(arguments) and front_end.processOptions() and front_end.parseAllSources()
    ):
        raise ValueError("the front end cannot read the sources")
    return front_end


@cache
def _elaborated(root: Path) -> tuple[ast.Compilation, list[ast.ProceduralBlockSymbol]]:
    """The elaborated core, and its processes, which live as long as it does."""
    compilation = _front_end(root).createCompilation()
    found: list[ast.ProceduralBlockSymbol] = []

    def collect(node: object) -> None:
        if isinstance(node, ast.ProceduralBlockSymbol):
            found.append(node)

    compilation.getRoot().visit(collect)
    return compilation, found


def _processes(root: Path) -> list[ast.ProceduralBlockSymbol]:
    """Every process of the elaborated core."""
    return _elaborated(root)[1]


def _module_of(symbol: ast.Symbol) -> str:
    """The name of the module that a symbol is in."""
    return symbol.declaringDefinition.name


class _Tree(Protocol):
    """An expression or statement."""

    def visit(self, f: Callable[[object], None]) -> object:
        """Call `f` on every part."""


def _named(expression: _Tree) -> Iterator[ast.ValueSymbol]:
    """Every variable that an expression or statement names."""
    found: list[ast.ValueSymbol] = []

    def collect(node: object) -> None:
        if isinstance(node, (ast.NamedValueExpression, ast.HierarchicalValueExpression)):
            found.append(node.symbol)

    expression.visit(collect)
    return iter(found)


def _targets(expression: ast.Expression) -> Iterator[ast.ValueSymbol]:
    """The variables that the left side of an assignment writes."""
    if isinstance(expression, ast.ConcatenationExpression):
        for part in expression.operands:
            yield from _targets(part)
    elif isinstance(expression, _PARTS):
        yield from _targets(expression.value)
    elif isinstance(expression, (ast.NamedValueExpression, ast.HierarchicalValueExpression)):
        yield expression.symbol


def _writes(statement: object, conditions: tuple[tuple[frozenset[str], bool], ...] = ()) -> Iterator[Write]:
    """What a statement assigns."""
    if isinstance(statement, ast.BlockStatement):
        yield from _writes(statement.body, conditions)
    elif isinstance(statement, ast.StatementList):
        for one in statement.list:
            yield from _writes(one, conditions)
    elif isinstance(statement, ast.TimedStatement):
        yield from _writes(statement.stmt, conditions)
    elif isinstance(statement, ast.ForLoopStatement):
        yield from _writes(statement.body, conditions)
    elif isinstance(statement, ast.ConditionalStatement):
        tested = frozenset(symbol.name for one in statement.conditions for symbol in _named(one.expr))
        yield from _writes(statement.ifTrue, (*conditions, (tested, True)))
        if statement.ifFalse is not None:
            yield from _writes(statement.ifFalse, (*conditions, (tested, False)))
    elif isinstance(statement, ast.CaseStatement):
        tested = frozenset(symbol.name for symbol in _named(statement.expr))
        choices = [item.stmt for item in statement.items]
        for choice in [*choices, *([statement.defaultCase] if statement.defaultCase is not None else [])]:
            yield from _writes(choice, (*conditions, (tested, False)))
    elif isinstance(statement, ast.ExpressionStatement) and isinstance(
        statement.expr, ast.AssignmentExpression
    ):
        read = frozenset(symbol.name for symbol in _named(statement.expr.right))
        for symbol in _targets(statement.expr.left):
            yield Write(symbol, read, conditions)


def registers(root: Path = REPO) -> list[Register]:
    """Every register and memory of the core, sorted; one written in several places is there once."""
    found: dict[tuple[str, str], Register] = {}
    for process in _processes(root):
        if process.procedureKind != ast.ProceduralBlockKind.AlwaysFF:
            continue
        ports = {port.name for port in process.parentScope.containingInstance.portList}
        for write in _writes(process.body):
            symbol = write.target
            if _is_local(symbol) or symbol.name in _OWN:
                continue
            key = (_module_of(process), symbol.name)
            before = found.get(key)
            found[key] = Register(
                *key,
                memory=symbol.type.isUnpackedArray,
                port=symbol.name in ports,
                reset=write.resets or (before is not None and before.reset),
            )
    return [found[key] for key in sorted(found)]


def _names(root: Path) -> Iterator[str]:
    """A register ends in _q, and nothing else does; memories and outputs are called after what they hold."""
    clocked = registers(root)
    for one in clocked:
        if not (one.memory or one.port or one.name.endswith("_q")):
            yield f"{one.module}: register {one.name} does not end in _q"
    known = {(one.module, one.name) for one in clocked}
    for process in _combinational(root):
        for write in _writes(process.body):
            symbol = write.target
            key = (_module_of(process), symbol.name)
            if symbol.name.endswith("_q") and key not in known:
                yield f"{key[0]}: {symbol.name} ends in _q and is no register"


def _combinational(root: Path) -> Iterator[ast.ProceduralBlockSymbol]:
    return (one for one in _processes(root) if one.procedureKind == ast.ProceduralBlockKind.AlwaysComb)


def _reads_itself(root: Path) -> Iterator[str]:
    """A combinational process reads no module variable that it writes: Icarus might never come to rest."""
    found = set()
    for process in _combinational(root):
        written = {one.target.name for one in _writes(process.body) if not _is_local(one.target)}
        for name in written & _reads(process.body):
            found.add(f"{_module_of(process)}: {name} is read by the process that makes it")
    return iter(sorted(found))


def _is_local(symbol: ast.Symbol) -> bool:
    """It is a variable of a process, not of a module."""
    return symbol.parentScope.isProceduralContext


def _reads(statement: ast.Statement) -> set[str]:
    """The names on the right sides and in the conditions of a statement."""
    found: set[str] = set()

    def collect(node: object) -> None:
        if isinstance(node, ast.AssignmentExpression):
            found.update(symbol.name for symbol in _named(node.right))
        elif isinstance(node, ast.ConditionalStatement):
            found.update(symbol.name for one in node.conditions for symbol in _named(one.expr))
        elif isinstance(node, ast.CaseStatement):
            found.update(symbol.name for symbol in _named(node.expr))

    statement.visit(collect)
    return found


def _gates_itself(root: Path) -> Iterator[str]:
    """A register without reset does not decide whether it is written: unknown once, it would stay so."""
    free = {(one.module, one.name) for one in registers(root) if not one.reset and not one.memory}
    found = set()
    for process in _processes(root):
        for write in _writes(process.body):
            key = (_module_of(process), write.target.name)
            if key in free and any(write.target.name in names for names, _ in write.conditions):
                found.add(f"{key[0]}: {key[1]} has no reset and is a condition of its own writes")
    return iter(sorted(found))


def _texts(root: Path) -> Iterator[str]:
    """Files open with what they are, their timing, and where that is specified; every port has a comment."""
    for source in rtl_sources(root):
        text = (root / source).read_text()
        lines = text.count("\n")
        if lines > LINES and source not in LONGER:
            yield f"{source}: {lines} lines, more than {LINES}"
        if source == ASSERTIONS or source in _GENERATED:
            continue
        if _HEADER.match(text) is None:
            yield f"{source}: does not open with three lines: what it is, its timing, where it is specified"
        for header in re.findall(r"^module \w+.*?^\);", text, re.MULTILINE | re.DOTALL):
            for port in re.split(r"^ +(?=input |output |parameter )", header, flags=re.MULTILINE)[1:]:
                if "//" not in port:
                    yield f"{source}: no comment beside `{' '.join(port.split())}`"


def breaches(root: Path = REPO) -> list[str]:
    """Every breach of a rule."""
    return [*_names(root), *_reads_itself(root), *_gates_itself(root), *_texts(root)]


def main(arguments: list[str]) -> int:
    """Print what is wrong."""
    options.refuse_all(arguments)
    found = breaches()
    for breach in found:
        print(breach)
    clean = _front_end(REPO).runFullCompilation(quiet=True)
    return 0 if clean and not found else 1


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
