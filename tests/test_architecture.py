"""Which part of the project may import which, so that nothing judges itself: held by the imports as written.

The golden, the models of roundings and the verdict see neither a kernel nor a workload, directly or through
others. All imports count, those inside functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tb.engine.sources import imported

REPO = Path(__file__).parents[1]
PACKAGE = "plena_ref"

#: What each folder may import besides itself. The graph of this table has no cycle.
MAY_IMPORT: dict[str, set[str]] = {
    "configs": set(),
    "isa": set(),
    "machine": {"isa"},
    "golden": {"machine"},
    "analysis": {"golden", "machine"},
    "verdict": {"golden", "machine"},
    "kernels": {"configs", "isa", "machine"},
    "models": {"configs", "golden", "kernels", "machine"},
    "workloads": {"analysis", "configs", "golden", "kernels", "machine", "models", "verdict"},
    "__main__": {"isa", "machine", "run_command"},
    "run_command": {"isa", "machine"},
    "notebook": {"isa", "machine", "verdict", "workloads"},
    "error_analysis": {"analysis", "machine", "verdict", "workloads"},
}
#: What judges, and what it must not depend on by any path.
JUDGES, JUDGED = ("golden", "analysis", "verdict"), ("kernels", "workloads")
#: What the package offers to people, and the page that says so: nothing in the repository needs it.
OFFERED = {
    "attention_cycles": "performance.md",
    "remap_rows": "kernels.md",
    "step_to": "notebook.md",
}
#: Folders of the repository that use the package; the package knows none of them.
USERS = ("tb", "tests", "scripts")


def folder_of(module: str) -> str:
    """The part of the package that a module belongs to: a.b.c to b."""
    return module.split(".")[1] if "." in module else ""


def edges(root: Path = REPO) -> Iterator[tuple[Path, str, str]]:
    """(file, folder it lies in, folder it imports) for every import inside the package."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        for module in imported(file.read_text(), ".".join(parts[:-1])):
            if module.split(".")[0] == PACKAGE and parts[1] != "__init__":
                yield file, parts[1], folder_of(module)


def broken(found: Iterator[tuple[Path, str, str]], allowed: Mapping[str, set[str]]) -> list[str]:
    """The imports that the table does not allow."""
    return [
        f"{file.relative_to(REPO)} imports {PACKAGE}.{target}"
        for file, source, target in found
        if source != target and target not in allowed[source]
    ]


def reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    """Everything that `start` depends on, itself only where there is a cycle."""
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        folder = waiting.pop()
        if folder not in found:
            found.add(folder)
            waiting += graph.get(folder, ())
    return found


