// Part of a Verilator model with waves: SIGTERM ends the simulation as $finish does, so that the wave file is
// closed and can be read up to there. The engine sends it (tb/engine/processes.py), then waits some seconds.

#include <csignal>

#include "verilated.h"

namespace {

// The time step that runs is finished, then the loop of tb/engine/main.cpp ends.
void finish(int) { Verilated::threadContextp()->gotFinish(true); }

struct Installed {
    Installed() { std::signal(SIGTERM, finish); }
} installed;

}  // namespace
