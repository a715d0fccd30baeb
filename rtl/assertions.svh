// Macros for contracts: what a module may rely on, checked at every rising edge of `clk` in every simulation.
// A broken contract ends the simulation with time, module path, name and message; synthesis sees nothing of it.
// Specified in docs/assertions.md. Stands first in the list of sources.
//
//   `PLENA_ASSERT_RESET(rst)                        once in a module, before its first assertion
//   `PLENA_ASSERT(name, condition, "what is wrong when it does not hold")
//   `PLENA_ASSERT_WHEN(name, when, condition, "...")
//   `PLENA_ASSERT_STANDS(name, valid, ready, payload, "what is wrong when an offer goes or changes before it is taken")
//   `PLENA_ASSERT_HERE(name, condition, "...")      a statement, in an always block of `clk` and not in its reset
//   `PLENA_ASSERT_ALSO(when)                        in the test of a branch of registers: simulations take it then too
//
// _WHEN evaluates its condition only in a cycle in which `when` is not 0, which costs a simulation little. Several _HERE
// in one branch cost less, with one test for all, and least in a branch that the module has anyway. The branch must be
// taken too when what it tests is unknown: write `!==`. What only a contract has to see there is no gate of the branch:
// _ALSO keeps it from synthesis.
// Nothing is checked while the reset lasts, nor, where registers begin unknown, before its first cycle; Verilator knows
// no X, and its benches begin in reset. A condition that is unknown is broken. The test of the reset stands innermost:
// it is made only when a contract is broken.
// Names are unique in rtl. No semicolon follows.
`ifdef SYNTHESIS
`define PLENA_NO_ASSERTIONS
`endif
`ifdef PLENA_NO_ASSERTIONS
`define PLENA_ASSERT_RESET(RESET)
`define PLENA_ASSERT(NAME, CONDITION, MESSAGE)
`define PLENA_ASSERT_WHEN(NAME, WHEN, CONDITION, MESSAGE)
`define PLENA_ASSERT_STANDS(NAME, VALID, READY, PAYLOAD, MESSAGE)
`define PLENA_ASSERT_HERE(NAME, CONDITION, MESSAGE)
`define PLENA_ASSERT_ALSO(WHEN) 1'b0
`else
`ifdef VERILATOR
`define PLENA_ASSERT_RESET(RESET) \
  wire assert_off = RESET;
`else
`define PLENA_ASSERT_RESET(RESET) \
  logic assert_armed; \
  wire  assert_reset = RESET; \
  wire  assert_off = !(assert_armed && assert_reset !== 1'b1); \
  initial assert_armed = 1'b0; \
  always @(posedge clk) if (assert_reset === 1'b1) assert_armed <= 1'b1;
`endif
`define PLENA_ASSERT_BROKEN(NAME, MESSAGE) \
  if (!assert_off) $fatal(1, "assertion %0s: %0s", `"NAME`", MESSAGE);
`define PLENA_ASSERT(NAME, CONDITION, MESSAGE) \
  always @(posedge clk) begin : NAME \
    if ((CONDITION) !== 1'b1) \
      `PLENA_ASSERT_BROKEN(NAME, MESSAGE) \
  end
`define PLENA_ASSERT_WHEN(NAME, WHEN, CONDITION, MESSAGE) \
  always @(posedge clk) begin : NAME \
    if ((WHEN) !== 1'b0) \
      if ((CONDITION) !== 1'b1) \
        `PLENA_ASSERT_BROKEN(NAME, MESSAGE) \
  end
`define PLENA_ASSERT_HERE(NAME, CONDITION, MESSAGE) \
  begin : NAME \
    if ((CONDITION) !== 1'b1) \
      `PLENA_ASSERT_BROKEN(NAME, MESSAGE) \
  end
`define PLENA_ASSERT_ALSO(WHEN) (WHEN)
`define PLENA_ASSERT_STANDS(NAME, VALID, READY, PAYLOAD, MESSAGE) \
  always @(posedge clk) begin : NAME \
    reg waited; \
    reg [$bits(PAYLOAD)-1:0] offer; \
    if ((VALID) !== 1'b0) begin \
      if (waited === 1'b1) \
        if ((VALID && PAYLOAD == offer) !== 1'b1) `PLENA_ASSERT_BROKEN(NAME, MESSAGE) \
      waited = VALID && !(READY) && !assert_off; \
      if (waited) offer = PAYLOAD; \
    end else if (waited !== 1'b0) begin \
      if (waited === 1'b1) `PLENA_ASSERT_BROKEN(NAME, MESSAGE) \
      waited = 1'b0; \
    end \
  end
`endif
