"""A matrix file, read and checked: every key is known, every value has its type, nothing is missing."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from plena_ref.machine.hardware import Hardware

AXES = ("mlen", "blen", "batch", "seq", "head_dim", "mask")
_LENGTH = re.compile(r"(?:(\d+)\*)?MLEN([+-]\d+)?")
#: What a machine may declare; the shape itself comes from the axes.
_MEMORIES = tuple(
    field.name
    for field in fields(Hardware)
    if field.name not in ("mlen", "blen") and not isinstance(field.default, str)
)


class MatrixError(ValueError):
    """A matrix file or a slice that cannot be understood; the message names the culprit."""


def length(value: int | str, mlen: int) -> int:
    """The elements that `value`, a number or a*MLEN+b, means on a machine.

    Raises:
        MatrixError: it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _LENGTH.fullmatch(str(value))
    if not found:
        raise MatrixError(f"{value!r} is no length: a number, or a*MLEN+b")
    return int(found[1] or 1) * mlen + int(found[2] or 0)


def read(text: str) -> dict[str, Any]:
    """The tables of a matrix file.

    Raises:
        MatrixError: the text is no TOML, a key is missing or unknown, or a value has the wrong type.
    """
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MatrixError(str(error)) from None
    _keys(declared, "", ("axes", "masks", "heads", "inputs", "memories", "quick"), ("extra",))
    masks = _table(declared, "masks")
    for name, mask in masks.items():
        where = f"masks.{name}"
        _keys(_table(masks, name, "masks."), where, ("causal", "cache"))
        _expect(isinstance(mask["causal"], bool), f"{where}.causal", mask["causal"], "true or false")
        _expect_length(f"{where}.cache", mask["cache"])
    for batch, heads in _table(declared, "heads").items():
        _expect_count(f"heads.{batch}", heads)
    _keys(_table(declared, "inputs"), "inputs", ("sigma",))
    sigma = declared["inputs"]["sigma"]
    good = (
        isinstance(sigma, int | float) and not isinstance(sigma, bool) and math.isfinite(sigma) and sigma > 0
    )
    _expect(good, "inputs.sigma", sigma, "a positive number")
    memories = _table(declared, "memories")
    for name in memories:
        _keys(_table(memories, name, "memories."), f"memories.{name}", (), _MEMORIES)
        for key, value in memories[name].items():
            _expect_count(f"memories.{name}.{key}", value)
    _check_axes(declared)
    _check_quick(_table(declared, "quick"))
    return declared


def _check_axes(declared: Mapping[str, Any]) -> None:
    extra = declared.get("extra", [])
    _expect(isinstance(extra, list), "extra", extra, "tables under [[extra]]")
    tables = [
        ("axes", declared["axes"]),
        *((f"extra {number}", table) for number, table in enumerate(extra, 1)),
    ]
    for where, table in tables:
        _expect(isinstance(table, dict), where, table, "a table")
        _keys(table, where, AXES)
        for axis in AXES:
            values, place = table[axis], f"{where}.{axis}"
            _expect(isinstance(values, list) and values, place, values, "a list of values")
            _expect(len(set(map(str, values))) == len(values), place, values, "values that differ")
            for value in values:
                if axis == "mask":
                    _known(str(value), declared["masks"], place)
                elif axis == "seq":
                    _expect_length(place, value)
                else:
                    _expect_count(place, value)
                if axis == "batch":
                    _known(str(value), declared["heads"], "heads")


def _check_quick(quick: Mapping[str, Any]) -> None:
    _keys(quick, "quick", ("machines", "cells", "work"))
    _expect_count("quick.cells", quick["cells"])
    _expect_count("quick.work", quick["work"])
    machines = quick["machines"]
    _expect(isinstance(machines, list) and machines, "quick.machines", machines, "a list of [MLEN, BLEN]")
    for machine in machines:
        pair = isinstance(machine, list) and len(machine) == 2 and all(map(_is_count, machine))
        _expect(pair, "quick.machines", machine, "[MLEN, BLEN]")


def _keys(table: Mapping[str, Any], where: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
    place = f"{where}." if where else ""
    for key in table:
        _known(key, (*needed, *allowed), place + key)
    for key in needed:
        if key not in table:
            raise MatrixError(f"'{place}{key}' is missing")


def _known(name: str, known: Iterable[str], where: str) -> None:
    if name not in known:
        raise MatrixError(f"{where}: {name!r} is unknown; there are {', '.join(known)}")


def _table(parent: Mapping[str, Any], key: str, prefix: str = "") -> dict[str, Any]:
    _expect(isinstance(parent[key], dict), prefix + key, parent[key], "a table")
    return parent[key]


def _expect(holds: object, where: str, value: object, wanted: str) -> None:
    if not holds:
        raise MatrixError(f"{where} = {value!r}: expected {wanted}")


def _expect_count(where: str, value: object) -> None:
    _expect(_is_count(value), where, value, "a positive integer")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _expect_length(where: str, value: object) -> None:
    """A number that is not negative, or a*MLEN+b, which depends on the machine."""
    if isinstance(value, int) and not isinstance(value, bool):
        _expect(value >= 0, where, value, "a length that is not negative")
        return
    try:
        length(value, 1)  # type: ignore[arg-type]
    except MatrixError as error:
        raise MatrixError(f"{where}: {error}") from None
