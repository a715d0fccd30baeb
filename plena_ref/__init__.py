"""PLENA reference package: instruction set, assembler, reference machine, kernels and comparison."""
