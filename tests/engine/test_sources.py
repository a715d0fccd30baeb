"""The key of stored results: it follows from imports and declared files, so nothing can be left out of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb.engine import sources
from tb.engine.paths import REPO

#: What runs one unit of the sweep: its cells and its mutants.
ENTRIES = ["tb.sweep.cell", "tb.sweep.mutant"]

TREE = {
    "tb/__init__.py": "",
    "tb/part/__init__.py": "from tb.part import base\n",
    "tb/part/base.py": "",
    "tb/part/entry.py": "from tb.part.near import thing\nfrom . import relative\nimport numpy\n",
    "tb/part/near.py": 'DATA_FILES = ("rtl/**/*.sv",)\ndef thing():\n    import plena_ref.inside\n',
    "tb/part/relative.py": "from ..other import deep\n",
    "tb/part/unused.py": "",
    "tb/other/__init__.py": "",
    "tb/other/deep.py": "",
    "plena_ref/__init__.py": "",
    "plena_ref/inside.py": "",
    "rtl/core/top.sv": "",
    "rtl/notes.md": "",
}
OUTSIDE = {"tb/part/unused.py", "rtl/notes.md"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project with every way of importing."""
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", TREE)
def test_the_hash_changes_with_what_is_imported_and_with_nothing_else(name: str, tree: Path) -> None:
    before = sources.sources_hash(["tb.part.entry"], tree)
    (tree / name).write_text(TREE[name] + "\n# changed\n")
    assert (sources.sources_hash(["tb.part.entry"], tree) == before) == (name in OUTSIDE)


def test_a_new_file_that_a_declaration_matches_counts(tree: Path) -> None:
    before = sources.sources_hash(["tb.part.entry"], tree)
    (tree / "rtl" / "core" / "more.sv").write_text("")
    assert sources.sources_hash(["tb.part.entry"], tree) != before


def test_what_is_not_there_is_named(tree: Path) -> None:
    with pytest.raises(sources.SourcesError, match=r"no module tb\.part\.nowhere"):
        sources.sources(["tb.part.nowhere"], tree)
    (tree / "rtl" / "core" / "top.sv").unlink()
    with pytest.raises(sources.SourcesError, match=r"tb\.part\.near: DATA_FILES names rtl/\*\*/\*\.sv"):
        sources.sources(["tb.part.entry"], tree)


def test_every_source_of_a_unit_of_the_sweep_changes_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a copy of this tree: each file of the unit changes the hash, all others together do not."""
    for part in ("plena_ref", "rtl", "scripts", "tb"):
        shutil.copytree(REPO / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    listed = sources.sources(ENTRIES, tmp_path)
    inside = {str(file) for file in listed}
    needed = {"tb/bench/utilisation.py", "tb/bench/plena_tb.sv", "tb/engine/main.cpp"}
    assert needed <= inside
    before = sources.sources_hash(ENTRIES, tmp_path)
    for file in tmp_path.rglob("*"):
        if file.suffix in (".py", ".sv", ".cpp", ".h") and file.relative_to(tmp_path) not in listed:
            file.write_text(file.read_text() + "\n")
    assert sources.sources_hash(ENTRIES, tmp_path) == before
    # An empty line changes no import: the list is made once.
    monkeypatch.setattr(sources, "sources", lambda *_: listed)
    for name in listed:
        with (tmp_path / name).open("a") as file:
            file.write("\n")
        after = sources.sources_hash(ENTRIES, tmp_path)
        assert after != before, name
        before = after
    assert not any(name.startswith(("scripts/", "tb/unit/", "tests/")) for name in inside), inside


def test_what_is_loaded_at_run_time_was_found_in_the_text() -> None:
    """Importing the entries loads no module of the project that the search did not see."""
    program = f"import {', '.join(ENTRIES)}, sys, json; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, check=True).stdout
    loaded = [name for name in json.loads(output) if name.split(".")[0] in sources.PROJECT]
    found = {str(file) for file in sources.sources(ENTRIES)}
    for name in loaded:
        path = name.replace(".", "/")
        assert {f"{path}.py", f"{path}/__init__.py"} & found, name


def test_the_key_covers_the_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sources.result_key(ENTRIES)
    versions = sources.tool_versions()
    assert set(versions) == {"python", "numpy", "ml_dtypes", "verilator", "cocotb", "g++"}
    assert all(versions.values())
    for name in versions:
        monkeypatch.setattr(sources, "tool_versions", lambda name=name: versions | {name: "other"})
        assert sources.result_key(ENTRIES) != before, name
