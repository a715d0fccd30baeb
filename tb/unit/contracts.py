"""How each assertion of the RTL is shown to fire: a small bench that breaks its contract, on Icarus.

Most violations drive the module's inputs as its user must not; where a contract follows from the module's own
state, they force that state, as a fault in it would.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tb.engine.paths import REPO, include_flags, rtl_sources

_INCLUDE = re.compile(r'`include "(\w+\.svh)"')
_PORT = re.compile(r"^\s*input\s+wire logic\s*(?:\[.*?\])?\s*(\w+)\s*[,/\n]", re.MULTILINE | re.DOTALL)
_BENCH = """`timescale 1ns / 1ps
module violation;
  reg clk = 1'b0;
  always #1 clk = ~clk;
  {module} #({parameters}) dut (.clk(clk));
  initial begin
{idle}
    force dut.{reset} = 1'b1;
    #4 force dut.{reset} = 1'b0;
    #4 {violation}
    #4 $display("nothing fired");
    $finish;
  end
endmodule
"""


@dataclass(frozen=True)
class Violation:
    """One broken contract.

    Attributes:
        assertion: its name.
        module: the module it is in.
        steps: signals of the module and the values forced on them, which stay: "a=1 b=2; a=0" is two cycles.
        parameters: of the module, where its own do not fit.
        reset: its reset input.
    """

    assertion: str
    module: str
    steps: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    reset: str = "rst"


_SMALL = {"MLEN": 8, "BLEN": 4, "HLEN": 8}
_QUEUE = {**_SMALL, "Q": 4}
_ROWS = {**_SMALL, "VRW": 6}
_VRAM = {"MLEN": 8, "BLEN": 4, "VRAM_ELEMS": 192}
_READ = {"MLEN": 16, "BLEN": 8, "ELEM_BEATS": 2, "SCALE_BEATS": 2, "BURST": 2}
_HBM = {"MLEN": 16, "BLEN": 8}
_CORE = {"MLEN": 8, "BLEN": 4, "HLEN": 8, "VRAM_ELEMS": 1024, "MSRAM_TILES": 4}
_SLOTS = {"NM": 4, "NV": 4, "NF": 4, "NH": 2, "VRW": 6, "TW": 2, "FAW": 6}

VIOLATIONS = (
    # Queues of the units
    Violation("slot_queue_full", "slot_queue", "push=1; ; ; ; ", {"Q": 4}),
    Violation("slot_queue_issue", "slot_queue", "push=1; push=0 issue=8'd1; "),
    # Frontend
    Violation("run_retire_running", "run_state", "retire=2'b01"),
    Violation("run_second_alone", "run_state", "start=1; start=0 retire=2'b10"),
    Violation("run_stop_running", "run_state", "stop_now=1"),
    Violation("loop_push_full", "loop_stack", "push=1", {"DEPTH": 1}, reset="clear"),
    Violation("loop_pop_empty", "loop_stack", "pop=1", reset="clear"),
    Violation("loop_push_pop", "loop_stack", "push=1; pop=1", reset="clear"),
    Violation("scoreboard_push_one", "scoreboard", "push=4'b0110", _SLOTS),
    Violation("scoreboard_push_free", "scoreboard", "push=4'b1000", _SLOTS),
    Violation("scoreboard_done_live", "scoreboard", "done[5]=1'b1", _SLOTS),
    Violation("scoreboard_read_once", "scoreboard", "rd_done[9]=1'b1", _SLOTS),
    Violation("scoreboard_fault_live", "scoreboard", "fault=2'b10", _SLOTS),
    Violation("scoreboard_one_result", "scoreboard", "push=4'b0010 n_w=1 n_f_write=8'd2", _SLOTS),
    Violation("icache_answer_asked", "icache", "if_rvalid=1"),
    Violation("icache_requests", "icache", "fifo_count_q=17"),
    Violation("icache_aligned", "icache", "base=64'd4 length=32'd8 enable=1"),
    # Memories
    Violation("arbiter_grants", "bank_arbiter", "req=4'b1111 gnt=4'b0011"),
    Violation("arbiter_grants", "bank_arbiter", "req=4'b1000 gnt=4'b0100"),
    Violation("arbiter_grants", "bank_arbiter", "req=4'b1000 gnt=4'b0000"),
    Violation("vram_read_inside", "vram", "rd_req=4'b0100 rd_row=20'hFFFFF", _VRAM),
    Violation("vram_write_inside", "vram", "wr_req=3'b010 wr_row=15'h7FFF", _VRAM),
    # Matrix unit
    Violation(
        "matrix_init_idle", "matrix_unit", "push=1 push_op=4'd2 slot_ready=4'hF; push=0; init=1", _QUEUE
    ),
    Violation("matrix_flush_between", "matrix_unit", "fetch_index=1 flush=1", _QUEUE),
    Violation("writeout_turn_waits", "writeout_order", "turn=1"),
    Violation("writeout_done_turned", "writeout_order", "issue=1; issue=0 done=1"),
    Violation("writeout_places", "writeout_order", "issue=1; ; ; ", {"Q": 2}),
    Violation("pairs_free", "operand_pairs", "fetched=1; fetched=1; fetched=1; fetched=1; fetched=1", _SMALL),
    Violation("pairs_load", "operand_pairs", "load=1", _SMALL),
    Violation("array_owed_once", "array_control", "owed_q=4'hF wo=1 room=1 turn=1", {"BLEN": 4}),
    Violation("array_room", "array_control", "reserve=1", {"BLEN": 4}),
    Violation(
        "array_drain_settled", "systolic_array", "advance=1 load=1; load=0; drain=1", {"MLEN": 8, "BLEN": 4}
    ),
    Violation("writeout_reserve", "writeout", "reserve=1; ; ; ; ", _ROWS),
    Violation("writeout_overflow", "writeout", "queue_full_q=1 rounded_valid_q=1", _ROWS),
    Violation("writeout_one_block", "writeout", "queue_full_q=1 to_mask=2'b11", _ROWS),
    Violation("heads_one_writeout", "head_sums", "turn=1; turn=1", _ROWS),
    Violation("heads_held", "head_sums", "turn=1; turn=0 enter=1", _ROWS),
    Violation("heads_one_read", "head_sums", "turn=1 write=1; turn=0; row_valid=1 row_single=1", _ROWS),
    Violation("heads_landed", "head_sums", "row_valid=1 row_single=1; row_valid=0; ; ", _ROWS),
    # Vector unit
    Violation("row_writer_full", "row_writer", "in_valid=1; ; ; ; ; ", {"MLEN": 8, "Q": 4}),
    Violation(
        "reduction_one_result", "reduction_tree", "in_valid=1; in_valid=1 in_max=1; in_valid=0", {"MLEN": 8}
    ),
    Violation("topk_start_idle", "topk", "start=1; start=1", {"MLEN": 8}),
    Violation("topk_row_expected", "topk", "row_valid=1", {"MLEN": 8}),
    # Float unit
    Violation("f_one_writer", "f_file", "alu_en=1 alu_sel=3 vector_en=1 vector_sel=3"),
    # Operations that the table of instructions does not name
    Violation("matrix_operation", "matrix_unit", "push=1 push_op=4'd15", _QUEUE),
    Violation("vector_operation", "vector_unit", "push=1 push_op=4'd15", {"MLEN": 8, "VRW": 6}),
    Violation("float_operation", "float_unit", "push=1 push_op=4'd15"),
    Violation("hbm_operation", "hbm_unit", "push=1 push_op=4'd15", _HBM),
    # HBM unit
    Violation("fifo_pop_valid", "stream_fifo", "out_pop=1"),
    Violation("fifo_words", "stream_fifo", "wr_ptr_q=3'd5 rd_ptr_q=0"),
    Violation("groups_read_asked", "id_groups", "read_end=1 read_group=2"),
    Violation("groups_write_asked", "id_groups", "write_end=1 write_group=1"),
    Violation("groups_reads_most", "id_groups", "read_step=1; ; ", {"READS": 1}),
    Violation("groups_writes_most", "id_groups", "write_step=1; ; ", {"WRITES": 1}),
    Violation("groups_ready", "id_groups", "ready=0 read_step=1"),
    Violation(
        "read_address_stands",
        "axi_read_arbiter",
        "m_axi_arvalid=1 m_axi_arid=0 m_axi_arlen=0 m_axi_araddr=0; m_axi_araddr=64",
    ),
    Violation("read_address_aligned", "axi_read_arbiter", "if_req=1 if_addr=8; "),
    Violation("read_address_page", "axi_read_arbiter", "dma_req=1 dma_addr=64'd4032 dma_len=1; "),
    Violation(
        "request_stands",
        "read_request",
        "seg_valid_q=1 seg_scale_q=0 seg_beat_q=0 seg_left_q=1; seg_beat_q=1",
    ),
    Violation("request_beats", "read_request", "active_q=1 beats=0"),
    Violation("request_block", "read_request", "seg_valid_q=1 seg_scale_q=0 seg_beat_q=15 burst=2"),
    Violation("request_elem_asked", "read_request", "elem_pop=1; "),
    Violation("request_scale_asked", "read_request", "scale_pop=1; "),
    Violation("gather_rows", "row_gather", "start_valid=1"),
    Violation("gather_reach", "row_gather", "take=1 reach=2'd2"),
    Violation("write_address_stands", "row_scatter", "m_axi_awvalid=1; m_axi_awvalid=0"),
    Violation("write_data_stands", "row_scatter", "m_axi_wvalid=1 m_axi_wstrb=1; m_axi_wstrb=0"),
    Violation("scatter_page", "row_scatter", "burst_step=1 beat=58'd63 seg=4'd2"),
    Violation("scatter_answer", "row_scatter", "ready=1 m_axi_bvalid=1"),
    Violation("scatter_beats", "row_scatter", "in_valid=1 in_first=0 in_last=1 total_q=0"),
    Violation("scatter_burst_ends", "row_scatter", "in_valid=1 in_last=1 total_q=1 seg_q=2"),
    Violation("scatter_low_bytes", "row_scatter", "in_valid=1 in_first=1 in_last=1 in_bytes=1 in_strb=2"),
    Violation("scatter_whole_chunks", "row_scatter", "in_valid=1 in_first=1 in_bytes=1 in_strb=1"),
    Violation("store_row_stands", "dma_write", "state_q=1 row_q=0; row_q=1", _HBM),
    Violation(
        "store_chunk_stands",
        "dma_write",
        "out_valid_q=1 out_first_q=1 out_last_q=1 out_scale_q=0 out_addr_q=0 out_ready=0; out_valid_q=0",
        _HBM,
    ),
    Violation("store_rows", "dma_write", "state_q=2 left_q=0", _HBM),
    Violation("store_ends", "dma_write", "state_q=6 left_q=1", _HBM),
    Violation("prefetch_elem_room", "dma_read", "r_elem=1; ; ; ; ", _READ),
    Violation("prefetch_scale_room", "dma_read", "r_scale=1; ; ; ; ", _READ),
    Violation(
        "prefetch_rows", "dma_read", "row_valid_q=1 row_err_q=0 row_tile_q=1 row_last_q=1 row_no_q=3", _READ
    ),
    Violation(
        "prefetch_row_stands",
        "dma_read",
        "row_valid_q=1 row_err_q=0 row_tile_q=0 row_last_q=0 row_base_q=0; row_base_q=1",
        _READ,
    ),
    Violation("hbm_slot_free", "hbm_unit", "push=1 push_op=1; ; ; ; ", _HBM),
    Violation("hbm_flush_idle", "hbm_unit", "push=1 push_op=1; push=0 flush=1", _HBM),
    Violation("hbm_beat_owed", "hbm_unit", "m_axi_rvalid=1 m_axi_rid=1", _HBM),
    Violation("hbm_read_id", "hbm_unit", "owed_q=1 m_axi_rvalid=1 m_axi_rid=3", _HBM),
    Violation("hbm_one_end", "hbm_unit", "read_end=1 store_end=1 read_end_slot=0 store_slot_q=0", _HBM),
    # Control registers and counters
    Violation("axil_response_stands", "control_regs", "s_axil_bvalid=1 s_axil_bresp=0; s_axil_bresp=2"),
    Violation("axil_data_stands", "control_regs", "s_axil_rvalid=1 s_axil_rdata=0; s_axil_rdata=1"),
    Violation("control_one_command", "control_regs", "start=1 abort=1"),
    Violation("control_start_rest", "control_regs", "running=1 start=1"),
    Violation("control_stop_running", "control_regs", "stop=1"),
    Violation("control_one_end", "control_regs", "stopped_q=1 trapped_q=1"),
    Violation("counters_dispatch", "perf_counters", "running=1 dispatch_state=4'd15"),
    Violation("counters_still", "perf_counters", "running=1 init=1"),
    # Core
    Violation("core_one_int_write", "plena_core", "topk_int_en=1 int_wr_en=1", _CORE),
    Violation("core_retire_running", "plena_core", "trace_valid=2'd1", _CORE),
)


def source_of(module: str) -> Path:
    """The file of a module, relative to the tree."""
    return next(Path(source) for source in rtl_sources() if Path(source).stem == module)


def with_includes(text: str) -> str:
    """The text with the lists that it includes in place."""
    return _INCLUDE.sub(lambda found: (REPO / "rtl" / found[1]).read_text(), text)


def bench(violation: Violation) -> str:
    """The bench as SystemVerilog: every input 0, a reset, two quiet cycles, then the steps."""
    text = with_includes((REPO / source_of(violation.module)).read_text())
    header = text[text.index(f"module {violation.module}") : text.index("\n);")]
    inputs = [port for port in _PORT.findall(header + "\n") if port != "clk"]
    cycles = []
    for cycle in violation.steps.split(";"):
        forced = [step.split("=", 1) for step in cycle.split()]
        cycles.append(" ".join(f"force dut.{signal} = {value};" for signal, value in forced))
    return _BENCH.format(
        module=violation.module,
        parameters=", ".join(f".{name}({value})" for name, value in violation.parameters.items()),
        idle="\n".join(f"    force dut.{port} = '0;" for port in inputs),
        reset=violation.reset,
        violation="\n    #2 ".join(cycles),
    )


def fired(violation: Violation) -> str:
    """Run the bench; what the simulation printed, which names the assertion if it fired."""
    return printed(bench(violation))


def printed(text: str, *options: str) -> str:
    """Compile a bench with the RTL on Icarus, with more options, and run it; what both printed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "violation.sv"
        file.write_text(text)
        model = Path(folder) / "model.vvp"
        command = ["iverilog", "-g2012", *options, "-o", str(model), "-s", "violation", *include_flags()]
        command += [*rtl_sources(), str(file)]
        compiled = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            return compiled.stdout + compiled.stderr
        ran = subprocess.run(["vvp", str(model)], capture_output=True, text=True, check=False, timeout=60)
        return ran.stdout + ran.stderr
