"""Two runs side by side: verdict, cycles, memories by tensor, and listing, as `make diff` shows them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from plena_ref.machine.image_files import MEMORIES
from plena_ref.machine.state import MemoryImages
from tb.runs.record import Record

Result = dict[str, Any]  # Any: the fields of result.json (docs/result.md)
#: Lines of the listings that are shown at most.
MOST_LINES = 40
#: What of result.json is compared, in this order.
_FIGURES = ("passed", "bit_exact", "cycles", "instructions", "bound_cycles", "utilisation")


def lines(first: Record, second: Record) -> Iterator[str]:
    """What differs between two runs; begins with what they are."""
    yield f"A: {first.settings.command}  ({first.folder})"
    yield f"B: {second.settings.command}  ({second.folder})"
    yield from _figures(_result(first.folder), _result(second.folder))
    for name, title in (("images", "before the run"), ("dumps", "after the run")):
        if first.hardware != second.hardware:
            yield f"memories {title}: not comparable, the machines differ"
            continue
        found = [*_memories(first, first.memories(name), second.memories(name))]
        yield f"memories {title}: {'the same' if not found else ''}".rstrip()
        yield from found
    yield from _listings(first.folder, second.folder)


def _result(folder: Path) -> Result:
    return dict(json.loads((folder / "result.json").read_text()))


def _figures(first: Result, second: Result) -> Iterator[str]:
    """Verdict, cycles and the largest errors."""
    for name in _FIGURES:
        old, new = first.get(name), second.get(name)
        if old is None and new is None:
            continue
        change = ""
        if isinstance(old, int) and isinstance(new, int) and not isinstance(old, bool) and old and old != new:
            change = f"  ({(new - old) / old:+.1%})"
        yield f"  {name:<14} {old} -> {new}{change}" if old != new else f"  {name:<14} {old}, the same"
    errors = [max(batch["max_abs_error"] for batch in one["batches"]) for one in (first, second)]
    yield (
        f"  largest error  {errors[0]:.5g} -> {errors[1]:.5g}"
        if errors[0] != errors[1]
        else (f"  largest error  {errors[0]:.5g}, the same")
    )


def _memories(run: Record, first: MemoryImages, second: MemoryImages) -> Iterator[str]:
    """A line for each tensor of the first run whose words differ, and one for what lies outside of all."""
    for memory in MEMORIES:
        differing = np.flatnonzero(getattr(first, memory) != getattr(second, memory))
        left = np.ones(len(differing), bool)
        for tensor in run.tensors:
            if tensor.memory != memory or not left.any():
                continue
            inside = tensor.holds(differing) & left
            left &= ~inside
            if inside.any():
                words = tensor.words + tensor.scale_words
                old, new = tensor.values(first), tensor.values(second)
                with np.errstate(all="ignore"):
                    apart = np.nanmax(np.abs(old.astype(np.float64) - new.astype(np.float64)), initial=0.0)
                yield (
                    f"  {memory} {tensor.name}: {inside.sum()} of {words} words differ, "
                    f"by {apart:.4g} at most; first at {differing[inside][0]}"
                )
        if left.any():
            first_word = differing[left][0]
            yield f"  {memory} outside of all tensors: {left.sum()} words differ, first at {first_word}"


def _listings(first: Path, second: Path) -> Iterator[str]:
    """The lines in which the programs differ."""
    old, new = ((folder / "program.lst").read_text().splitlines() for folder in (first, second))
    found = [line for line in difflib.unified_diff(old, new, "A", "B", n=1, lineterm="")][2:]
    yield f"listing: {'the same' if not found else ''}".rstrip()
    yield from (f"  {line}" for line in found[:MOST_LINES])
    if len(found) > MOST_LINES:
        yield f"  .. and {len(found) - MOST_LINES} more lines"
