"""A language model on the RTL: passes in one session, what is compared, and the command as it is typed."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

from plena_ref.configs.models import DECODERS
from plena_ref.isa.assembler import assemble
from plena_ref.isa.counters import QUEUES
from plena_ref.isa.disassembler import disassemble
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.weight_tiles import Panel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import MemoryImages
from plena_ref.models.hbm_image import read_weights, write_weights
from plena_ref.models.staging import stage_rotation
from plena_ref.verdict.stages import first_wrong
from tb.bench import perfetto_tracks
from tb.bench.job import Job, JobResult
from tb.bench.perfetto_tracks import Track, spent
from tb.bench.session import Session
from tb.chat import command, pass_timeline
from tb.chat.machines import Pass, Reference, Rtl, differences, first_images, make_pass
from tb.engine import simulate
from tests.models.files import drawn_weights, reduced_checkpoint
from tests.models.packages import require_model_packages
from tests.refusals import refusals
from tests.sweep.dask_cluster import wait_for

HW = Hardware(16, 4, hbm_bytes=1 << 20, vram_elems=1 << 16)


@pytest.fixture(autouse=True)
def _simulator() -> None:
    simulate.require(simulate.default_simulator())


def _memory() -> tuple[ModelMemory, MemoryImages]:
    """The reduced decoder on a small machine, and the memories before its first pass."""
    config = DECODERS["reduced"]
    memory, weights = ModelMemory(HW, config, positions=24, chunk=8), drawn_weights(config)
    image = np.zeros(memory.limit, np.uint8)
    write_weights(memory, weights, image)
    stage_rotation(memory, image)
    return memory, first_images(memory, weights, image)


def _altered(result: JobResult, what: str) -> JobResult:
    """A result with one bit changed."""
    if what == "hbm":
        start, written = result.hbm_written
        written = written.copy()
        written[len(written) // 2] ^= 1
        return replace(result, hbm_written=(start, written))
    if what == "window":
        start, written = result.hbm_written
        return replace(result, hbm_written=(start + 8, written[8:]))
    if what == "gp5":
        registers = replace(result.registers, gp=list(result.registers.gp))
        registers.gp[5] ^= 1
        return replace(result, registers=registers)
    images = replace(result.images, **{what: getattr(result.images, what).copy()})
    getattr(images, what)[3] ^= 1
    return replace(result, images=images)


def test_passes_of_a_session_are_bit_exact_and_a_changed_bit_is_found(tmp_path: Path) -> None:
    memory, images = _memory()
    progress: list[int] = []
    with Session(HW) as session:
        rtl, position = Rtl(memory, images, session, traced=True), 0
        reference = Reference(memory, images, read_weights(memory, drawn_weights(memory.config), images.hbm))
        for tokens in ([3, 1, 4, 1, 5, 9, 2, 95], [0], [3, 5, 8]):
            made = make_pass(memory, len(tokens), position)
            running = rtl.start(made, tokens, lambda cycles, _seconds: progress.append(cycles))
            report, got = reference.run(made, tokens), running.result()
            assert differences(memory, got, report, reference) == []
            assert len(reference.stages) == 1 + 2 * 17 + 2 and first_wrong(reference.stages) is None
            assert (got.hbm_written is None) == (position == 0)
            rtl.end(got)
            position += len(tokens)
        assert got.images.hbm.size == 0 and 0 < len(got.hbm_written[1]) < HW.hbm_bytes // 4
        np.testing.assert_array_equal(rtl.whole_hbm(), images.hbm)
        for what in ("vram", "msram", "fpmem", "intmem", "hbm", "gp5"):
            assert len(differences(memory, _altered(got, what), report, reference)) == 1, what
    _check_timeline(tmp_path / "pass", got, made)


def _check_timeline(path: Path, got: JobResult, made: Pass) -> None:
    """Each step of the layers once; every instruction in its cycle; stalls and graphs as counted."""
    assert got.trace is not None and got.activity is not None
    pass_timeline.write(path, HW, got.trace, got.activity, made.marks)
    tracks = perfetto_tracks.read(path)
    layers = tracks["layer"].slices
    first = dict(zip(got.trace[::-1, 0].tolist(), got.trace[::-1, 2].tolist(), strict=True))
    assert {"layer 0", "layer 1"} <= {name for _, _, name, _, _ in layers}
    begins = sorted(begin for begin, _, name, _, depth in layers if depth or not name.startswith("layer"))
    assert begins == sorted({first[pc] for pc, _ in made.marks})
    retired = [*tracks["retired"].slices, *tracks["retired beside it"].slices]
    for begin, _, name, facts, _ in retired:
        pc, word, cycle = got.trace[int(facts["number"])].tolist()
        assert (begin, name, facts["pc"]) == (cycle, disassemble(word), pc)
    assert sorted(int(facts["number"]) for *_, facts, _ in retired) == [*range(len(got.trace))]
    counters = got.counters.to_json()
    assert spent(tracks["dispatch"], 0) == {name: n for name, n in counters["dispatch"].items() if n}
    for unit in QUEUES:
        waits = {name: n for name, n in counters[unit].items() if n and name not in ("empty", "issue")}
        seen = spent(tracks[f"{unit}: head of the queue"], 1)
        # The float unit and the HBM unit work ahead of the head, which then waits for nothing.
        assert (
            seen == waits if unit in ("matrix", "vector") else all(n <= waits[of] for of, n in seen.items())
        )
        ends: list[set[int]] = [set(), set()]
        for _, end, _, _, depth in tracks[f"{unit}: head of the queue"].slices:
            ends[depth].add(end)
        # In its last cycle a head issues; a state that is a cycle off would still be a wait there.
        assert unit not in ("matrix", "vector") or not ends[0] & ends[1]
        rows = [one.slices for name, one in tracks.items() if name.startswith(f"{unit}: at work")]
        assert sum(map(len, rows)) == counters["totals"][f"{unit}_instructions"]
    _check_graphs(tracks, got)


def _check_graphs(tracks: dict[str, Track], got: JobResult) -> None:
    """The windows of each graph together are what the machine counted."""
    counters = got.counters.to_json()
    totals = counters["totals"]
    wanted = {"array": 100 * totals["macs"] / (HW.mlen * HW.blen)}
    wanted |= {"bus, read": 100 * totals["read_beats"], "bus, written": 100 * totals["write_beats"]}
    for unit in QUEUES:
        wanted |= {f"{unit}: {name}": 100 * n for name, n in counters[unit].items() if n}
        wanted[f"{unit}: given"] = totals[f"{unit}_instructions"]
    graphs = {title: track.values for title, track in tracks.items() if track.values}
    sums = {
        title: sum(min(pass_timeline.WINDOW, got.cycles - at) * value for at, value in values)
        for title, values in graphs.items()
    }
    assert sums == pytest.approx(wanted)


def test_what_a_job_does_not_write_is_no_part_of_its_dump() -> None:
    images = MemoryImages.zeros(HW)
    with Session(HW) as session:
        session.run(Job([0x34], images))
        result = session.run(Job([0x34], images, keep_hbm=True))
    assert result.hbm_written[1].size == 0 and result.status == "stopped"


def test_an_interrupted_session_ends_its_simulation() -> None:
    """In the middle of a job that would take minutes."""
    words = assemble("C_LOOP_START gp1, 4000000\nS_ADDI_INT gp2, gp2, 1\nC_LOOP_END gp1\n")
    under_way = threading.Event()
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt), Session(HW) as session:
        job = Job(words, MemoryImages.zeros(HW))
        running = pool.submit(session.run, job, lambda _cycles, _seconds: under_way.set())
        assert under_way.wait(60)
        raise KeyboardInterrupt
    assert running.exception(60) is not None
    assert not session.folder.exists()


def _ask(folder: Path, *arguments: str) -> list[str]:
    """A command line for the reduced decoder on a small machine."""
    usual = {"MODEL": str(reduced_checkpoint(folder)), "MLEN": "16", "BLEN": "4"}
    usual |= {"HBM_BYTES": "1048576", "MSRAM_TILES": "64", "VRAM_ELEMS": "65536"}
    typed = dict(argument.split("=", 1) for argument in arguments)
    return [f"{key}={value}" for key, value in (usual | typed).items()]


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_model_packages()
    monkeypatch.setattr("tb.engine.paths.BUILD", tmp_path)
    prompt = "cab" * 20  # two tokens each: three passes, and one for each token of the answer but the last
    arguments = _ask(tmp_path, f"PROMPT={prompt}", "TOKENS=3", "SIM=reference")
    assert command.main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"> {prompt}\n") and out.rstrip().endswith("PASS")
    assert out.count(" PASS ") == 5
    assert len(list((tmp_path / "weights").glob("*.hbm"))) == 1
    assert command.main([*arguments, "TEMPERATURE=2", "SEED=4"]) == 0
    assert len(list((tmp_path / "weights").glob("*.hbm"))) == 1


def test_the_first_wrong_stage_of_an_answer_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In layer 1, the second panel of SwiGLU reads gate and up the wrong way round."""
    require_model_packages()
    monkeypatch.setattr("tb.engine.paths.BUILD", tmp_path)
    activate = DecoderLayers._activate

    def wrong(layers: DecoderLayers, panel: Panel) -> None:
        memory = layers.memory
        if (panel.layer, panel.matrix, panel.first) != (1, "up", 16):
            return activate(layers, panel)
        with monkeypatch.context() as patch:
            patch.setattr(memory, "gate", memory.up)
            patch.setattr(memory, "up", memory.gate)
            return activate(layers, panel)

    monkeypatch.setattr(DecoderLayers, "_activate", wrong)
    assert command.main(_ask(tmp_path, "PROMPT=ab", "TOKENS=1", "SIM=reference")) == 1
    out = capsys.readouterr().out
    named = re.search(r"pass 0: layer 1, activation \(SwiGLU\): batch 0, row \d+, column (\d+) is", out)
    assert named and 16 <= int(named[1]) < 32
    assert out.rstrip().endswith("FAIL")


