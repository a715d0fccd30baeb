"""Where the source tree lies, where everything that is built or run goes, and the synthesizable sources."""

from __future__ import annotations

import os
from pathlib import Path

#: The root of the source tree.
REPO = Path(__file__).resolve().parents[2]
#: Where everything that is built or run goes; the environment variable PLENA_BUILD moves it.
BUILD = Path(os.environ.get("PLENA_BUILD") or REPO / "build").resolve()

#: The macros for contracts in RTL: the first source of every build.
ASSERTIONS = "rtl/assertions.svh"
#: Folders of what RTL includes.
INCLUDES = ("rtl",)
#: Packages, which compilers must see before the modules that import them.
_PACKAGES = ("plena_pkg.sv", "plena_fp.sv", "plena_mx.sv")


def include_flags() -> list[str]:
    """What compilers are told about :data:`INCLUDES`; they run at the root of the tree."""
    return [f"-I{folder}" for folder in INCLUDES]


def rtl_sources(root: Path = REPO) -> list[str]:
    """Every synthesizable source of a tree, relative to it: macros, then packages, then the rest in order."""
    sources = sorted(str(path.relative_to(root)) for path in (root / "rtl").rglob("*.sv"))
    first = [source for package in _PACKAGES for source in sources if source.endswith("/" + package)]
    return [ASSERTIONS, *first, *(source for source in sources if source not in first)]
