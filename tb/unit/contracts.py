"""How each assertion of the RTL is shown to fire: a small bench that breaks its contract, on Icarus.

Most violations drive the module's inputs as its user must not; where a contract follows from the module's own
state, they force that state, as a fault in it would.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tb.engine import icarus_bench, scratch
from tb.engine.paths import BUILD, REPO, rtl_sources

_INCLUDE = re.compile(r'`include "(\w+\.svh)"')
_PORT = re.compile(r"^\s*input\s+wire logic\s*(?:\[.*?\])?\s*(\w+)\s*[,/\n]", re.MULTILINE | re.DOTALL)
_BENCH = """`timescale 1ns / 1ps
module violation;
  reg clk = 1'b0;
  always #1 clk = ~clk;
  {module} #({parameters}) dut (.clk(clk));
  initial begin
{idle}
    force dut.{reset} = 1'b1;
    #4 force dut.{reset} = 1'b0;
    #4 {violation}
    #4 $display("nothing fired");
    $finish;
  end
endmodule
"""


@dataclass(frozen=True)
class Violation:
    """One broken contract.

    Attributes:
        assertion: its name.
        module: the module it is in.
        steps: signals of the module and the values forced on them, which stay: "a=1 b=2; a=0" is two cycles.
        parameters: of the module, where its own do not fit.
        reset: its reset input.
    """

    assertion: str
    module: str
    steps: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    reset: str = "rst"


def _read() -> Iterator[Violation]:
    """What contracts.toml says; a machine stands there by its name."""
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    for rows in tables["violations"].values():
        for assertion, module, steps, *more in rows:
            if more and isinstance(more[0], str):
                more[0] = tables["machines"][more[0]]
            yield Violation(assertion, module, steps, *more)


#: How every assertion is shown to fire.
VIOLATIONS = tuple(_read())


def source_of(module: str) -> Path:
    """The file of a module, relative to the tree."""
    return next(Path(source) for source in rtl_sources() if Path(source).stem == module)


def with_includes(text: str) -> str:
    """The text with the lists that it includes in place."""
    return _INCLUDE.sub(lambda found: (REPO / "rtl" / found[1]).read_text(), text)


def bench(violation: Violation) -> str:
    """The bench as SystemVerilog: every input 0, a reset, two quiet cycles, then the steps."""
    text = with_includes((REPO / source_of(violation.module)).read_text())
    header = text[text.index(f"module {violation.module}") : text.index("\n);")]
    inputs = [port for port in _PORT.findall(header + "\n") if port != "clk"]
    cycles = []
    for cycle in violation.steps.split(";"):
        forced = [step.split("=", 1) for step in cycle.split()]
        cycles.append(" ".join(f"force dut.{signal} = {value};" for signal, value in forced))
    return _BENCH.format(
        module=violation.module,
        parameters=", ".join(f".{name}({value})" for name, value in violation.parameters.items()),
        idle="\n".join(f"    force dut.{port} = '0;" for port in inputs),
        reset=violation.reset,
        violation="\n    #2 ".join(cycles),
    )


def fired(violation: Violation) -> str:
    """Run the bench; what the simulation printed, which names the assertion if it fired."""
    return printed(bench(violation))


def printed(text: str, *options: str) -> str:
    """Compile a bench with the RTL on Icarus, with more options, and run it; what both printed."""
    with scratch.folder(BUILD / "runs" / "unit", "violation") as folder:
        file = folder / "violation.sv"
        file.write_text(text)
        return icarus_bench.run("violation", [*rtl_sources(), file], *options).text
