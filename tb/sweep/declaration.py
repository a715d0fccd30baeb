"""A matrix file, read and checked: every key is known, every value has its type, nothing is missing.

There are two kinds of matrices: of attention, with masks and heads of their own, and of layers of models,
whose sizes are those of the model's record.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection
from dataclasses import fields

from plena_ref.configs.models import DECODERS, ENCODERS
from plena_ref.machine.hardware import Hardware
from tb.sweep.declared_values import (
    MatrixError,
    Table,
    expect,
    expect_count,
    expect_length,
    is_count,
    keys,
    known,
    table_of,
)

#: The axes of a matrix of attention, and of one of layers.
AXES = ("mlen", "blen", "batch", "seq", "head_dim", "mask")
LAYER_AXES = ("mlen", "blen", "batch", "seq", "layer")
#: What a machine may declare; the shape itself comes from the axes.
_MEMORIES = tuple(
    field.name
    for field in fields(Hardware)
    if field.name not in ("mlen", "blen") and not isinstance(field.default, str)
)
#: The models that each kernel of a layer knows.
_MODELS: dict[str, Collection[str]] = {"decoder_layer": DECODERS, "encoder_layer": ENCODERS}


def axes_of(declared: Table) -> tuple[str, ...]:
    """The axes of a matrix, in the order of its names."""
    return LAYER_AXES if "layers" in declared else AXES


def read(text: str) -> Table:
    """The tables of a matrix file.

    Raises:
        MatrixError: the text is no TOML, a key is missing or unknown, or a value has the wrong type.
    """
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MatrixError(str(error)) from None
    own = ("layers",) if "layers" in declared else ("masks", "heads")
    keys(declared, "", ("axes", *own, "inputs", "memories", "quick"), ("extra",))
    if "layers" in declared:
        _check_layers(table_of(declared, "layers"))
    else:
        _check_masks(table_of(declared, "masks"))
        for batch, heads in table_of(declared, "heads").items():
            expect_count(f"heads.{batch}", heads)
    keys(table_of(declared, "inputs"), "inputs", ("sigma",))
    sigma = declared["inputs"]["sigma"]
    good = (
        isinstance(sigma, int | float) and not isinstance(sigma, bool) and math.isfinite(sigma) and sigma > 0
    )
    expect(good, "inputs.sigma", sigma, "a positive number")
    memories = table_of(declared, "memories")
    for name in memories:
        keys(table_of(memories, name, "memories."), f"memories.{name}", (), _MEMORIES)
        for key, value in memories[name].items():
            expect_count(f"memories.{name}.{key}", value)
    _check_axes(declared)
    _check_quick(table_of(declared, "quick"))
    return declared


def _check_masks(masks: Table) -> None:
    for name, mask in masks.items():
        where = f"masks.{name}"
        keys(table_of(masks, name, "masks."), where, ("causal", "cache"))
        expect(isinstance(mask["causal"], bool), f"{where}.causal", mask["causal"], "true or false")
        expect_length(f"{where}.cache", mask["cache"])


def _check_layers(layers: Table) -> None:
    for name in layers:
        where, layer = f"layers.{name}", table_of(layers, name, "layers.")
        keys(layer, where, ("kernel", "model"), ("past",))
        known(str(layer["kernel"]), _MODELS, f"{where}.kernel")
        known(str(layer["model"]), _MODELS[layer["kernel"]], f"{where}.model")
        if "past" in layer:
            expect(layer["kernel"] == "decoder_layer", f"{where}.past", layer["past"], "no cache here")
            expect_count(f"{where}.past", layer["past"])


def _check_axes(declared: Table) -> None:
    extra, axes = declared.get("extra", []), axes_of(declared)
    expect(isinstance(extra, list), "extra", extra, "tables under [[extra]]")
    tables = [
        ("axes", declared["axes"]),
        *((f"extra {number}", table) for number, table in enumerate(extra, 1)),
    ]
    for where, table in tables:
        expect(isinstance(table, dict), where, table, "a table")
        keys(table, where, axes)
        for axis in axes:
            values, place = table[axis], f"{where}.{axis}"
            expect(isinstance(values, list) and values, place, values, "a list of values")
            expect(len(set(map(str, values))) == len(values), place, values, "values that differ")
            for value in values:
                _check_value(declared, axis, value, place)


def _check_value(declared: Table, axis: str, value: object, place: str) -> None:
    """One value of an axis."""
    if axis in ("mask", "layer"):
        known(str(value), declared[f"{axis}s"], place)
    elif axis == "seq":
        expect_length(place, value)
    else:
        expect_count(place, value)
    if axis == "batch" and "heads" in declared:
        known(str(value), declared["heads"], "heads")


def _check_quick(quick: Table) -> None:
    keys(quick, "quick", ("machines", "cells", "work"))
    expect_count("quick.cells", quick["cells"])
    expect_count("quick.work", quick["work"])
    machines = quick["machines"]
    expect(isinstance(machines, list) and machines, "quick.machines", machines, "a list of [MLEN, BLEN]")
    for machine in machines:
        pair = isinstance(machine, list) and len(machine) == 2 and all(map(is_count, machine))
        expect(pair, "quick.machines", machine, "[MLEN, BLEN]")
