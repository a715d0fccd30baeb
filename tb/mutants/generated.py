"""Faults made from the source itself: every small change of every function that places or cuts up tensors.

A change is one of those that people make: a constant or a bound off by one, a sign or an operation
exchanged, min for max, a comparison that takes or leaves its edge, a case that is always or never taken, a
term forgotten, a division that rounds the other way. Checks that only raise, and messages, are left alone:
unit tests hold them.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tb.engine.paths import REPO

#: Tiling, layout and the placement of operands: what decides which element a kernel works on.
PLACEMENT_FILES = (
    "plena_ref/kernels/attention/tiling.py",
    "plena_ref/kernels/attention/operands.py",
    "plena_ref/kernels/attention/shape.py",
    "plena_ref/kernels/attention/constants.py",
    "plena_ref/kernels/layout/allocators.py",
    "plena_ref/kernels/layout/batched.py",
    "plena_ref/kernels/layout/hbm.py",
    "plena_ref/kernels/layout/rules.py",
    "plena_ref/kernels/layout/vram.py",
)

_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Mod: "//",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
}


@dataclass(frozen=True)
class GeneratedMutant:
    """One fault in the text of one function.

    Attributes:
        name: file, function, and the line with the fault.
        file: repository-relative path.
        function: qualified name of the function.
        start, stop: which characters of the file are replaced.
        new: by what.
    """

    name: str
    file: str
    function: str
    start: int
    stop: int
    new: str

    def apply(self, text: str) -> str:
        """The text of the file with the fault in it."""
        return text[: self.start] + self.new + text[self.stop :]


def generate(root: Path = REPO, files: tuple[str, ...] = PLACEMENT_FILES) -> list[GeneratedMutant]:
    """Every fault of every function of the files, in the order of their text; names are unique."""
    found: list[GeneratedMutant] = []
    names: Counter[str] = Counter()
    for file in files:
        text = (root / file).read_text()
        for function, node in _functions(ast.parse(text), ""):
            for start, stop, new in _changes(node, text):
                changed = text[:start] + new + text[stop:]
                name = f"{Path(file).stem}.{function}: {_line(changed, start)}"
                names[name] += 1
                if names[name] > 1:
                    name = f"{name} ({names[name]})"
                found.append(GeneratedMutant(name, file, function, start, stop, new))
    return found


def functions(root: Path = REPO, files: tuple[str, ...] = PLACEMENT_FILES) -> list[str]:
    """`stem.qualified name` of every function of the files in which there is something to change."""
    return list(dict.fromkeys(f"{Path(m.file).stem}.{m.function}" for m in generate(root, files)))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")


def _line(text: str, position: int) -> str:
    first = text.rfind("\n", 0, position) + 1
    return text[first : text.find("\n", position)].strip()


def _changes(function: ast.FunctionDef, text: str) -> Iterator[tuple[int, int, str]]:
    """(start, stop, replacement) of each fault of a function."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    for node in _walk(function.body):
        if isinstance(node, ast.expr):
            start, stop = place(node)
            for new in _replacements(node, lambda part: text[slice(*place(part))]):
                yield start, stop, new


def _walk(nodes: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes but those of checks that only raise, of messages and of documentation."""
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop(0)
        guard = isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise)
        if guard or isinstance(node, ast.Raise | ast.JoinedStr):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        waiting = [*ast.iter_child_nodes(node), *waiting]


def _replacements(node: ast.expr, source: Callable[[ast.expr], str]) -> Iterator[str]:
    """What may stand in the place of an expression; `source` gives the text of a part of it."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield str(node.value + 1)
    elif (parts := _ceiling(node)) is not None:
        yield f"({source(parts[0])}) // ({source(parts[1])})"
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = source(node.left), source(node.right)
        yield f"({left}) {_OPERATIONS[type(node.op)]} ({right})"
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
            yield f"({left})"
            yield f"({right})"
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = source(node.left), source(node.comparators[0])
        yield f"({left}) {_COMPARISONS[type(node.ops[0])]} ({right})"
    elif isinstance(node, ast.BoolOp):
        word = " or " if isinstance(node.op, ast.And) else " and "
        yield word.join(f"({source(value)})" for value in node.values)
    elif isinstance(node, ast.IfExp):
        yield f"({source(node.body)})"
        yield f"({source(node.orelse)})"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
        arguments = ", ".join(source(argument) for argument in node.args)
        yield f"{'max' if node.func.id == 'min' else 'min'}({arguments})"
        for argument in node.args:
            yield f"({source(argument)})"


def _ceiling(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """The parts a and b of the idiom -(-a // b), or None for anything else."""
    match node:
        case ast.UnaryOp(ast.USub(), ast.BinOp(ast.UnaryOp(ast.USub(), left), ast.FloorDiv(), right)):
            return left, right
    return None
