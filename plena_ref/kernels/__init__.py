"""Kernel generators: each writes one program through `plena_ref.kernels.program`."""
