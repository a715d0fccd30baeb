"""Where the source tree lies, where everything that is built or run goes, and the synthesizable sources."""

from __future__ import annotations

import os
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
#: Whether this is the installed package plena_sim (setup.py), which carries the sources beside its modules.
INSTALLED = (_PACKAGE / "rtl").is_dir()
#: The root of the source tree.
REPO = _PACKAGE if INSTALLED else _PACKAGE.parent


def _default_build() -> Path:
    """`build` in a checkout; outside of one the user's cache folder."""
    if not INSTALLED:
        return REPO / "build"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plena"


#: Where everything that is built or run goes; the environment variable PLENA_BUILD moves it.
BUILD = Path(os.environ.get("PLENA_BUILD") or _default_build()).resolve()

#: The macros for contracts in RTL: the first source of every build.
ASSERTIONS = "rtl/assertions.svh"
#: Folders of what RTL includes.
INCLUDES = ("rtl",)
#: A file of a tree whose models are to be built fast instead of to run fast.
QUICK = Path("build") / "quick"
#: Packages, which compilers must see before the modules that import them.
_PACKAGES = ("plena_pkg.sv", "plena_fp.sv")


#: What a path may hold so that the makefiles of compilers and the lists of their options can bear it.
_PLAIN = re.compile(r"[A-Za-z0-9_./+@,~-]+")


class PlaceError(ValueError):
    """A folder in which nothing can be built; the message names it."""


def check(folder: Path) -> None:
    """Refuse a folder whose path compilers cannot bear.

    Raises:
        PlaceError: its path holds a space, for example.
    """
    if not _PLAIN.fullmatch(str(folder)):
        raise PlaceError(f"{folder} holds a character that compilers cannot bear in a path: move it")


def include_flags() -> list[str]:
    """What compilers are told about :data:`INCLUDES`; they run at the root of the tree."""
    return [f"-I{folder}" for folder in INCLUDES]


def rtl_sources(root: Path = REPO) -> list[str]:
    """Every synthesizable source of a tree, relative to it: macros, then packages, then the rest in order."""
    sources = sorted(str(path.relative_to(root)) for path in (root / "rtl").rglob("*.sv"))
    first = [source for package in _PACKAGES for source in sources if source.endswith("/" + package)]
    return [ASSERTIONS, *first, *(source for source in sources if source not in first)]
