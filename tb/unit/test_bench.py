"""The bench's own parts: image conversion, files, options, the build cache, missing tools."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from plena_ref.machine import image_files as images
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import MemoryImages
from tb.bench import options, word_order
from tb.engine import paths, simulate

SHAPES = [Hardware(8, 4, vram_elems=1024, msram_tiles=2), Hardware(64, 16), Hardware(16, 16, msram_tiles=3)]
COUNTER = """
`timescale 1ns / 1ps
module counter #(parameter int STEP = 1) (input logic clk, output logic [7:0] q);
  initial q = 0;
  always_ff @(posedge clk) q <= q + 8'(STEP);
endmodule
"""


def _from_bench(words: NDArray[np.integer], group: int) -> NDArray[np.uint16]:
    """What comes back of words that went in: inside a row of ``group`` elements the order is reversed."""
    return words.astype("<u2").reshape(-1, group)[:, ::-1].reshape(-1)


@pytest.mark.parametrize("hw", SHAPES, ids=lambda hw: f"{hw.mlen}")
def test_images_survive_the_way_through_the_banks(hw: Hardware) -> None:
    """Splitting a memory into banks and merging the banks again gives the same memory."""
    rng = np.random.default_rng(hw.mlen)
    vram = rng.integers(0, 1 << 16, hw.vram_elems, np.uint16)
    msram = rng.integers(0, 1 << 16, hw.msram_tiles * hw.tile_elems, np.uint16)
    fpmem = rng.integers(0, 1 << 16, hw.fp_words, np.uint16)
    vram_dump = _from_bench(word_order.vram_words(hw, vram), hw.mlen)
    msram_dump = word_order.msram_words(hw, msram).astype("<u2")
    fpmem_dump = _from_bench(word_order.fpmem_words(hw, fpmem), hw.mlen)
    assert np.array_equal(word_order.vram_image(hw, vram_dump), vram)
    assert np.array_equal(word_order.msram_image(hw, msram_dump), msram)
    assert np.array_equal(word_order.fpmem_image(hw, fpmem_dump), fpmem)


def test_element_places_are_those_of_the_rtl() -> None:
    """A few elements by hand: VRAM row 0x9B of MLEN 16 lies in bank (3 ^ 1), MSRAM (t, r, c) in bank r+c."""
    hw = Hardware(16, 4)
    vram = np.zeros(hw.vram_elems, np.uint16)
    row = 0x9B
    vram[row * 16 + 5] = 0x1234
    words = word_order.vram_words(hw, vram).reshape(8, hw.vram_rows // 8, 16)
    bank = (row & 7) ^ (row >> 4 & 7)
    assert words[bank, row >> 3, 15 - 5] == 0x1234
    msram = np.zeros(hw.msram_tiles * 256, np.uint16)
    msram[3 * 256 + 9 * 16 + 12] = 0x4321
    assert word_order.msram_words(hw, msram)[(9 + 12) % 16].reshape(-1)[3 * 16 + 9] == 0x4321


def test_hbm_is_stored_relative_to_its_fill() -> None:
    """Bytes nobody staged come back as the fill pattern; the file holds data ^ fill, each word reversed."""
    hw = Hardware(8, 4, hbm_bytes=1 << 10)
    hbm = np.full(hw.hbm_bytes, 0xFF, np.uint8)
    hbm[:20] = range(20)
    stored = word_order.hbm_words(hbm[:24], 0xFF)
    assert stored.reshape(-1)[:8].tolist() == [0xFF ^ value for value in range(7, -1, -1)]
    back = stored.reshape(-1, 8)[:, ::-1].reshape(-1)
    assert np.array_equal(word_order.hbm_image(hw, np.ascontiguousarray(back), 0xFF), hbm)
    with pytest.raises(simulate.SimulationError, match="the end of HBM"):
        word_order.hbm_image(hw, np.zeros(hw.hbm_bytes + 8, np.uint8), 0xFF)


def test_used_bytes() -> None:
    """HBM is staged up to the last byte that differs from the last byte of the memory."""
    memories = MemoryImages.poisoned(Hardware(8, 4, hbm_bytes=3 << 20))
    assert images.used_bytes(memories) == 0
    memories.hbm[0] = 1
    assert images.used_bytes(memories) == 1
    memories.hbm[(2 << 20) + 5] = 1
    assert images.used_bytes(memories) == (2 << 20) + 6


def test_image_files(tmp_path: Path) -> None:
    """What is written comes back; a missing, too large or odd file is refused by name."""
    hw = Hardware(8, 4, vram_elems=1024, msram_tiles=2, hbm_bytes=4096)
    memories = MemoryImages.zeros(hw)
    memories.vram[:] = np.arange(1024)
    memories.intmem[1] = 0x01020304
    images.write(tmp_path, memories, 100)
    assert (tmp_path / "hbm.bin").stat().st_size == 100
    assert (tmp_path / "intmem.bin").read_bytes()[4:8] == bytes([4, 3, 2, 1])
    again = MemoryImages.zeros(hw)
    assert images.read_into(again, "vram", tmp_path / "vram.bin") == 2048
    assert np.array_equal(again.vram, memories.vram)
    with pytest.raises(images.ImageError, match=r"nowhere.bin.*No such file"):
        images.read_into(again, "vram", tmp_path / "nowhere.bin")
    (tmp_path / "large.bin").write_bytes(bytes(2050))
    with pytest.raises(images.ImageError, match="2050 bytes do not fit a memory of 2048"):
        images.read_into(again, "vram", tmp_path / "large.bin")
    (tmp_path / "odd.bin").write_bytes(bytes(5))
    with pytest.raises(images.ImageError, match="no whole number of 4-byte words"):
        images.read_into(again, "intmem", tmp_path / "odd.bin")


def test_options() -> None:
    """KEY=VALUE arguments are read, bounds are kept, nonsense is refused."""
    given = options.parse(["TEST=a", "seed=0x10", "EMPTY="])
    assert given == {"TEST": "a", "SEED": "0x10"}
    assert options.take_integer(given, "SEED", 1, 0, 100) == 16
    assert options.take_integer(given, "SEED", 1, 0, 100) == 1
    with pytest.raises(options.UsageError, match="'TEST' is not of the form"):
        options.parse(["TEST"])
    with pytest.raises(options.UsageError, match=r"LATENCY=0 lies outside 1\.\.9"):
        options.take_integer({"LATENCY": "0"}, "LATENCY", 5, 1, 9)
    with pytest.raises(options.UsageError, match="LATENCY=x is not an integer"):
        options.take_integer({"LATENCY": "x"}, "LATENCY", 5, 1, 9)


def share_runtime(models: Path) -> None:
    """What all models need, from the cache, in a cache of its own."""
    models.mkdir(parents=True)
    for name in ("verilated", "headers"):
        for folder in (simulate.BUILD / "models").glob(f"{name}-{16 * '[0-9a-f]'}"):
            (models / folder.name).symlink_to(folder)


def spoil_headers(models: Path) -> int:
    """Precompiled headers as if by another compiler, which g++ refuses; how many there were."""
    folders = [*models.glob("headers-" + 16 * "[0-9a-f]")]
    for folder in folders:
        spoilt = folder.with_name("spoilt")
        shutil.copytree(folder, spoilt, ignore=shutil.ignore_patterns("*.gch"))
        for file in folder.glob("*.gch"):
            (spoilt / file.name).write_bytes(b"by another compiler")
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
        spoilt.rename(folder)
    return len(folders)


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_builds_are_cached_by_content(
    simulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same text builds once; another text, parameter or option is another model.

    Where g++ refuses the precompiled headers it reads their text.
    """
    simulate.require(simulator)
    share_runtime(tmp_path / "build" / "models")
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    (tmp_path / "rtl").mkdir()
    shutil.copy(simulate.REPO / simulate.ASSERTIONS, tmp_path / simulate.ASSERTIONS)
    source = tmp_path / "counter.sv"
    source.write_text(COUNTER)

    build = partial(simulate.build, "counter", ["counter.sv"], simulator=simulator, root=tmp_path)
    first = build()
    assert first.build_seconds > 0
    again = build()
    assert again.build_seconds == 0.0 and again.executable == first.executable
    models = tmp_path / "build" / "models"
    assert bool(spoil_headers(models)) == any(models.glob("verilated-*"))
    assert build(parameters={"STEP": 2}).executable != first.executable
    source.write_text(COUNTER + "\n")
    assert build().executable != first.executable
    source.write_text(COUNTER.replace("q + 8", "q + nonsense + 8"))
    with pytest.raises(simulate.SimulationError, match="nonsense"):
        build()
    with pytest.raises(simulate.SimulationError, match=r"missing.sv: No such file"):
        simulate.build("counter", ["missing.sv"], simulator=simulator, root=tmp_path)


def test_stand_ins_for_the_compression_libraries(tmp_path: Path) -> None:
    """What they write is valid: zlib streams that Python reads, LZ4 blocks of one literal run."""
    program = tmp_path / "pack.cpp"
    program.write_text(
        "#include <cstdio>\n#include <cstdlib>\n#include <vector>\n#include <lz4.h>\n#include <zlib.h>\n"
        "int main(int, char** argument) {\n"
        "  const int n = std::atoi(argument[1]);\n"
        "  std::vector<unsigned char> data(n + 1), stream(compressBound(n));\n"
        "  for (int i = 0; i < n; i++) data[i] = i * 7 + i / 256;\n"
        "  uLong length = stream.size();\n"
        "  if (compress2(stream.data(), &length, data.data(), n, 9) != Z_OK) return 1;\n"
        "  std::vector<char> block(LZ4_compressBound(n));\n"
        "  const char* raw = reinterpret_cast<char*>(data.data());\n"
        "  const int packed = LZ4_compress_default(raw, block.data(), n, block.size());\n"
        "  std::fwrite(&length, 8, 1, stdout);\n"
        "  std::fwrite(stream.data(), 1, length, stdout);\n"
        "  std::fwrite(block.data(), 1, packed, stdout);\n"
        "}\n"
    )
    folder = simulate.REPO / "tb" / "engine" / "compression"
    subprocess.run(["g++", "-Wall", "-Werror", f"-I{folder}", "-o", tmp_path / "pack", program], check=True)
    for size in (0, 1, 14, 15, 16, 269, 270, 271, 65535, 65536, 200_000):
        data = bytes((i * 7 + i // 256) & 0xFF for i in range(size))
        output = subprocess.run([tmp_path / "pack", str(size)], check=True, capture_output=True).stdout
        length = int.from_bytes(output[:8], "little")
        assert zlib.decompress(output[8 : 8 + length]) == data
        assert _literals(output[8 + length :]) == data


def _literals(block: bytes) -> bytes:
    """The content of an LZ4 block that is one run of literals."""
    length, at = block[0] >> 4, 1
    assert block[0] & 15 == 0
    if length == 15:
        while True:
            length += block[at]
            at += 1
            if block[at - 1] != 255:
                break
    assert len(block) == at + length
    return block[at:]
