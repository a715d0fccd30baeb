"""What pyproject.toml cannot say: the package plena_sim, made of the bench of a checkout.

plena_sim holds the modules of some folders of tb under its own name, and as data what they need: RTL, and the
SystemVerilog of the bench where the modules look for it, relative to the package.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PACKAGE = "plena_sim"
FOLDERS = ("engine", "runs", "diagnosis", "report", "bench", "peer")
_MODULE = re.compile(rf"\btb\.({'|'.join(FOLDERS)})\b")


class BuildWithBench(build_py):  # type: ignore[misc]  # setuptools has no types
    """Builds the packages that are found, and plena_sim."""

    def run(self) -> None:
        """Build everything."""
        super().run()
        target = Path(self.build_lib) / PACKAGE
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        (target / "__init__.py").write_text(
            '"""Run programs on the RTL of PLENA: engine, bench and sources."""\n'
        )
        for folder in FOLDERS:
            for module in sorted((ROOT / "tb" / folder).glob("*.py")):
                text = _MODULE.sub(rf"{PACKAGE}.\1", module.read_text(encoding="utf-8"))
                place = target / folder / module.name
                place.parent.mkdir(exist_ok=True)
                place.write_text(text, encoding="utf-8")
        _copy(ROOT / "rtl", target / "rtl", "*.sv*")
        _copy(ROOT / "tb" / "bench", target / "tb" / "bench", "*.sv")
        _copy(ROOT / "tb" / "engine", target / "engine", "*.cpp")
        for pattern in ("*.html", "*.css"):
            _copy(ROOT / "tb" / "report", target / "report", pattern)
        _copy(ROOT / "tb" / "engine" / "compression", target / "engine" / "compression", "*.h")


def _copy(source: Path, target: Path, pattern: str) -> None:
    """Copy the files of a folder and of those below it."""
    for file in sorted(source.rglob(pattern)):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


setup(cmdclass={"build_py": BuildWithBench})
