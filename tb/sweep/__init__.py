"""A declared matrix of attention shapes and machines, run on the RTL and reported: docs/sweep.md."""
