"""Wave files: a GTKWave save file for a run, and the retired opcodes read back from its FST."""

from __future__ import annotations

from pathlib import Path

import pywellen

from plena_ref.isa import instructions as isa

WAVE_FILE = "dump.fst"
SAVE_FILE = "plena.gtkw"
OPCODE_FILE = "opcodes.txt"
_BENCH = "plena_tb"
#: Groups of the save file: title and the instance inside the core whose own signals it shows.
UNITS = (
    ("frontend", "u_front"),
    ("matrix unit", "u_matrix"),
    ("vector unit", "u_vector"),
    ("float unit", "u_float"),
    ("HBM unit", "u_hbm"),
    ("vector SRAM", "u_vram"),
    ("matrix SRAM", "u_msram"),
    ("FP_MEM", "u_fpmem"),
    ("INT_MEM", "u_intmem"),
    ("control registers", "u_regs"),
    ("performance counters", "u_counters"),
)
_BENCH_SIGNALS = ("clk", "rst", "irq", "running", "trace_valid", "trace_pc")
_WIDEST = 64
# GTKWave's display flags: hexadecimal, right-justified; with a translate file; a comment; a closed group.
_HEX, _TRANSLATED, _COMMENT, _GROUP_BEGIN, _GROUP_END = "@22", "@2022", "@200", "@c00200", "@1401200"


def write_save_file(folder: Path) -> Path:
    """Write ``plena.gtkw`` and its opcode names beside ``dump.fst``; return the save file's path.

    Signals are those the FST really holds: the retired instructions, then one closed group a unit with its
    signals of up to 64 bits. All paths in the file are relative to ``folder``.
    """
    names = sorted(isa.BY_OPCODE.items())
    (folder / OPCODE_FILE).write_text(
        "00 -\n" + "".join(f"{opcode:02x} {entry.mnemonic}\n" for opcode, entry in names if opcode)
    )
    signals = _signals(folder / WAVE_FILE)
    lines = [f'[dumpfile] "{WAVE_FILE}"', f'[savefile] "{SAVE_FILE}"', "[timestart] 0", _COMMENT, "-bench"]
    for name in _BENCH_SIGNALS:
        lines += _show(signals, f"{_BENCH}.{name}")
    for name in ("retired_opcode", "retired_opcode_2"):
        lines += _show(signals, f"{_BENCH}.{name}", OPCODE_FILE)
    for title, instance in UNITS:
        prefix = f"{_BENCH}.u_core.{instance}."
        inside = [name.removeprefix(prefix) for name in signals if name.startswith(prefix)]
        own = [prefix + name for name in inside if "." not in name and name not in ("clk", "rst")]
        if own:
            lines += [_GROUP_BEGIN, f"-{title}"]
            for name in own:
                lines += _show(signals, name)
            lines += [_GROUP_END, f"-{title}"]
    path = folder / SAVE_FILE
    path.write_text("\n".join(lines) + "\n")
    return path


def retired_opcodes(wave_file: Path) -> list[int]:
    """Return the opcodes of the retired instructions in order, sampled at the rising edges of the clock."""
    signals = {variable.full_name: variable for variable in pywellen.Waveform(str(wave_file)).all_vars()}
    names = ("clk", "trace_valid", "trace_instr")
    clock, valid, word = (list(signals[f"{_BENCH}.{name}"].tv) for name in names)
    rising = [time for time, value in clock if value == 1]
    retired = zip(_before(valid, rising), _before(word, rising), strict=True)
    return [bits >> 32 * slot & 0x3F for taken, bits in retired for slot in range(2) if taken >> slot & 1]


def _before(changes: list[tuple[int, int]], times: list[int]) -> list[int]:
    """The value of a signal just before each of the rising ``times``: what a flip-flop takes there."""
    values, value, at = [], 0, 0
    for time in times:
        while at < len(changes) and changes[at][0] < time:
            value = changes[at][1]
            at += 1
        values.append(value)
    return values


def _signals(wave_file: Path) -> dict[str, int]:
    """Width in bits of every signal of up to 64 bits, by its full name."""
    found = {}
    for variable in pywellen.Waveform(str(wave_file)).all_vars():
        width = variable.bitwidth
        if variable.type != "Parameter" and width is not None and 0 < width <= _WIDEST:
            found[variable.full_name] = width
    return dict(sorted(found.items()))


def _show(signals: dict[str, int], name: str, translation: str | None = None) -> list[str]:
    if name not in signals:
        return []
    width = signals[name]
    shown = name if width == 1 else f"{name}[{width - 1}:0]"
    if translation is None:
        return [_HEX, shown]
    return [_TRANSLATED, f"^1 {translation}", shown]
