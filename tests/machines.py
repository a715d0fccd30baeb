"""Small machines and short programs for the tests of the reference machine."""

from __future__ import annotations

import numpy as np

from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages

#: The machine most tests use: two mini-arrays, two lanes, every memory small.
SMALL = Hardware(
    mlen=8,
    blen=4,
    hlen=4,
    vram_elems=512,
    msram_tiles=3,
    fp_words=32,
    int_words=16,
    hbm_bytes=4096,
    loop_depth=3,
)


def run(
    text: str,
    images: MemoryImages | None = None,
    hw: Hardware = SMALL,
    limit: int | None = None,
    max_instructions: int = 100_000,
) -> tuple[Machine, StopReport]:
    """Assemble `text` and run it on poisoned memories, or on `images`; give back machine and report."""
    machine = Machine(hw, MemoryImages.poisoned(hw) if images is None else images, limit)
    return machine, machine.run(assemble(text), max_instructions=max_instructions)


def stops(text: str, images: MemoryImages | None = None, hw: Hardware = SMALL) -> Machine:
    """Run `text` to a normal stop and give back the machine."""
    machine, report = run(text, images, hw)
    assert report.status == "stopped", report
    return machine


def constant(register: str, value: int) -> str:
    """Assembly that puts the 32-bit `value` into `register` (gp1..gp15)."""
    return f"S_LUI_INT {register}, {value >> 12}\nS_ADDI_INT {register}, {register}, {value & 0xFFF}\n"


def random_bf16(rng: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
    """Raw bf16 bits: gaussian values, about one in eight a special pattern."""
    values = rng.standard_normal(shape).astype(np.float32) * 2
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    specials = np.array(
        [0x0000, 0x8000, 0x0001, 0x807F, 0x0080, 0x7F80, 0xFF80, 0x7FC0, 0xFFA5, 0x7F7F, 0x0100], np.uint16
    )
    return np.where(rng.random(shape) < 0.12, rng.choice(specials, shape), bits)
