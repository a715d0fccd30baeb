"""The instruction set: table, text and machine code, control registers, counters."""
