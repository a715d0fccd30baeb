"""Everything that touches a simulator: the SystemVerilog bench, the Python harness and their tests."""
