"""What every placement shares: rounding up, and the error of a broken rule."""

from __future__ import annotations

from plena_ref.machine.rules import RuleError


class LayoutError(RuleError):
    """A tensor that breaks a placement rule or does not fit; the message names the rule."""


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple
