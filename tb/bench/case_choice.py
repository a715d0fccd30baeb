"""The case that a command line names: `TEST=` and its overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from plena_ref.workloads import kernel_file
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES
from tb.bench import keys, options, words


def check(command: str, given: Mapping[str, str]) -> None:
    """Refuse keys that a command about a case does not know; a kernel from a file is loaded, and has its own.

    Raises:
        UsageError: there is one, or the file holds no kernel.
    """
    kernel = given.get("KERNEL", "")
    more: tuple[str, ...] = ()
    if kernel.endswith(".py"):
        try:
            more = tuple(field.name.upper() for field in fields(kernel_file.load(kernel)))
        except kernel_file.KernelFileError as error:
            raise options.UsageError(str(error)) from None
    options.refuse_unknown(given, (*keys.names(command), *more))


def named(given: dict[str, str]) -> str:
    """Remove TEST and return the name of a registered case.

    Raises:
        UsageError: there is no such case.
    """
    name = given.pop("TEST", keys.DEFAULT_CASE)
    if name not in CASES:
        raise options.UsageError(f"TEST={name} is unknown; {words.advice(name, CASES, 'TEST={}')}")
    return name


def overridden(given: dict[str, str]) -> Case:
    """The registered case that TEST names, after its overrides.

    Raises:
        UsageError: there is no such case.
        CaseError: an override that the case refuses.
    """
    name = named(given)
    case = CASES[name].override(**given)
    own = given.get("KERNEL", "")
    return replace(case, name=Path(own).stem) if own.endswith(".py") else case


def asked(given: dict[str, str]) -> tuple[str, Case, options.RunOptions]:
    """The name of a registered case, the case after its overrides, and how it is to run.

    Raises:
        UsageError: there is no such case, or an option cannot be read.
        CaseError: an override that the case refuses.
    """
    run = options.take_run_options(given)
    case = overridden(given)
    return case.name, case, run
