// The files of a job's memories (docs/bench.md, "Files of a job") in and out of the arrays of plena_tb's core and memory
// model, which it reaches by their names. A transfer takes no cycle of the core.
`timescale 1ns / 1ps
`default_nettype none

module memory_files #(
    parameter int MLEN = 64,  // tile edge and row length
    parameter int VRAM_ELEMS = 1 << 20,  // vector SRAM, elements
    parameter int MSRAM_TILES = 64,  // matrix SRAM, tiles
    parameter int FP_WORDS = 1024,  // FP_MEM, words
    parameter int INT_WORDS = 1024  // INT_MEM, words
);
  localparam int VRAM_ROWS = VRAM_ELEMS / MLEN / 8;  // rows a bank
  localparam int MSRAM_ROWS = MSRAM_TILES * MLEN;  // words a bank
  localparam int FP_ROWS = FP_WORDS / MLEN / 2;  // rows a bank

  // $fread takes words most significant byte first; %u writes 32-bit groups least significant byte first.
  // Every bank owns a slice of one file a memory, banks in rising order. The tasks below open the files, then raise
  // load_banks or dump_banks; so that a bank costs no more than a seek and its transfer.
  // Words of the storage that are not zero, so that the next load need not clear all of it.
  int used_words, used_program_at, used_program_words;

  bit load_banks, dump_banks;
  int vram_file, msram_file;  // open while one of them is high
  int vram_bytes, msram_bytes;  // that the banks have read

  for (genvar i = 0; i < 8; i++) begin : g_vram
    always @(posedge load_banks) begin : load
      int at;
      at = $fseek(vram_file, i * VRAM_ROWS * MLEN * 2, 0);
      vram_bytes = vram_bytes +
          $fread(plena_tb.u_core.u_vram.g_bank[i].u_bank.mem, vram_file, 0, VRAM_ROWS);
    end
    always @(posedge dump_banks) begin : dump
      int at;
      at = $fseek(vram_file, i * VRAM_ROWS * MLEN * 2, 0);
      for (int r = 0; r < VRAM_ROWS; r++)
      $fwrite(vram_file, "%u", plena_tb.u_core.u_vram.g_bank[i].u_bank.mem[r]);
    end
  end

  for (genvar i = 0; i < MLEN; i++) begin : g_msram
    always @(posedge load_banks) begin : load
      int at;
      at = $fseek(msram_file, i * MSRAM_ROWS * 2, 0);
      msram_bytes = msram_bytes +
          $fread(plena_tb.u_core.u_msram.g_bank[i].u_bank.mem, msram_file, 0, MSRAM_ROWS);
    end
    always @(posedge dump_banks) begin : dump
      int at;
      at = $fseek(msram_file, i * MSRAM_ROWS * 2, 0);
      for (int r = 0; r < MSRAM_ROWS; r += 2) begin
        $fwrite(msram_file, "%u", {plena_tb.u_core.u_msram.g_bank[i].u_bank.mem[r+1],
                                   plena_tb.u_core.u_msram.g_bank[i].u_bank.mem[r]});
      end
    end
  end

  // Loads every memory of a job: 64-bit words of hbm.in from byte 0 (with keep_hbm none), those of program.in from byte
  // program_at.
  task automatic load(input int job, input logic keep_hbm, input logic [63:0] image_words,
                      input logic [63:0] program_at, input logic [63:0] program_words);
    int file, got;
    vram_file = $fopen($sformatf("job%0d/vram.in", job), "rb");
    msram_file = $fopen($sformatf("job%0d/msram.in", job), "rb");
    vram_bytes = 0;
    msram_bytes = 0;
    load_banks = 1'b1;
    file = $fopen($sformatf("job%0d/fpmem.in", job), "rb");
    got = $fread(plena_tb.u_core.u_fpmem.mem_even, file, 0, FP_ROWS);
    got = got + $fread(plena_tb.u_core.u_fpmem.mem_odd, file, 0, FP_ROWS);
    if (got != FP_WORDS * 2) $fatal(1, "fpmem.in is short: %0d", got);
    $fclose(file);
    file = $fopen($sformatf("job%0d/intmem.in", job), "rb");
    got  = $fread(plena_tb.u_core.u_intmem.mem, file, 0, INT_WORDS);
    if (got != INT_WORDS * 4) $fatal(1, "intmem.in is short: %0d", got);
    $fclose(file);
    for (int k = 0; k < used_program_words; k++) plena_tb.u_memory.mem[used_program_at+k] = 64'd0;
    if (!keep_hbm) begin
      for (int k = 0; k < used_words; k++) plena_tb.u_memory.mem[k] = 64'd0;
      used_words = int'(image_words);
    end
    used_program_at = int'(program_at / 8);
    used_program_words = int'(program_words);
    if (!keep_hbm && image_words != 0) begin
      file = $fopen($sformatf("job%0d/hbm.in", job), "rb");
      got  = $fread(plena_tb.u_memory.mem, file, 0, used_words);
      if (got != used_words * 8) $fatal(1, "hbm.in is short: %0d", got);
      $fclose(file);
    end
    if (program_words != 0) begin
      file = $fopen($sformatf("job%0d/program.in", job), "rb");
      got  = $fread(plena_tb.u_memory.mem, file, used_program_at, used_program_words);
      if (got != used_program_words * 8) $fatal(1, "program.in is short: %0d", got);
      $fclose(file);
    end
    #0.1 load_banks = 1'b0;
    $fclose(vram_file);
    $fclose(msram_file);
    if (vram_bytes != VRAM_ELEMS * 2) $fatal(1, "vram.in is short: %0d", vram_bytes);
    if (msram_bytes != MSRAM_ROWS * MLEN * 2) $fatal(1, "msram.in is short: %0d", msram_bytes);
  endtask

  // Dumps every memory of a job; of HBM what was loaded and what lies below byte high_water, with keep_hbm only the words
  // from byte low_water to there.
  task automatic dump(input int job, input logic keep_hbm, input logic [63:0] low_water,
                      input logic [63:0] high_water);
    int file, first, stop;
    if (high_water > 64'(used_words) * 8) used_words = int'((high_water + 7) / 8);
    first = keep_hbm && high_water != 0 ? int'(low_water / 8) : 0;
    stop = keep_hbm ? int'((high_water + 7) / 8) : used_words;
    vram_file = $fopen($sformatf("job%0d/vram.out", job), "wb");
    msram_file = $fopen($sformatf("job%0d/msram.out", job), "wb");
    dump_banks = 1'b1;
    file = $fopen($sformatf("job%0d/fpmem.out", job), "wb");
    for (int r = 0; r < FP_ROWS; r++) $fwrite(file, "%u", plena_tb.u_core.u_fpmem.mem_even[r]);
    for (int r = 0; r < FP_ROWS; r++) $fwrite(file, "%u", plena_tb.u_core.u_fpmem.mem_odd[r]);
    $fclose(file);
    file = $fopen($sformatf("job%0d/intmem.out", job), "wb");
    for (int r = 0; r < INT_WORDS; r++) $fwrite(file, "%u", plena_tb.u_core.u_intmem.mem[r]);
    $fclose(file);
    file = $fopen($sformatf("job%0d/hbm.out", job), "wb");
    for (int k = first; k < stop; k++) $fwrite(file, "%u", plena_tb.u_memory.mem[k]);
    $fclose(file);
    #0.1 dump_banks = 1'b0;
    $fclose(vram_file);
    $fclose(msram_file);
  endtask
endmodule
`default_nettype wire
