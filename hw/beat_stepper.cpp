#include "hw/beat_stepper.h"

#include <algorithm>
#include <limits>

namespace quadrille::hw {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// Two ports per unit: its reader's, or the DMA's, and its writer's.
std::vector<PortClass> port_classes(int units) {
  std::vector<PortClass> classes;
  for (int unit = 0; unit < units; ++unit) {
    const bool dma = static_cast<Unit>(unit) == Unit::kDma;
    classes.push_back(dma ? PortClass::kDma : PortClass::kReader);
    classes.push_back(dma ? PortClass::kDma : PortClass::kWriter);
  }
  return classes;
}

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): SystemC takes module names by value.
BeatStepper::BeatStepper(sc_core::sc_module_name name, const ScratchpadConfig& config,
                         const Clock& clock, int units)
    : sc_core::sc_module(name), clock_(clock), arbiter_(config, port_classes(units)) {
  SC_HAS_PROCESS(BeatStepper);
  SC_METHOD(step);
  sensitive << wake_;
  dont_initialize();
}

void BeatStepper::connect(const Units& units, Sequencer& sequencer) {
  units_ = &units;
  sequencer_ = &sequencer;
}

// One cycle of everything that is active. Ends that this cycle has produced
// take effect at the next cycle's begin: two delta cycles (units finish and
// start; units that waited for others start) pass before it is stepped.
void BeatStepper::step() {
  try {
    if (settle_ > 0) {
      --settle_;
      wake_.notify(sc_core::SC_ZERO_TIME);
      return;
    }
    const std::int64_t cycle = clock_.now();
    if (cycle <= stepped_) {
      wake_.notify(clock_.time(1));
      return;
    }
    stepped_ = cycle;
    arbiter_.clear();
    for (const auto& unit : *units_) {
      if (unit->active()) unit->request(arbiter_, cycle);
    }
    arbiter_.arbitrate(cycle);
    std::int64_t next = kNever;
    for (const auto& unit : *units_) {
      if (!unit->active()) continue;
      if (unit->step(arbiter_, cycle)) {
        sequencer_->command_ends(unit->unit(), cycle + 1);
        settle_ = 2;
        next = cycle + 1;
      } else {
        next = std::min(next, unit->next_cycle(cycle));
      }
    }
    if (next != kNever) wake_.notify(clock_.time(next - cycle));
  } catch (...) {
    sequencer_->fail(std::current_exception());
  }
}

}  // namespace quadrille::hw
