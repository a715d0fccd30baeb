"""The error of a problem that a kernel does not do."""

from __future__ import annotations

from plena_ref.machine.rules import RuleError


class KernelError(RuleError):
    """A shape that a kernel cannot be written for; the message names the rule it breaks."""
