"""What a person sees of a run's waves first: an overview, then a group a unit in the order of the pipeline.

What a simulator's dump does not hold is left out of the save file; tb/system/test_waves.py holds that every
line is there on both simulators.
"""

from __future__ import annotations

from dataclasses import dataclass

BENCH, CORE = "plena_tb", "plena_tb.u_core"
#: Formats of a line besides the names of translation files (tb/bench/wave_filters.py).
BIT, DECIMAL, HEX, COUNT = "bit", "decimal", "hex", "count"
#: Numbers of bf16 and of f32, the lowest first; a row of VRAM with the tensor that lies there.
NUMBERS, SUMS, ROW = "numbers", "sums", "row"


@dataclass(frozen=True)
class Line:
    """One line of a view.

    Attributes:
        signal: full name of the signal.
        form: how it is shown: one of the formats, or the name of a translation.
        label: what stands before it; empty: the signal's own name.
        low, width: bits that are shown, from `low` up; a width of 0 shows all.
    """

    signal: str
    form: str
    label: str = ""
    low: int = 0
    width: int = 0


@dataclass(frozen=True)
class View:
    """A group of lines."""

    title: str
    lines: tuple[Line, ...]


def _of(unit: str, text: str) -> tuple[Line, ...]:
    """Lines from words of the form signal:form."""
    words = [word.partition(":") for word in text.split()]
    return tuple(_line(f"{CORE}.{unit}.{name}", form or BIT) for name, _, form in words)


def _line(signal: str, form: str) -> Line:
    """A line; of an instruction word its operation code."""
    if form == "opcode_of_word":
        return Line(signal, "opcode", f"{signal.rpartition('.')[2]} opcode", 0, 6)
    return Line(signal, form)


#: The units in the order of their bits in the core's vectors, each with its instance.
UNITS = (("matrix", "u_matrix"), ("vector", "u_vector"), ("float", "u_float"), ("hbm", "u_hbm"))

OVERVIEW = View(
    "overview",
    (
        Line(f"{CORE}.cycles", DECIMAL, "cycle"),
        Line(f"{BENCH}.trace_pc", DECIMAL, "pc"),
        Line(f"{BENCH}.retired_opcode", "opcode", "retired"),
        Line(f"{BENCH}.retired_opcode_2", "opcode", "retired beside it"),
        Line(f"{CORE}.dispatch_state", "dispatch", "dispatch"),
        *(
            line
            for number, (name, instance) in enumerate(UNITS)
            for line in (
                Line(f"{CORE}.busy", BIT, f"{name} busy", number, 1),
                Line(f"{CORE}.u_counters.state_q", "queue", f"{name} head", 4 * number, 4),
                *(
                    [Line(f"{CORE}.{instance}.waiting", COUNT, f"{name} queue waits")]
                    if name != "hbm"
                    else [Line(f"{CORE}.u_hbm.unbegun", COUNT, "hbm queue waits")]
                ),
            )
        ),
        Line(f"{CORE}.read_beat", BIT, "AXI beat read"),
        Line(f"{CORE}.write_beat", BIT, "AXI beat written"),
        Line(f"{CORE}.if_req", BIT, "instruction line wanted"),
        Line(f"{CORE}.stop_cause", "cause", "cause of the stop"),
    ),
)

_FRONTEND = """
running dispatching pc_q:decimal loop_pc:decimal loop_reg:decimal word_valid second_valid
first_word:opcode_of_word second_word:opcode_of_word first_retire second_retire first_select:hex
first_cause:cause unit_free:hex push:hex row_d:row row_a:row row_b:row fp_address:decimal
int_address:decimal gp_rs1:decimal gp_rs2:decimal f_read:hex f_write:hex slots_idle stop_now
"""
_MATRIX = """
head_valid head_issues head_waits head_refused waiting:count push push_op:matrix_op push_row:row
push_tile:decimal rd_req rd_gnt rd_row:row ms_rd_en ms_rd_tile:decimal ms_rd_idx:decimal ms_rd_col pair
advance macs:decimal drain drain_row:decimal writeout wo_row:row wr_req wr_gnt wr_row:row
"""
_VECTOR = """
head_valid head_issues head_waits head_refused waiting:count op:vector_op s1_op_q:vector_op
s2_op_q:vector_op issue rd_a_req rd_a_gnt rd_a_row:row rd_b_req rd_b_gnt rd_b_row:row pass_a
s3_hit_a s4_hit_a from_s4_a_q from_s5_a_q s2_red_q s3_valid_q s3_row_q:row s4_valid_q s4_row_q:row
f_wen f_wsel:decimal f_wdata:numbers wr_req wr_gnt wr_row:row
"""
_FLOAT = """
head_valid head_issues head_waits head_refused waiting:count op:float_op issue fa:decimal fb:decimal
fd:decimal x_op_q:float_op x_a_q:numbers x_b_q:numbers alu_valid_q alu_result:numbers sfu1_valid_q
sfu2_valid_q sfu_result:numbers s_rd_en s_rd_gnt s_rd_addr:decimal s_rd_data:numbers wr_en wr_addr:decimal
wr_data:numbers
"""
_HBM = """
head_valid head_issues head_waits head_bus unbegun:count push push_op:hbm_op push_row:row
push_tile:decimal dma_req dma_gnt dma_addr:decimal m_axi_arvalid m_axi_arready m_axi_rvalid m_axi_rready
m_axi_awvalid m_axi_wvalid m_axi_bvalid elem_valid scale_valid ms_wr_en ms_wr_tile:decimal ms_wr_idx:decimal
wr_req wr_gnt wr_row:row rd_req rd_row:row
"""
#: A group a unit, in the order of the pipeline.
PIPELINE = (
    View("frontend", _of("u_front", _FRONTEND)),
    View("HBM unit", _of("u_hbm", _HBM)),
    View("matrix unit", _of("u_matrix", _MATRIX)),
    View("vector unit", _of("u_vector", _VECTOR)),
    View("float unit", _of("u_float", _FLOAT)),
)

#: Rows of data, wider than 64 bits: their first elements are shown as numbers.
ROWS = (
    ("row read by the matrix unit", f"{CORE}.u_matrix.rd_data"),
    ("tile row read from MSRAM", f"{CORE}.u_matrix.ms_rd_data"),
    ("row written by the matrix unit", f"{CORE}.u_matrix.wr_data"),
    ("row a of the vector unit", f"{CORE}.u_vector.rd_a_data"),
    ("row b of the vector unit", f"{CORE}.u_vector.rd_b_data"),
    ("row written by the vector unit", f"{CORE}.u_vector.wr_data"),
    ("row from HBM to VRAM", f"{CORE}.u_hbm.wr_data"),
    ("tile row from HBM to MSRAM", f"{CORE}.u_hbm.ms_wr_data"),
)
#: Rows of f32, of which the same is shown.
ROWS_OF_SUMS = (("sums that leave the array, f32", f"{CORE}.u_matrix.row_data"),)
#: Elements of a row that are shown.
ROW_ELEMENTS = 4


def rows(mlen: int) -> View:
    """The first elements of each row of data."""
    count = min(ROW_ELEMENTS, mlen)
    lines = [Line(signal, NUMBERS, f"{label} [0:{count - 1}]", 0, 16 * count) for label, signal in ROWS]
    lines += [Line(signal, SUMS, f"{label} [0:{count - 1}]", 0, 32 * count) for label, signal in ROWS_OF_SUMS]
    return View("rows of data, as numbers", tuple(lines))