def test_every_folder_has_its_line() -> None:
    parts = {path.stem for path in (REPO / PACKAGE).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__pycache__"} == set(MAY_IMPORT)


def test_imports_are_those_of_the_table() -> None:
    assert broken(edges(), MAY_IMPORT) == []


def test_the_table_is_used() -> None:
    """A permission that nothing needs is taken back."""
    used = {(source, target) for _, source, target in edges() if source != target}
    assert {(source, target) for source, targets in MAY_IMPORT.items() for target in targets} == used


def test_no_folder_depends_on_itself() -> None:
    for folder in MAY_IMPORT:
        assert folder not in reachable(folder, MAY_IMPORT), folder


@pytest.mark.parametrize("judge", JUDGES)
def test_what_judges_does_not_depend_on_what_it_judges(judge: str) -> None:
    graph: dict[str, set[str]] = {}
    for _, source, target in edges():
        graph.setdefault(source, set()).add(target)
    assert not reachable(judge, graph) & set(JUDGED)


def test_the_package_knows_none_of_its_users() -> None:
    for file in (REPO / PACKAGE).rglob("*.py"):
        roots = {module.split(".")[0] for module in imported(file.read_text(), PACKAGE)}
        assert not roots & set(USERS), file


def test_a_forbidden_import_is_found(tmp_path: Path) -> None:
    """Wherever it stands: at the top, in a function, relative, or for type checkers only."""
    texts = (
        "from plena_ref.kernels.attention.tiling import query_tiles",
        "import plena_ref.kernels.tiling",
        "def f():\n    from plena_ref.kernels.attention import tiling",
        "from ..kernels import tiling",
        "if TYPE_CHECKING:\n    from plena_ref.kernels.attention.tiling import QueryTile",
        "from plena_ref import kernels",
    )
    for text in texts:
        folders = {folder_of(module) for module in imported(text, "plena_ref.golden")}
        assert folders == {"kernels"}, text
        assert broken(iter([(REPO / "plena_ref/golden/x.py", "golden", "kernels")]), MAY_IMPORT)


# The bench: engine, then bench, then what runs on it. Scripts and tests stand above all of it.

#: What each folder of tb may import of tb besides itself.
BENCH_MAY_IMPORT: dict[str, set[str]] = {
    "engine": set(),
    "bench": {"diagnosis", "engine", "report", "runs"},
    "chat": {"bench", "engine"},
    "fuzz": set(),
    "mutants": {"bench", "engine"},
    "peer": {"bench", "engine"},
    "sweep": {"bench", "engine", "mutants", "report"},
    "diagnosis": set(),
    "oracle": set(),
    "report": {"diagnosis"},
    "runs": set(),
    "unit": {"bench", "engine", "mutants", "oracle"},
    "system": {"bench", "diagnosis", "engine", "fuzz", "mutants", "peer", "sweep", "unit"},
}
#: What is above the bench: nothing in tb imports it.
ABOVE = ("scripts", "tests")


def bench_faults(root: Path = REPO) -> list[str]:
    """The imports in tb and scripts that go upward, or to a folder that the table does not allow."""
    found = []
    for file in sorted((root / "tb").rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        name = str(file.relative_to(root))
        for module in sorted(imported(file.read_text(), ".".join(parts[:-1]))):
            top, folder = module.split(".")[0], folder_of(module)
            upward = top in ABOVE
            aside = top == "tb" and folder != parts[1] and folder not in BENCH_MAY_IMPORT[parts[1]]
            if len(parts) > 2 and (upward or aside):
                found.append(f"{name} imports {module}")
    for file in sorted((root / "scripts").rglob("*.py")):
        modules = imported(file.read_text(), "scripts")
        found += [f"{file.relative_to(root)} imports {name}" for name in modules if name.startswith("tests")]
    return found


def test_no_edge_of_the_bench_goes_upward() -> None:
    assert bench_faults() == []


def test_every_folder_of_the_bench_has_its_line() -> None:
    folders = {file.relative_to(REPO).parts[1] for file in (REPO / "tb").rglob("*.py")} - {"__init__.py"}
    assert folders == set(BENCH_MAY_IMPORT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tb/bench/x.py", "from scripts import run_case"),
        ("tb/mutants/x.py", "def f():\n    import tests.exact"),
        ("tb/engine/x.py", "from tb.bench import harness"),
        ("tb/bench/x.py", "from ..mutants import table"),
        ("scripts/x.py", "from tests import exact"),
    ],
)
def test_an_upward_edge_is_found(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    (found,) = bench_faults(tmp_path)
    assert found.startswith(f"{name} imports ")


# Nothing in the package is there for tests only.


def names_used(root: Path) -> set[str]:
    """Every identifier and attribute in the sources that are no tests, but for definitions.

    The models beside the RTL's units (cocotb_*.py) are users of the package's arithmetic.
    """
    used: set[str] = set()
    for file in root.rglob("*.py"):
        if file.name.startswith("test_") or file.is_relative_to(root / "tests"):
            continue
        if any(part in (".venv", "build") for part in file.relative_to(root).parts):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
    return used


def public_definitions(root: Path) -> Iterator[tuple[str, str]]:
    """(file, name) of every public function, class, method and property of the package."""
    for file in sorted((root / PACKAGE).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield str(file.relative_to(root)), node.name


def test_nothing_in_the_package_is_for_tests_only() -> None:
    used = names_used(REPO) | set(OFFERED)
    assert [where for where in public_definitions(REPO) if where[1] not in used] == []


@pytest.mark.parametrize(("name", "page"), OFFERED.items())
def test_what_is_offered_to_people_is_documented(name: str, page: str) -> None:
    assert name in (REPO / "docs" / page).read_text()
    assert name not in names_used(REPO)


def test_the_oracle_of_arithmetic_knows_integers_and_rationals_only() -> None:
    for file in (REPO / "tb" / "oracle").rglob("*.py"):
        roots = {module.split(".")[0] for module in imported(file.read_text(), "tb.oracle")}
        assert roots <= {"__future__", "collections", "dataclasses", "fractions", "math", "tb"}, file
