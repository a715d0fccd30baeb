"""What a case is before it runs: tensors with addresses, the walk of its program, what the mask skips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from plena_ref.isa import instructions as isa
from plena_ref.isa.listing import instruction_lines
from plena_ref.isa.loops import executions, may_end_early
from plena_ref.kernels.attention.tiling import QueryTile, query_tiles
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.base import Workload

#: Tiles of a grid that are written out, in both directions.
_MOST_TILES = 64


def show(work: Workload, console: Console) -> None:
    """Print everything."""
    case, hw = work.case, work.hardware
    console.print(f"{case.name}: {case.problem.describe()}, seed {case.seed}", markup=False)
    console.print(
        f"MLEN {hw.mlen}, BLEN {hw.blen}, HLEN {hw.hlen}, kernel {case.kernel}; "
        f"{case.data} data, HBM limit {work.limit}"
    )
    console.print(_tensors(work))
    if isinstance(case.problem, Attention):
        for line in grid(query_tiles(case.problem.shape, hw.mlen), hw.mlen, case.problem.kv_seq):
            console.print(line, markup=False, highlight=False)
    counts, early = executions(work.words), may_end_early(work.words)
    units, most = _units(work.words, counts), "at most " if early else ""
    console.print(
        f"{len(work.words)} instructions in the program, {most}{sum(counts):,} are executed: {units}"
    )
    console.print("walk (how often each part runs, instructions of its own, comment)")
    for line in walk(work.listing, counts, early):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _tensors(work: Workload) -> Table:
    """Every tensor and run of words; addresses are elements of VRAM and MSRAM, words, and bytes of HBM."""
    table = Table("tensor", "memory", "first", "last", "rows x columns", "batches", "heads", title="tensors")
    for tensor in work.tensors:
        last = tensor.base + tensor.words - 1
        scales = f" (scales from {tensor.scale_base})" if tensor.scale_words else ""
        padding = (
            f", {tensor.active_rows} of {tensor.rows_per_batch} rows active"
            if tensor.active_rows < tensor.rows_per_batch
            else ""
        )
        table.add_row(
            tensor.name,
            tensor.memory,
            f"{tensor.base}",
            f"{last}{scales}",
            f"{tensor.rows} x {tensor.cols}",
            f"{tensor.batches}{padding}",
            f"{tensor.heads}",
        )
    return table


def grid(tiles: Sequence[QueryTile], mlen: int, kv_seq: int) -> Iterator[str]:
    """The tiles of scores of one head, a line a tile of queries: whole, masked in part, or skipped."""
    columns = -(-kv_seq // mlen)
    marks = {
        (tile.index, key.index): "#" if key.mask(mlen) is None else "/"
        for tile in tiles
        for key in tile.key_tiles
    }
    masked = sum(mark == "/" for mark in marks.values())
    skipped = len(tiles) * columns - len(marks)
    yield (
        f"tiles of scores of a head, {len(tiles)} x {columns} of {mlen} x {mlen}: "
        f"{len(marks) - masked} whole (#), {masked} masked in part (/), {skipped} skipped (.)"
    )
    for tile in tiles[:_MOST_TILES]:
        shown = min(columns, _MOST_TILES)
        line = "".join(marks.get((tile.index, key), ".") for key in range(shown))
        yield f"  queries {tile.index * mlen:>5} {line}{' ..' if shown < columns else ''}"
    if len(tiles) > _MOST_TILES:
        yield "  .."


def _units(words: Sequence[int], counts: Sequence[int]) -> str:
    """Executed instructions by unit, the busiest first."""
    units: Counter[str] = Counter()
    for word, count in zip(words, counts, strict=True):
        units[isa.BY_OPCODE[isa.opcode(word)].unit.name.lower()] += count
    return ", ".join(f"{name} {count:,}" for name, count in units.most_common())


def walk(listing: str, counts: Sequence[int], early: Sequence[range] = ()) -> Iterator[str]:
    """The comments and loops of a listing as an outline; instructions between them are counted, not shown.

    Args:
        listing: of the program.
        counts: how often each instruction runs.
        early: bodies of loops that may end early; of them and what is in them, the counts are the most.
    """
    lines = listing.splitlines()
    pcs = {number: pc for pc, number in enumerate(instruction_lines(listing))}
    pending, held = "", 0
    upcoming = 1

    def flush() -> Iterator[str]:
        if pending:
            yield f"{pending}{f'  [{held} instructions]' if held else ''}"

    for number, line in enumerate(lines):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        pc = pcs.get(number)
        if pc is not None:
            upcoming = counts[pc]
        loop = text.startswith("C_LOOP_START")
        if pc is not None and not loop:
            held += 1
            continue
        if not loop and not text.startswith(";"):
            continue
        yield from flush()
        comment = text.partition(";")[2].strip()
        trips = int(text.partition(";")[0].rpartition(",")[2]) if loop else 0
        name = f"loop {trips} x: {comment}" if loop else comment
        pending, held = f"  {' ' * indent}{name}", 0
        if pc is not None and loop:
            most = "at most " if any(pc + 1 in body for body in early) else ""
            pending += f"  ({most}{upcoming * trips:,} passes)"
    yield from flush()
