"""The error of a request that breaks a rule of the machine, of a layout or of a kernel."""

from __future__ import annotations


class RuleError(ValueError):
    """Something that cannot be done; the message names the rule it breaks."""
