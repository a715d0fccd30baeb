"""A case of this project as a build directory of PLENA's tools, so that their emulator runs it too."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.machine_code import write_program
from plena_ref.kernels.program import Program
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import place
from plena_ref.workloads.case import Case
from plena_ref.workloads.placement import comparison_of
from tb.peer import comparison, directory, golden, settings
from tb.peer.shape import ELEMENT

Word = TypeVar("Word", bound=np.generic)


def _used(words: NDArray[Word]) -> NDArray[Word]:
    """The words up to the last one that is not zero."""
    found = np.flatnonzero(words)
    return words[: int(found[-1]) + 1 if found.size else 0]


def _half_precision(case: Case, words: NDArray[np.uint16]) -> NDArray[np.float16]:
    """FP_MEM's words as float16, which must hold them exactly."""
    with np.errstate(over="ignore"):
        half = bf16_to_f32(words).astype(np.float16)
    if not np.array_equal(bf16_from_float(half.astype(np.float32)), words):
        raise CaseError(f"{case.name}: float16 does not hold a word of FP_MEM")
    return half


def write_directory(case: Case, folder: Path) -> None:
    """Write a case into an empty or new folder, its golden as text.

    Raises:
        CaseError: the case cannot be built, its heads have padding between them, or FP_MEM does not fit
            float16.
    """
    case = replace(case, hardware=replace(case.hardware, element=ELEMENT))
    placed, room = place(case)
    program = Program(case.hardware, placed.operator.title)
    placed.operator.emit(program)
    words, listing = program.finish()
    images = MemoryImages.zeros(case.hardware)
    answer = case.problem.stage(case, placed, images)
    batch, seq, heads, columns = answer.golden.shape
    if heads > 1 and columns != placed.head_cols:
        raise CaseError(f"{case.name}: heads of {columns} columns lie {placed.head_cols} columns apart")
    half = _half_precision(case, _used(images.fpmem))
    folder.mkdir(parents=True, exist_ok=True)
    write_program(folder / directory.PROGRAM, words)
    (folder / directory.ASSEMBLY).write_text(listing)
    images.hbm[: room.hbm.next_free].tofile(folder / directory.HBM)
    (folder / directory.HBM_SIZE).write_text(f"{-(-room.hbm.next_free // directory.BEAT) * directory.BEAT}\n")
    half.astype("<f2").tofile(folder / directory.FP_MEM)
    _used(images.intmem).astype("<u4").tofile(folder / directory.INT_MEM)
    _used(images.vram).astype("<u2").tofile(folder / directory.VRAM)
    write_golden(folder, answer.golden.reshape(batch * seq, heads * columns))
    params = asdict(comparison_of(placed.result)) | {"elements_per_batch": placed.result.parent.physical_cols}
    params |= {"use_slice_mode": False, "atol": 0.2, "rtol": 0.2, "min_allclose_match_rate": 90.0}
    (folder / comparison.FILE).write_text(json.dumps(params, indent=2) + "\n")
    (folder / settings.FILE).write_text(_settings_text(case))


def write_golden(folder: Path, values: NDArray[np.float64]) -> None:
    """Write a golden [rows, columns] as text of nine significant digits."""
    rows = "\n".join("  " + " ".join(f"{value:.9g}" for value in row) for row in values)
    (folder / golden.TEXT).write_text(f"{golden.HEADING}\n[\n{rows}\n]\n")


def _settings_text(case: Case) -> str:
    """The settings of the case's machine."""
    hw = case.hardware
    config = {
        "MLEN": hw.mlen,
        "VLEN": hw.mlen,
        "BLEN": hw.blen,
        "HLEN": hw.hlen,
        "BROADCAST_AMOUNT": hw.lanes,
        "HBM_SIZE": hw.hbm_bytes,
        "MATRIX_SRAM_SIZE": hw.msram_tiles * hw.mlen,
        "VECTOR_SRAM_SIZE": hw.vram_rows,
        "HBM_M_Prefetch_Amount": hw.mlen,
        "HBM_V_Prefetch_Amount": hw.vpref,
        "HBM_V_Writeback_Amount": hw.vstore,
    }
    plain = 'DATA_TYPE = { type = "Fp", sign = true, exponent = 8, mantissa = 7 }'
    element = 'ELEM = { type = "Fp", sign = true, exponent = 4, mantissa = 3 }'
    scale = 'SCALE = { type = "Fp", sign = false, exponent = 8, mantissa = 0 }'
    lines = [f"[TRANSACTIONAL.CONFIG.{key}]\nvalue = {value}" for key, value in config.items()]
    for key, transfers in settings.TRANSFERS.items():
        if transfers in hw.hbm_bf16.split(","):
            lines.append(f'[TRANSACTIONAL.PRECISION.{key}]\nformat = "Plain"\n{plain}')
            continue
        lines.append(
            f'[TRANSACTIONAL.PRECISION.{key}]\nformat = "Mx"\nblock = {hw.mx_block}\n{element}\n{scale}'
        )
    return "\n\n".join(lines) + "\n"
