"""The first wrong instruction is found, wherever it stands, and told by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.listing import numbered
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tb.diagnosis import account, first_wrong
from tb.diagnosis.account import Culprit
from tb.diagnosis.account_text import lines
from tb.diagnosis.first_wrong import CONFIRMED, EFFECT, PAIR, STOPPED, FirstWrong
from tb.diagnosis.listing_lines import ListingLines
from tb.diagnosis.names import Names
from tests.diagnosis.faulty import FaultyMachine, Left

REPO = Path(__file__).parents[2]
HW = Hardware(8, 4, vram_elems=1 << 14, msram_tiles=8, hbm_bytes=1 << 16)


@cache
def work() -> Workload:
    """Two batches, two heads, two key tiles."""
    return build(make_case("small", HW, batch=2, seq=9, heads=2, head_dim=8, causal=True))


def base(name: str) -> int:
    """Where a tensor begins."""
    return next(tensor.base for tensor in work().tensors if tensor.name == name)


def find(
    number: int, fault: Callable[[Machine], None], width: int = 1, budget: float = 60.0, cycles: int = 0
) -> tuple[FirstWrong, FaultyMachine]:
    """Look for a fault."""
    machine = FaultyMachine(work(), number, fault, width)
    found = first_wrong.find(work(), machine.end, machine.trace, machine.run_to, budget, cycles)
    assert found is not None
    return found, machine


def wrong_scores(machine: Machine) -> None:
    """One element of the scores, row 3, column 1, gets other bits."""
    machine.images.vram[base("S") + 3 * HW.mlen + 1] ^= 0x0540


def instructions(mnemonic: str) -> list[int]:
    """Numbers of the instructions of a run that are of a kind."""
    machine = FaultyMachine(work(), -1, wrong_scores)
    return [n for n, word in enumerate(machine.trace[:, 1]) if disassemble(int(word)).startswith(mnemonic)]


def seen(numbers: list[int], fault: Callable[[Machine], None]) -> list[int]:
    """Those of the instructions after which a fault still shows at the end: nothing right hides it."""
    right = FaultyMachine(work(), -1, fault).end.images.vram
    ends = {number: FaultyMachine(work(), number, fault).end.images.vram for number in numbers}
    return [number for number, vram in ends.items() if not np.array_equal(vram, right)]


@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_wrong_element_names_its_instruction(place: float) -> None:
    numbers = seen(instructions("M_MM_WO"), wrong_scores)
    number = numbers[int(place * (len(numbers) - 1))]
    found, machine = find(number, wrong_scores)
    assert (found.number, found.how) == (number, CONFIRMED)
    assert (found.pc, found.word, found.cycle) == tuple(machine.trace[number])
    assert found.difference.memories["vram"].tolist() == [base("S") + 3 * HW.mlen + 1]
    # One product before a write-out is looked at as well.
    assert found.probes <= np.ceil(np.log2(len(machine.trace))) + 1


def test_a_wrong_register_names_its_instruction() -> None:
    trace = FaultyMachine(work(), -1, wrong_scores).trace
    register = int(trace[instructions("V_RED_MAX")[2], 1]) >> 6 & 15

    def fault(machine: Machine) -> None:
        machine.f[register] ^= 0x0155

    into = [n for n in instructions("V_RED_MAX") if int(trace[n, 1]) >> 6 & 15 == register]
    number = seen(into, fault)[0]
    found, _ = find(number, fault)
    assert found.number == number and not found.difference.memories
    assert [line.split(":")[0] for line in found.difference.registers] == [f"register f{register}"]


def test_what_waits_in_a_sum_is_traced_behind_it() -> None:
    """A word is wrong until a product has read it; then a sum that nobody sees; then what the sum gives."""
    clean = FaultyMachine(work(), -1, wrong_scores)
    product = instructions("M_MM ")[-1]
    rows: list[int] = []

    def note(machine: Machine) -> None:
        rows.append(machine.gp[int(clean.trace[product, 1]) >> 14 & 15])

    FaultyMachine(work(), product, note)
    at, good = rows[0], []

    def wrong_for_a_moment(machine: Machine, number: int) -> None:
        if number == product - 2:
            good.append(machine.images.vram[at])
            machine.images.vram[at] ^= 0x0540
        if number == product:
            machine.images.vram[at] = good[-1]

    machine = FaultyMachine(work(), product, lambda _: None, every=wrong_for_a_moment)
    found = first_wrong.find(work(), machine.end, machine.trace, machine.run_to, 60.0)
    assert found is not None and (found.number, found.how) == (product - 2, CONFIRMED)


@pytest.mark.parametrize("second", [0, 1])
def test_of_two_in_a_cycle_the_one_that_wrote_the_word(second: int) -> None:
    """An element that one of the pair writes; a stray one may be of either."""
    trace = FaultyMachine(work(), -1, wrong_scores, 2).trace
    number = next(n for n in instructions("V_EXP_V")[4:] if n % 2 == second)

    def of_its_row(machine: Machine) -> None:
        machine.images.vram[machine.gp[int(trace[number, 1]) >> 6 & 15] + 2] ^= 4

    found, _ = find(number, of_its_row, 2)
    assert (found.number, found.how) == (number, CONFIRMED)

    def stray(machine: Machine) -> None:
        machine.images.vram[-1] ^= 1

    found, _ = find(number, stray, 2)
    assert found.how == PAIR and number in (found.number, found.number + 1) and found.other is not None


def test_a_wrong_next_pc_is_that_of_the_last_of_a_cycle() -> None:
    """Nothing but the way on is wrong: a loop that ends too late, for example."""
    machine = FaultyMachine(work(), -1, wrong_scores, 2)
    last = next(n for n in instructions("C_LOOP_END")[5:] if n % 2 == 1)

    def run_to(cycle: int) -> Left:
        left = machine.run_to(cycle)
        return replace(left, pc=left.pc + 1) if left.instructions > last else left

    end = replace(machine.end, pc=machine.end.pc + 1)
    found = first_wrong.find(work(), end, machine.trace, run_to, 60.0)
    assert found is not None and (found.number, found.how) == (last, CONFIRMED)
    assert found.difference.registers[0].startswith("register pc: got ")


@pytest.mark.parametrize(("mnemonic", "how"), [("V_MUL_VF", CONFIRMED), ("V_EXP_V", STOPPED)])
def test_without_time_the_earliest_wrong_result_tells(mnemonic: str, how: str) -> None:
    """A wrong element of O stays to the end: both sides of its writer are looked at, in three runs at most.

    One of P in the first batch is overwritten: the earliest wrong result at a stop in between has the writer.
    """
    machine = FaultyMachine(work(), -1, wrong_scores)
    number = instructions(mnemonic)[-1 if how == CONFIRMED else 3]
    row = int(machine.trace[number, 1]) >> 6 & 15

    def fault(machine: Machine) -> None:
        machine.images.vram[machine.gp[row] + 1] ^= 0x0540

    found, _ = find(number, fault, budget=-1.0)
    assert (found.number, found.how) == (number, how) and found.probes <= 3


def test_cycles_that_may_be_simulated_are_no_matter_of_the_host() -> None:
    """Its seconds are over at once; the cycles of a run suffice for an early fault."""
    number = instructions("V_EXP_V")[3]
    machine = FaultyMachine(work(), -1, wrong_scores)
    row = int(machine.trace[number, 1]) >> 6 & 15

    def fault(machine: Machine) -> None:
        machine.images.vram[machine.gp[row] + 1] ^= 0x0540

    found, _ = find(number, fault, budget=-1.0, cycles=int(machine.trace[-1, 2]))
    assert (found.number, found.how) == (number, CONFIRMED) and found.probes > 5


def test_a_fault_that_every_stop_hides_is_told_by_its_effect() -> None:
    """Stops drain, so a fault of two instructions that meet may be gone; the end still has it."""
    number = instructions("V_MUL_VF")[-1]
    machine = FaultyMachine(work(), -1, wrong_scores)
    row = int(machine.trace[number, 1]) >> 6 & 15
    wrong = FaultyMachine(work(), number, lambda m: m.images.vram.__setitem__(m.gp[row], 0x7FC0))
    found = first_wrong.find(work(), wrong.end, machine.trace, machine.run_to, 60.0)
    assert found is not None and (found.number, found.how) == (number, EFFECT)


def in_words(found: FirstWrong) -> Culprit:
    """As reports have it."""
    names = Names(HW, work().tensors, work().outputs)
    listing = ListingLines(numbered(work().listing, work().words), work().sources, REPO)
    return account.culprit(found, names, listing, work().words)


def test_the_account_has_names_loops_and_the_source() -> None:
    number = instructions("M_MM_WO")[-1]
    culprit = in_words(find(number, wrong_scores)[0])
    assert culprit.wrong[0].where == "S row 3, column 1" and culprit.unit == "M"
    assert "got 0x" in culprit.wrong[0].examples[0] and "expected 0x" in culprit.wrong[0].examples[0]
    assert [loop.split(" of the loop")[0] for loop in culprit.loops][:2] == ["pass 2 of 2", "pass 2 of 2"]
    assert "(batches)" in culprit.loops[0] and "heads of K and V" in culprit.loops[1]
    file, line = str(culprit.source).split(":")
    assert file.startswith("plena_ref/kernels/attention/")
    assert "M_MM_WO" in (REPO / file).read_text().splitlines()[int(line) - 1]
    (marked,) = [text for text in culprit.listing if text.startswith(">")]
    assert "M_MM_WO" in marked and f" {culprit.pc} 0x" in marked
    printed = "\n".join(lines(account.Account(culprit=culprit)))
    assert f"first wrong instruction: pc {culprit.pc}, M_MM_WO" in printed and CONFIRMED in printed


def test_passes_are_counted_where_a_body_uses_or_sets_the_counter() -> None:
    text = "C_LOOP_START gp1, 3\nC_LOOP_START gp2, 8\nS_ADDI_INT gp2, gp0, 1\nC_LOOP_END gp2\n"
    words = assemble(f"{text}C_LOOP_END gp1\nC_BREAK\n")
    ran = [0, *[1, 2, 3, 4] * 3, 5]
    trace = np.array([(pc, words[pc], cycle) for cycle, pc in enumerate(ran)], np.uint32)
    found = [first_wrong.open_loops(trace, number) for number in range(len(ran))]
    assert found[:5] == [(), ((0, 1),), ((0, 1), (1, 1)), ((0, 1), (1, 1)), ((0, 1),)]
    assert found[6:8] == [((0, 2), (1, 1))] * 2 and found[-2:] == [((0, 3),), ()]
