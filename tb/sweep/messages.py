"""What a sweep and the processes of its units say to each other; every value is one of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class UnitFields(TypedDict):
    """A unit of work; keys as the attributes of `tb.sweep.unit.Unit`."""

    cells: Sequence[str]
    mutant: str | None
    build: bool
    seconds: float


class Request(TypedDict):
    """What a process of tb.sweep.child is asked; the keys are explained there."""

    task: str
    matrix: str
    files: Mapping[str, str]
    tools: Mapping[str, str]
    unit: UnitFields | None


class Answer(TypedDict, total=False):
    """What it answers, of which only some keys are there; `died` says that it did not.

    Keys: `kind`, `cache` and `holds` as `checks.host` has them; `results` of a unit, as `store.decode` reads
    them; `refused`, `failed` and `died` say why there are none.
    """

    kind: str
    cache: str
    holds: list[str]
    results: list[Mapping[str, object]]
    refused: str
    failed: str
    died: str
