"""Nothing is half added: every family is registered and has a case; every operator has its test and its docs.

What a new operator takes: docs/extending/operator.md.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

REPO = Path(__file__).parents[2]
WORKLOADS = REPO / "plena_ref" / "workloads"
KERNELS = REPO / "plena_ref" / "kernels"
#: The page with a row for each operator.
PAGE = "docs/kernels.md"


def unregistered(folder: Path, registered: set[str]) -> list[str]:
    """The families of a folder's files that are not registered; `SomethingProblem` is a base of families."""
    found = []
    for file in sorted(folder.glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if not isinstance(node, ast.ClassDef) or node.name.endswith("Problem"):
                continue
            is_family = any(ast.unparse(base).partition("[")[0].endswith("Problem") for base in node.bases)
            if is_family and node.name not in registered:
                found.append(f"{file.name} defines {node.name}, which FAMILIES of families.py does not have")
    return found


def operator_modules() -> Iterator[str]:
    """The modules of plena_ref.kernels that define an operator."""
    for file in sorted(KERNELS.rglob("*.py")):
        name = ".".join(file.relative_to(REPO).with_suffix("").parts)
        module = importlib.import_module(name)
        classes = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
        if any(
            not inspect.isabstract(one)
            and not getattr(one, "_is_protocol", False)
            and all(hasattr(one, method) for method in ("emit", "outputs", "scratch"))
            for one in classes
        ):
            yield name


def missing(modules: list[str], root: Path) -> list[str]:
    """What operators lack: the test of a mirrored name, and a word about them in the docs."""
    found = []
    page = (root / PAGE).read_text()
    for module in modules:
        source = module.replace(".", "/") + ".py"
        *folders, stem = module.split(".")[1:]
        test = "/".join(["tests", *folders, f"test_{stem}.py"])
        if not (root / test).exists():
            found.append(f"{source} has no test: {test}")
        if f"`{source}`" not in page:
            found.append(f"{source} has no row in {PAGE}")
    return found


def test_every_family_is_registered() -> None:
    from plena_ref.workloads.families import FAMILIES

    assert unregistered(WORKLOADS, {family.__name__ for family in FAMILIES}) == []


def test_every_family_has_a_case() -> None:
    from plena_ref.workloads.families import FAMILIES
    from plena_ref.workloads.registry import CASES

    present = {type(case.problem) for case in CASES.values()}
    lacking = [
        f"no case of KERNEL = {', '.join(family.kernels)}" for family in FAMILIES if family not in present
    ]
    assert lacking == []


def test_every_operator_has_its_test_and_its_row() -> None:
    assert missing(list(operator_modules()), REPO) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "silu.py").write_text("class Silu(Problem[SiluKernel]):\n    pass\n")
    assert unregistered(tmp_path, set()) == [
        "silu.py defines Silu, which FAMILIES of families.py does not have"
    ]
    (tmp_path / "docs").mkdir()
    (tmp_path / PAGE).write_text("nothing")
    assert missing(["plena_ref.kernels.attention.silu"], tmp_path) == [
        "plena_ref/kernels/attention/silu.py has no test: tests/kernels/attention/test_silu.py",
        "plena_ref/kernels/attention/silu.py has no row in docs/kernels.md",
    ]


def test_a_field_that_cannot_be_read_is_named() -> None:
    from plena_ref.workloads.base import Problem
    from plena_ref.workloads.overrides import problem_parsers

    @dataclass(frozen=True)
    class Odd(Problem):
        """A family whose field has a type that no command line can give."""

        sizes: tuple = ()
        kernels: ClassVar = {}

    with pytest.raises(TypeError, match=r"Odd.sizes: <class 'tuple'> cannot be parsed"):
        problem_parsers(Odd)
