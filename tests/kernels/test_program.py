"""The program builder: registers, loops, constants, and a listing that assembles to the same words."""

from __future__ import annotations

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, ProgramError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages

HW = Hardware(16, 4, vram_elems=1 << 12, hbm_bytes=1 << 12)


def run(program: Program) -> Machine:
    """Finish and run a program on poisoned memories."""
    words, listing = program.finish()
    assert assemble(listing) == words
    machine = Machine(HW, MemoryImages.poisoned(HW))
    report = machine.run(words)
    assert report.status == "stopped"
    return machine


def test_registers_are_handed_out_once_and_returned() -> None:
    p = Program(HW)
    with p.gp("a") as a, p.gp("b") as b:
        assert a != b and GP0 not in (a, b)
    with p.gp("again") as again:
        assert again == a


@pytest.mark.parametrize(("file", "count"), [("gp", 15), ("fp", 7), ("hbm_base", 8)])
def test_running_out_of_registers_names_their_holders(file: str, count: int) -> None:
    p = Program(HW)
    held = [getattr(p, file)(f"holder {i}") for i in range(count)]
    for context in held:
        context.__enter__()
    with pytest.raises(ProgramError, match=r"no free .* for 'one more'.*holder 0"):
        getattr(p, file)("one more").__enter__()


def test_a_released_register_is_refused() -> None:
    p = Program(HW)
    with p.gp("a") as a:
        pass
    with pytest.raises(ProgramError, match="used after its release"):
        p.S_ADDI_INT(a, GP0, 1)


@pytest.mark.parametrize("value", [0, 1, (1 << 18) - 1, 1 << 18, 0x12345678, 0xFFFFFFFF, 0xFFFFF000])
def test_constants_load_exactly(value: int) -> None:
    p = Program(HW)
    with p.gp("value") as register:
        p.load_constant(register, value)
        p.S_ST_INT(register, GP0, 3)
    words = len(p)
    assert words <= 3
    assert run(p).images.intmem[3] == value


@pytest.mark.parametrize("start", [0, 5, 0xFFFFFFFF])
@pytest.mark.parametrize("value", [0, 7, -7, 1 << 18, -(1 << 18), (1 << 31) + 4097, -(1 << 31) + 1])
def test_additions_of_any_constant_wrap(start: int, value: int) -> None:
    p = Program(HW)
    with p.gp("source") as source, p.gp("target") as target:
        p.load_constant(source, start)
        p.add(target, source, value)
        p.S_ST_INT(target, GP0, 0)
        p.add(source, source, value)
        p.S_ST_INT(source, GP0, 1)
    images = run(p).images
    assert images.intmem[0] == images.intmem[1] == (start + value) % (1 << 32)


def test_loops_nest_and_run_exactly_so_often() -> None:
    p = Program(HW, "loops")
    with p.gp("count") as count:
        p.load_constant(count, 0)
        with p.loop(3, "outer"), p.loop(5, "inner"):
            p.add(count, count, 1, comment="once more")
        with p.repeat(1, "a single pass"):
            p.add(count, count, 100)
        p.S_ST_INT(count, GP0, 0)
    assert run(p).images.intmem[0] == 115


def test_a_single_repetition_needs_no_loop() -> None:
    p = Program(HW)
    with p.repeat(1), p.gp("x") as x:
        p.load_constant(x, 1)
    assert len(p) == 1


@pytest.mark.parametrize("count", [0, -1, 1 << 22])
def test_impossible_loop_counts_are_refused(count: int) -> None:
    p = Program(HW)
    with pytest.raises(ProgramError, match="a loop must run"), p.loop(count):
        pass


def test_loops_deeper_than_the_stack_are_refused() -> None:
    p = Program(Hardware(16, 4, loop_depth=1))
    with p.loop(2), pytest.raises(ProgramError, match="LOOP_DEPTH = 1"), p.loop(2):
        pass


def test_wrong_operands_are_refused() -> None:
    p = Program(HW)
    with p.gp("a") as a, p.fp("f") as f:
        with pytest.raises(ProgramError, match="takes 3 to 4 operands, got 2"):
            p.V_ADD_VV(a, a)
        with pytest.raises(ProgramError, match="fS must be a f register"):
            p.V_ADD_VF(a, a, a)
        with pytest.raises(ProgramError, match="gpA must be a gp register"):
            p.S_LD_FP(f, 5, 0)
        with pytest.raises(ProgramError, match="imm18 must be a number"):
            p.S_LD_FP(f, a, a)
        with pytest.raises(ProgramError, match="imm18 = 262144"):
            p.S_LD_FP(f, a, 1 << 18)
        with pytest.raises(ProgramError, match="V_PS_V has no semantics"):
            p.V_PS_V()
        with pytest.raises(AttributeError, match="V_NOTHING"):
            p.V_NOTHING(a)
        assert len(p) == 0


def test_an_hbm_address_may_pass_4_gib() -> None:
    p = Program(HW)
    with p.hbm_base("far") as far:
        p.set_hbm_base(far, (3 << 32) + 5)
    words, _ = p.finish()
    machine = Machine(HW, MemoryImages.zeros(HW))
    assert machine.run(words).registers.a[far.index] == (3 << 32) + 5


def test_points_name_their_tensor() -> None:
    p = Program(HW)
    with p.gp("row") as row:
        p.point(row, VramTensor("Q", 64, 4, 32, 4, 16), 1, 16)
        p.V_ADD_VF(row, row, F0)
    _, listing = p.finish()
    assert "; gp1 = &Q[1, 16]" in listing
    assert "S_ADDI_INT gp1, gp0, 144" in listing


def test_a_program_ends_once_and_whole() -> None:
    p = Program(HW)
    with p.gp("a"), pytest.raises(ProgramError, match="still held"):
        p.finish()
    words, listing = p.finish()
    assert words == [0x34] and listing == "C_BREAK\n"
    with pytest.raises(ProgramError, match="finished"):
        p.C_BREAK()
