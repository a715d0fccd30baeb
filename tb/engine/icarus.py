"""Icarus Verilog: compiles in a second, runs slowly, and knows X and Z."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import cocotb_tools.config

from tb.engine import steps
from tb.engine.model import Model, Options
from tb.engine.simulator import Simulator
from tb.engine.tools import Tool, asked, execute, need


class Icarus(Simulator):
    """``iverilog`` and ``vvp`` from the path."""

    name = "icarus"
    model_file = "model.vvp"
    four_state = True

    def find(self) -> Tool:
        """The installed compiler; its version is the first line of ``iverilog -V``."""
        need(self.name, ("iverilog", "vvp"), ("iverilog",))
        compiler = shutil.which("iverilog") or ""
        version = asked([compiler, "-V"])
        return Tool(self.name, (compiler,), version.split("\n", 1)[0])

    def key(self, options: Options) -> list[str]:
        """No arguments but those that follow from the options."""
        return [self.name]

    def compile(self, tool: Tool, scratch: Path, files: list[Path], root: Path, options: Options) -> None:
        """Compile into ``scratch/model.vvp``."""
        command = [
            *tool.command,
            *("-g2012", "-o", str(scratch / self.model_file), "-s", options.top),
            *(f"-P{options.top}.{name}={value}" for name, value in options.parameters.items()),
            *(f"-D{name}={value}" for name, value in options.defines.items()),
            *(f"-I{root / include}" for include in options.includes),
            *options.extra,
            *map(str, files),
        ]
        with steps.step(f"{options.top}: iverilog", f"iverilog {options.name}"):
            execute(command, f"iverilog: {options.top}", {}, scratch)

    def command(self, model: Model, plusargs: Sequence[str]) -> list[str]:
        """``vvp`` with cocotb's VPI library."""
        library = cocotb_tools.config.lib_entry("vpi", "icarus")
        waves = "-fst" if model.waves else "-none"
        return ["vvp", "-m", str(library), str(model.executable), *plusargs, waves]
