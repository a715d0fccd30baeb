"""The sequential reference machine: what a program means, bit for bit, with no notion of time.

`machine.py` is the run loop, `core.py` the state, and each unit has a file with the meaning of its
instructions. The behaviour is that of docs/isa.md and the arithmetic that of `plena_ref.machine.numerics`.
"""

from plena_ref.machine.reference.machine import InstructionLimitError, Machine, StopReport

__all__ = ["InstructionLimitError", "Machine", "StopReport"]
