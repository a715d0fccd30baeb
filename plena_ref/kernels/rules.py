"""The error of a problem that a kernel does not do, and the rule that all problems share."""

from __future__ import annotations

from plena_ref.machine.rules import RuleError


class KernelError(RuleError):
    """A shape that a kernel cannot be written for; the message names the rule it breaks."""


def check_sizes(**sizes: int) -> None:
    """Refuse sizes below 1.

    Args:
        sizes: by the name that the message has, in capitals.

    Raises:
        KernelError: names the first of them.
    """
    for name, value in sizes.items():
        if value < 1:
            raise KernelError(f"{name.upper()} must be at least 1 (got {value})")


def check_fields(shape: object, *names: str) -> None:
    """Refuse a shape of which a named field is below 1; errors as of `check_sizes`."""
    check_sizes(**{name: getattr(shape, name) for name in names})
