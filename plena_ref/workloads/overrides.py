"""KEY=VALUE: which keys a case has, how their values are read, and how a case is written as such pairs.

The keys are the fields of the machine, of the case and of the family's problem. How a value is read follows
from the type of its field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.base import AnyProblem
from plena_ref.workloads.families import FAMILIES, KERNELS, family_of

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: Parameters of the machine that follow another one while they are equal to it.
HARDWARE_FOLLOWERS = {"hlen": "mlen", "vpref": "blen", "vstore": "blen"}


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(value)
    return int(value, 0) if isinstance(value, str) else value


def _number(value: object) -> float:
    if not isinstance(value, int | float | str):
        raise ValueError(value)
    return float(value)


def _truth(value: object) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    text = str(value).lower()
    if text not in words:
        raise ValueError(value)
    return words[text]


def _integer_or_none(value: object) -> int | None:
    return None if value is None or str(value).lower() == "none" else _integer(value)


#: How a value is read, by the type of its field.
PARSERS: dict[object, Callable[[object], object]] = {
    int: _integer,
    float: _number,
    bool: _truth,
    str: str,
    int | None: _integer_or_none,
}

_HARDWARE: dict[str, Callable[[object], object]] = {
    machine.name: str if isinstance(machine.default, str) else _integer for machine in fields(Hardware)
}
CASE_KEYS: dict[str, Callable[[object], object]] = {
    "seed": _integer,
    "sigma": _number,
    "kernel": str,
    "data": str,
}


def problem_parsers(family: type[AnyProblem]) -> dict[str, Callable[[object], object]]:
    """How the fields of a family's problem are read, by name.

    Raises:
        TypeError: the type of a field has no parser.
    """
    hints = get_type_hints(family)
    parsers = {}
    for entry in fields(family):
        if hints[entry.name] not in PARSERS:
            raise TypeError(f"{family.__name__}.{entry.name}: {hints[entry.name]} cannot be parsed")
        parsers[entry.name] = PARSERS[hints[entry.name]]
    return parsers


_PROBLEMS = {name: parser for family in FAMILIES for name, parser in problem_parsers(family).items()}


def add_family(family: type[AnyProblem]) -> None:
    """Let the fields of a family that is not in the table be overridden too."""
    for name, parser in problem_parsers(family).items():
        _PROBLEMS.setdefault(name, parser)


@dataclass(frozen=True)
class Given:
    """Overrides, sorted by what has them, each parsed."""

    hardware: dict[str, object] = field(default_factory=dict)
    case: dict[str, Any] = field(default_factory=dict)  # Any: as CASE_KEYS reads them, for fields of Case
    problem: dict[str, object] = field(default_factory=dict)


def parse(values: Mapping[str, object]) -> Given:
    """Sort and read overrides.

    Raises:
        ValueError: an unknown key, or a value that cannot be read.
    """
    given = Given()
    groups: tuple[tuple[Mapping[str, Callable[[object], object]], dict[str, object]], ...]
    groups = ((_HARDWARE, given.hardware), (CASE_KEYS, given.case), (_PROBLEMS, given.problem))
    for key, value in values.items():
        name = key.lower()
        for parsers, target in groups:
            if name in parsers:
                try:
                    target[name] = parsers[name](value)
                except (TypeError, ValueError):
                    raise ValueError(f"{key.upper()} = {value!r} cannot be read") from None
                break
        else:
            known = ", ".join(sorted(known.upper() for parsers, _ in groups for known in parsers))
            raise ValueError(f"{key} is no override; there are {known}")
    return given


def _required(family: type[AnyProblem]) -> list[str]:
    return [entry.name for entry in fields(family) if entry.default is MISSING]


def make(family: type[AnyProblem], kernel: str, values: Mapping[str, object]) -> AnyProblem:
    """A problem of a family.

    Raises:
        ValueError: a field that the family does not have, or one that it needs is missing.
    """
    names = [entry.name for entry in fields(family)]
    for name in values:
        if name not in names:
            owners = [
                other for other, its in KERNELS.items() if name in {entry.name for entry in fields(its)}
            ]
            having = f"; it belongs to KERNEL = {', '.join(owners)}" if owners else ""
            raise ValueError(f"KERNEL = {kernel} has no {name.upper()}{having}")
    missing = [name.upper() for name in _required(family) if values.get(name) is None]
    if missing:
        raise ValueError(f"KERNEL = {kernel} needs {' and '.join(missing)}")
    return family(**values)


def problem(current: AnyProblem, kernel: str, given: Given) -> AnyProblem:
    """The problem of a case after overrides; another kernel may make it one of another family.

    Then the fields that both families have are kept, and the others begin with their defaults.

    Raises:
        ValueError: a field that the family does not have, or one that it needs is missing.
    """
    chosen = str(given.case.get("kernel", kernel))
    family = family_of(chosen)
    kept = {entry.name: getattr(current, entry.name) for entry in fields(current)}
    for name, leader in current.followers.items():
        if kept[name] == kept[leader]:
            kept[name] = None
    if not isinstance(current, family):
        own = {entry.name for entry in fields(family)}
        left = [name for name in _required(type(current)) if name not in own]
        if left:
            names = " and ".join(name.upper() for name in left)
            raise ValueError(f"KERNEL = {chosen} has no {names}")
        kept = {name: value for name, value in kept.items() if name in own}
    return make(family, chosen, {**kept, **given.problem})


def hardware(current: Hardware, values: Mapping[str, object]) -> Hardware:
    """The machine after overrides; parameters that follow another one go on following it.

    Raises:
        HardwareError: a rule of the machine is broken.
    """
    if not values:
        return current
    kept: dict[str, object] = {name: getattr(current, name) for name in _HARDWARE}
    for name, leader in HARDWARE_FOLLOWERS.items():
        if kept[name] == kept[leader]:
            kept[name] = None
    mlen = values.get("mlen", current.mlen)
    if "hlen" not in values and isinstance(mlen, int) and current.hlen > mlen:
        kept["hlen"] = None
    return Hardware.of({**kept, **values})


def pairs(case: Case, base: Case) -> list[str]:
    """The KEY=VALUE pairs that turn `base` into a case; name, simulators and tolerance are not among them."""
    defaults = {entry.name: entry.default for entry in fields(case.problem)}
    usual = {name: getattr(base.problem, name, default) for name, default in defaults.items()}
    groups: tuple[tuple[object, Mapping[str, object], Mapping[str, str]], ...] = (
        (case.problem, usual, case.problem.followers),
        (case.hardware, {name: getattr(base.hardware, name) for name in _HARDWARE}, HARDWARE_FOLLOWERS),
        (case, {name: getattr(base, name) for name in CASE_KEYS}, {}),
    )
    words = []
    for holder, its, followers in groups:
        for name, expected in its.items():
            value = getattr(holder, name)
            leader = followers.get(name)
            if value != (getattr(holder, leader) if leader else expected):
                words.append(f"{name.upper()}={int(value) if isinstance(value, bool) else value}")
    return words