def test_prompts_of_a_file_are_answered_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In processes of their own, two at a time; one that fails is the exit status of all."""
    require_model_packages()
    monkeypatch.setattr("tb.chat.many.at_once", lambda: 2)
    monkeypatch.setenv("PLENA_BUILD", str(tmp_path))
    (tmp_path / "prompts").write_text("ab\n\nabc\n")
    prompts = f"PROMPTS={tmp_path / 'prompts'}"
    assert command.main(_ask(tmp_path, prompts, "TOKENS=1", "SIM=reference")) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line[:1] == ">"] == ["> ab", "> abc"]


def test_prompts_are_answered_on_the_workers_of_a_scheduler(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the checkout of the worker; other sources there are refused, and no worker is no answer."""
    require_model_packages()
    monkeypatch.setenv("PLENA_BUILD", str(tmp_path))
    (tmp_path / "prompts").write_text("ab\nabc\n")
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster:
        asked = _ask(tmp_path, f"PROMPTS={tmp_path / 'prompts'}", "TOKENS=1", "SIM=reference")
        asked.append(f"SCHEDULER={cluster.scheduler_address}")
        assert command.main(asked) == 0
        assert [line for line in capsys.readouterr().out.splitlines() if line[:1] == ">"] == ["> ab", "> abc"]
        monkeypatch.setattr("tb.chat.many.source_hashes", lambda: {"README.md": "0"})
        assert command.main(asked) == 2
        assert "README.md on the worker is not the same file" in capsys.readouterr().err
        cluster.scale(0)
        wait_for(lambda: not cluster.scheduler_info["workers"])
        assert command.main(asked) == 2
        assert "it has no worker" in capsys.readouterr().err
    monkeypatch.setattr("tb.chat.many.ANSWER_SECONDS", 1)
    assert command.main([*asked[:-1], "SCHEDULER=tcp://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err.startswith("error: SCHEDULER=tcp://127.0.0.1:1: ")


@pytest.mark.parametrize(("arguments", "message"), refusals("chat"))
def test_what_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_model_packages()
    assert command.main(_ask(tmp_path, *arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error


def test_one_pass_of_the_real_model_on_the_rtl(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole prompt through all 30 layers, bit-exact, and its best token float64's."""
    require_model_packages()
    arguments = ["PROMPT=What is the capital of France?", "TOKENS=1", "SIM=verilator"]
    assert command.main(arguments) == 0
    out = capsys.readouterr().out
    assert "\nThe\n" in out and "same" in out and "bit-exact with the reference machine: yes" in out
