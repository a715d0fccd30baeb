// Main program of a Verilator model under cocotb: time steps, and the callbacks of Python through VPI.
// A time step in which no callback is due costs one evaluation and one look at the watched signals; the regions of a step
// (IEEE 1800-2017 section 4.4) are gone through only while Python is awake. Described in docs/bench.md, "Speed".

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"

#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

constexpr std::uint64_t NEVER = std::numeric_limits<std::uint64_t>::max();

std::uint64_t now = 0;

#if VM_TRACE
VerilatedFstC* waves = nullptr;
bool in_waves = true;  // what a model says that has a window (tb/bench/wave_window.sv)
#endif

// Calls what waits for changes of values until nothing changes any more; tells whether anything was called.
bool call_value_callbacks() {
    bool called = false;
    while (VerilatedVpi::callValueCbs()) called = true;
    return called;
}

// The rest of a time step after its first evaluation, with the callbacks of all its regions.
bool finish_step(Vtop& top) {
    bool called = false;
    do {
        while (VerilatedVpi::evalNeeded()) {
            VerilatedVpi::clearEvalNeeded();
            VerilatedVpi::doInertialPuts();
            top.eval_step();
            called |= call_value_callbacks();
        }
        called |= VerilatedVpi::callCbs(cbReadWriteSynch);
        VerilatedVpi::doInertialPuts();
        called |= call_value_callbacks();
    } while (VerilatedVpi::evalNeeded());
    return VerilatedVpi::callCbs(cbReadOnlySynch) || called;
}

void end_simulation() {
    VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_COVERAGE
    Verilated::threadContextp()->coveragep()->write();
#endif
#if VM_TRACE
    if (waves) waves->close();
#endif
}

}  // namespace

#if VM_TRACE
// From SystemVerilog: whether this time step and those after it are in the waves.
extern "C" void plena_waves(unsigned char on) { in_waves = on; }
#endif

double sc_time_stamp() { return static_cast<double>(now); }

int main(int argc, char** argv) {
    Verilated::commandArgs(argc, argv);
    Verilated::fatalOnVpiError(false);
    const auto top = std::make_unique<Vtop>("");
#if VM_TRACE
    Verilated::traceEverOn(true);
    if (std::any_of(argv + 1, argv + argc, [](const char* word) { return !std::strcmp(word, "--trace"); })) {
        waves = new VerilatedFstC;
        top->trace(waves, 99);
        waves->open("dump.fst");
    }
#endif
    vlog_startup_routines_bootstrap();
    Verilated::addExitCb([](void*) { end_simulation(); }, nullptr);
    VerilatedVpi::callCbs(cbStartOfSimulation);
    call_value_callbacks();

    // Python can register callbacks only while one runs, so it sleeps from a step without any to the next value or time
    // that it waits for.
    bool awake = true;
    while (!Verilated::gotFinish()) {
        top->eval_step();
        awake |= call_value_callbacks();
        if (awake) awake = finish_step(*top);
        top->eval_end_step();
#if VM_TRACE
        if (waves && in_waves) waves->dump(now);
#endif
        const std::uint64_t due = VerilatedVpi::cbNextDeadline();
        const std::uint64_t next = std::min(due, top->eventsPending() ? top->nextTimeSlot() : NEVER);
        if (next == NEVER) break;
        now = next;
        if (awake) {
            VerilatedVpi::callCbs(cbNextSimTime);
            call_value_callbacks();
        }
        if (due <= now) {
            VerilatedVpi::callTimedCbs();
            call_value_callbacks();
            awake = true;
        }
    }
    top->final();
    end_simulation();
#if VM_TRACE
    delete waves;  // before the model that it looks at
#endif
    return Verilated::threadContextp()->errorCount() > 0 ? 1 : 0;
}
