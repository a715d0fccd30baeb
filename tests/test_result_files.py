"""The forms of the result files: the schemas are strict, and what commands leave keeps to them.

`result.json` is validated case by case in tb/system/test_cases.py, `stats.json` of `make run` in
tb/system/test_run_program.py, that of build directories in tests/peer/test_build_command.py, `report.json` in
tests/sweep/test_report.py.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from plena_ref.isa.assembler import assemble
from plena_ref.isa.counters import GROUPS
from plena_ref.isa.machine_code import write_program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import Registers
from plena_ref.run_command import run
from scripts import bench, result_document
from tb.system import schemas


def objects(schema: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object with fields in a schema, with its place."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            yield place, schema
        for key, value in schema.items():
            yield from objects(value, f"{place}.{key}")


def fields(content: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every field of a content, as the object that holds it and its key."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield content, key
            yield from fields(value)
    if isinstance(content, list):
        for value in content:
            yield from fields(value)


@pytest.fixture
def stats(tmp_path: Path) -> dict[str, Any]:
    write_program(tmp_path / "p.mem", assemble("S_ADDI_INT gp1, gp0, 7\nC_BREAK"))
    assert run(tmp_path / "p.mem", {}, tmp_path / "out", Hardware(8, 4)) == 0
    content: dict[str, Any] = json.loads((tmp_path / "out" / "stats.json").read_text())
    return content


@pytest.mark.parametrize("name", schemas.NAMES)
def test_schemas_say_every_field_and_no_other(name: str) -> None:
    schema = schemas.load(name)
    Draft202012Validator.check_schema(schema)
    for place, one in objects(schema):
        assert one["additionalProperties"] is False, place
        needed = set(one["required"]).union(*one.get("dependentRequired", {}).values())
        assert set(one["properties"]) - needed <= {"error_map"}, place


def test_the_page_is_up_to_date() -> None:
    stored = result_document.DOCUMENT.read_text(encoding="utf-8")
    assert stored == result_document.text(), "run `python -m scripts.result_document`"


def test_counters_and_registers_are_those_of_the_machine() -> None:
    parts = schemas.load("common")["$defs"]
    counters = {name: list(group["properties"]) for name, group in parts["counters"]["properties"].items()}
    assert counters == {group.name: group.names for group in GROUPS.values()}
    registers = parts["registers"]["properties"]
    for name, value in vars(Registers()).items():
        assert not isinstance(value, list) or registers[name]["maxItems"] == len(value)


def test_a_run_on_the_reference_machine(stats: dict[str, Any]) -> None:
    assert schemas.errors("stats", stats) == [] and stats["registers"]["gp"][1] == 7


def test_the_figures_of_the_bench() -> None:
    figures = [bench.Figure("build", 20.5, "s", 30, True), bench.Figure("speed", 9e4, "cycles/s", 1e5, False)]
    content = json.loads(json.dumps(bench.to_json(figures)))
    assert schemas.errors("bench", content) == []
    assert [figure["good"] for figure in content["figures"]] == [True, False]


def test_what_is_missing_changed_or_new_is_named(stats: dict[str, Any]) -> None:
    """Each field in turn."""
    for number, (_, key) in enumerate(fields(stats)):
        for change in ("missing", "changed"):
            broken = copy.deepcopy(stats)
            place, key = list(fields(broken))[number]
            place.update({key: {"odd": 1.5}})
            if change == "missing":
                del place[key]
            assert any(key in error for error in schemas.errors("stats", broken)), (change, key)
    assert schemas.errors("stats", {**stats, "new": 1}) != []
    assert schemas.errors("stats", {**stats, "schema": 2}) != []
