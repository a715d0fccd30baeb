"""What every model of Verilator needs, compiled once and kept: it costs more than a small block does.

That is the run-time library, and the headers that all files of a model begin with, which are mostly those of
C++ itself.
"""

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


#: The header of all headers, and the two ways in which a makefile of Verilator compiles.
_HEADER, _KINDS = "headers.h", ("fast", "slow")


def make_command(objects: Path, arguments: Sequence[str]) -> list[str]:
    """The command that compiles what Verilator wrote into a folder."""
    jobs = len(os.sched_getaffinity(0))
    return ["make", "-s", f"-j{jobs}", "-C", str(objects), "-f", "Vtop.mk", *arguments]


@dataclasses.dataclass(frozen=True)
class Runtime:
    """What all models share whose command lines to Verilator and make are alike.

    Attributes:
        tool: the installed Verilator.
        options: those of a model.
        arguments: gives Verilator's command line for options.
        main: the main program of the models.
    """

    tool: Tool
    options: Options
    arguments: Callable[[Options], list[str]]
    main: Path

    def library(self, make_arguments: list[str]) -> Path:
        """Compile the run-time library, or find it in the cache.

        Args:
            make_arguments: what make is told.

        Returns:
            the folder with its object files.
        """
        return self._kept("verilated", make_arguments, _compile_parts)

    def headers(self, make_arguments: list[str]) -> list[str]:
        """Precompile the headers that every file of a model begins with, or find them in the cache.

        Args:
            make_arguments: what make is told.

        Returns:
            what else make is told, so that a model uses them instead of a header of its own.
        """
        header = self._kept("headers", make_arguments, _precompile) / _HEADER
        uses = (f"VK_PCH_I_{kind.upper()}=$(CFG_CXXFLAGS_PCH_I) {header}.{kind}" for kind in _KINDS)
        return [f"VK_PCH_H={header}", *uses]

    def _kept(
        self, name: str, make_arguments: list[str], build: Callable[[Path, Callable[..., None]], None]
    ) -> Path:
        """The folder that `build` fills, beside what Verilator writes for an empty module."""
        nothing = dataclasses.replace(self.options, top="runtime_user", parameters={}, defines={}, public=())
        wanted = self.arguments(nothing)
        key = json.dumps([self.tool.version, wanted, make_arguments])
        folder = paths.BUILD / "models" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        if folder.exists():
            return folder
        with locked(folder.with_suffix(".lock")), scratch.folder(folder.parent, folder.name) as place:
            if not folder.exists():
                (place / "runtime_user.sv").write_text(_RUNTIME_USER)
                command = [*self.tool.command, *wanted, "-Mdir", "obj", "runtime_user.sv", str(self.main)]
                environment = dict(self.tool.environment)
                execute(command, "verilator: run-time library", environment, place)
                objects = place / "obj"

                def make(*targets: str) -> None:
                    line = [*make_command(objects, make_arguments), *targets]
                    execute(line, f"C++ compiler: {name}", environment, place)

                build(objects, make)
                objects.rename(folder)
        return folder


def _compile_parts(objects: Path, make: Callable[..., None]) -> None:
    """The object files of the library, the largest first and alone.

    More compilers than cores beside Verilator would hold that one up.
    """
    parts = re.findall(r"^  (verilated\w*)", (objects / "Vtop_classes.mk").read_text(), re.MULTILINE)
    make("verilated.o")
    make(*(f"{part}.o" for part in parts if part != "verilated"))


def _precompile(objects: Path, make: Callable[..., None]) -> None:
    """Verilator's own headers, as text and precompiled with the options of either kind of file.

    The text serves compilers that refuse what another one has precompiled.
    """
    generated = "".join(file.read_text() for file in sorted(objects.glob("*.h")))
    found = sorted({*re.findall(r'^#include "(?:verilated\w*|svdpi)\.h"$', generated, re.MULTILINE)})
    text = "".join(f"{line}\n" for line in found)
    (objects / _HEADER).write_text(text)
    make(*(f"{_HEADER}.{kind}.gch" for kind in _KINDS))
    for kind in _KINDS:
        (objects / f"{_HEADER}.{kind}").write_text(text)


@functools.cache
def compression_libraries() -> str:
    """Linker options for those compression libraries whose headers the system has."""
    found = []
    for header, library in (("lz4.h", "-llz4"), ("zlib.h", "-lz")):
        probe = ["g++", "-E", "-x", "c++", "-include", header, os.devnull]
        if finished(probe).returncode == 0:
            found.append(library)
    return " ".join(found)
