"""The functions of rtl/mx_functions.svh against the reference machine, for every element format."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from plena_ref.isa.formats import FORMATS
from plena_ref.machine import mx
from tb.engine import icarus_bench, simulate

BENCH = """`timescale 1ns / 1ps
module format_bench #(
    parameter int ELEMENT = 0
);
  `include "mx_functions.svh"
  logic [15:0] rows[0:%(count)d];
  logic [15:0] largest;
  logic [7:0] scale;
  initial begin
    $readmemh("%(file)s", rows);
    for (int s = 0; s < 256; s = s + 1)
      for (int e = 0; e < 256; e = e + 1) $display("d %%04h", mx_decode(8'(e), 8'(s)));
    for (int n = 0; n < %(count)d; n = n + 8) begin
      largest = 16'd0;
      for (int k = 0; k < 8; k = k + 1)
        if ((rows[n+k] & 16'h7fff) > largest) largest = rows[n+k] & 16'h7fff;
      if (largest < 16'h0080) largest = 16'd0;
      scale = mx_scale(largest, largest >= 16'h7f80);
      $display("s %%02h", scale);
      for (int k = 0; k < 8; k = k + 1) $display("e %%02h", mx_encode(rows[n+k], scale));
    end
  end
endmodule
"""


def differences(rtl: Path, key: str, folder: Path) -> list[str]:
    """In what the functions under `rtl` differ from the reference machine for an element format.

    Every element with every scale, and blocks of values near each other, far apart, tiny and infinite.
    """
    rng = np.random.default_rng(11)
    near = rng.integers(0x3F00, 0x4200, (400, 8), dtype=np.uint16)
    far = rng.integers(0x0080, 0x7F80, (200, 8), dtype=np.uint16)
    small = rng.integers(0, 0x0400, (100, 8), dtype=np.uint16)
    special = rng.integers(0x7F00, 0x8000, (20, 8), dtype=np.uint16)
    bits = np.concatenate([near, far, small, special])
    bits ^= rng.integers(0, 2, bits.shape, dtype=np.uint16) << np.uint16(15)
    (folder / "rows.hex").write_text("\n".join(f"{x:04x}" for x in bits.ravel()), encoding="utf-8")
    text = BENCH % {"count": bits.size, "file": folder / "rows.hex"}
    (folder / "bench.sv").write_text(text, encoding="utf-8")
    sources, element = [rtl / "plena_pkg.sv", folder / "bench.sv"], list(FORMATS).index(key)
    out = icarus_bench.run("format_bench", sources, root=rtl.parent, ELEMENT=element).printed
    got = {kind: [int(x, 16) for x in re.findall(rf"^{kind} (\w+)$", out, re.MULTILINE)] for kind in "dse"}
    every = np.arange(256, dtype=np.uint8)
    elements, scales = mx.encode_rows(bits, 8, key)
    wanted: dict[str, NDArray[np.integer]]
    wanted = {"d": mx.decode(every[None, :], every[:, None], key), "s": scales, "e": elements}
    names = {"d": "decode", "s": "scale", "e": "encode"}
    return [names[kind] for kind in "dse" if not np.array_equal(got[kind], wanted[kind].ravel())]


@pytest.mark.parametrize("key", FORMATS)
def test_conversions_are_those_of_the_reference_machine(key: str, tmp_path: Path) -> None:
    simulate.require("icarus")
    assert differences(simulate.REPO / "rtl", key, tmp_path) == []
