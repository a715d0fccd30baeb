"""Verilator's run-time library, compiled once and kept: it costs more than a small block does."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tb.engine import paths, scratch
from tb.engine.locks import locked
from tb.engine.model import Options
from tb.engine.tools import Tool, execute, finished

# A module that makes Verilator list every part of its run-time library that a bench may need.
_RUNTIME_USER = """module runtime_user;
  bit visible  /* verilator public_flat_rw */;
  initial #1 $finish;
endmodule
"""


def make_command(objects: Path, arguments: Sequence[str]) -> list[str]:
    """The command that compiles what Verilator wrote into a folder."""
    jobs = len(os.sched_getaffinity(0))
    return ["make", "-s", f"-j{jobs}", "-C", str(objects), "-f", "Vtop.mk", *arguments]


def runtime_library(
    tool: Tool,
    options: Options,
    arguments: Callable[[Options], list[str]],
    make_arguments: list[str],
    main: Path,
) -> Path:
    """Compile the run-time library, or find it in the cache.

    Args:
        tool: the installed Verilator.
        options: those of the model that will be linked with it.
        arguments: gives Verilator's command line for options.
        make_arguments: what make is told.
        main: the main program of the models.

    Returns:
        the folder with its object files, for models with these options.
    """
    wanted = arguments(dataclasses.replace(options, top="runtime_user", parameters={}, defines={}, public=()))
    key = json.dumps([tool.version, wanted, make_arguments])
    folder = paths.BUILD / "models" / f"verilated-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if folder.exists():
        return folder
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _build(folder, [*tool.command, *wanted], make_arguments, main, dict(tool.environment))
    return folder


def _build(
    folder: Path, verilator: list[str], make_arguments: list[str], main: Path, environment: dict[str, str]
) -> None:
    """Compile every part of the library into ``folder``, which appears only when all of it is there."""
    with scratch.folder(folder.parent, folder.name) as place:
        (place / "runtime_user.sv").write_text(_RUNTIME_USER)
        command = [*verilator, "-Mdir", "obj", "runtime_user.sv", str(main)]
        execute(command, "verilator: run-time library", environment, place)
        objects = place / "obj"
        parts = re.findall(r"^  (verilated\w*)", (objects / "Vtop_classes.mk").read_text(), re.MULTILINE)
        make = make_command(objects, make_arguments)
        # The largest part first and alone: more compilers than cores beside Verilator would hold it up.
        for chosen in (["verilated"], [part for part in parts if part != "verilated"]):
            targets = [f"{part}.o" for part in chosen]
            execute([*make, *targets], "C++ compiler: run-time library", environment, place)
        objects.rename(folder)


@functools.cache
def compression_libraries() -> str:
    """Linker options for those compression libraries whose headers the system has."""
    found = []
    for header, library in (("lz4.h", "-llz4"), ("zlib.h", "-lz")):
        probe = ["g++", "-E", "-x", "c++", "-include", header, os.devnull]
        if finished(probe).returncode == 0:
            found.append(library)
    return " ".join(found)
