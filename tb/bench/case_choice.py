"""The case that a command line names: `TEST=` and its overrides."""

from __future__ import annotations

from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES
from tb.bench import keys, options, words


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
    return CASES[name].override(**given)


def asked(given: dict[str, str]) -> tuple[str, Case, options.RunOptions]:
    """The name of a registered case, the case after its overrides, and how it is to run.

    Raises:
        UsageError: there is no such case, or an option cannot be read.
        CaseError: an override that the case refuses.
    """
    name = named(given)
    run = options.take_run_options(given)
    return name, CASES[name].override(**given), run
