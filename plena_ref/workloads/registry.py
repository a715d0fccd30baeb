"""Every registered case by name, read from cases.toml; `CASES["mha"]` is there to be overridden."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plena_ref.machine.hardware import Hardware, HardwareError
from plena_ref.verdict.tolerance import BF16_LIMITED
from plena_ref.workloads import overrides
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import Case, make_case

DATA_FILES = ("plena_ref/workloads/cases.toml",)

_FILE = Path(__file__).with_name("cases.toml")
#: The tolerances that a case may name.
_TOLERANCES = {"bf16_limited": BF16_LIMITED}
#: What a case may say beside its machine, tolerance and problem.
_FIELDS = ("kernel", "seed", "sigma", "data", "simulators")


def _machine(name: str, given: object, machines: Mapping[str, Hardware]) -> Hardware:
    """The machine of a case: one by its name, or one with these fields."""
    if isinstance(given, dict):
        try:
            return Hardware(**given)
        except (TypeError, HardwareError) as error:
            raise CaseError(f"{name}: machine: {error}") from None
    if given not in machines:
        raise CaseError(f"{name}: there is no machine {given!r}; there are {', '.join(machines)}")
    return machines[str(given)]


def read_case(
    name: str,
    values: Mapping[str, Any],  # Any: as the file has them; what is wrong of them is refused
    machines: Mapping[str, Hardware],
) -> Case:
    """A case from what the file says of it.

    Raises:
        CaseError: a key, machine or tolerance that does not exist, or a rule that is broken; the message
            begins with the name of the case.
    """
    rest = dict(values)
    hardware = _machine(name, rest.pop("machine", {}), machines)
    tolerance = rest.pop("tolerance", None)
    if tolerance is not None and tolerance not in _TOLERANCES:
        raise CaseError(f"{name}: there is no tolerance {tolerance!r}; there are {', '.join(_TOLERANCES)}")
    problem = rest.pop("problem", {})
    unknown = [key for key in rest if key not in _FIELDS]
    if unknown or not isinstance(problem, dict):
        raise CaseError(f"{name}: {unknown[0] if unknown else 'problem'} is nothing that a case can say")
    if "simulators" in rest:
        rest["simulators"] = tuple(rest["simulators"])
    try:
        return make_case(name, hardware, tolerance=_TOLERANCES.get(tolerance), **rest, **problem)
    except TypeError as error:
        raise CaseError(f"{name}: {error}") from None


_GROUPS = tomllib.loads(_FILE.read_text())
#: Machines that several cases have, by name.
MACHINES: dict[str, Hardware] = {
    name: _machine(name, fields, {}) for name, fields in _GROUPS.pop("machines").items()
}
#: Every case by name.
CASES: dict[str, Case] = {
    name: read_case(name, values, MACHINES) for group in _GROUPS.values() for name, values in group.items()
}


def group(name: str) -> tuple[Case, ...]:
    """The cases of one group of the file: "attention", "plain", "linear" or "norm"."""
    return tuple(CASES[case] for case in _GROUPS[name])


def command(case: Case) -> str:
    """What to type to run a case that is in no registry: `make sim TEST=mha` and its overrides.

    The name and the simulators are lost, and the tolerance becomes that of overrides.
    """
    return " ".join(["make sim TEST=mha", *overrides.pairs(case, CASES["mha"])])
