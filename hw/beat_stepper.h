// Beat timing: steps the units that are active, cycle by cycle, against the
// scratchpad's banks. Cycles in which nobody is active cost nothing.
#pragma once

#include <memory>
#include <systemc>
#include <vector>

#include "hw/clock.h"
#include "hw/memory/stream_port.h"
#include "hw/sequencer/sequencer.h"
#include "hw/stepped_unit.h"

namespace quadrille::hw {

class BeatStepper : public sc_core::sc_module {
 public:
  using Units = std::vector<std::unique_ptr<SteppedUnit>>;

  BeatStepper(sc_core::sc_module_name name, const ScratchpadConfig& config, const Clock& clock,
              int units);

  /// What units notify when they become active. Before the first, connect().
  sc_core::sc_event& wake() { return wake_; }
  /// Whom it steps and whom it tells of their ends; both must outlive it.
  void connect(const Units& units, Sequencer& sequencer);

  const BankArbiter& arbiter() const { return arbiter_; }

 private:
  void step();

  Clock clock_;
  BankArbiter arbiter_;
  sc_core::sc_event wake_;
  const Units* units_ = nullptr;
  Sequencer* sequencer_ = nullptr;
  std::int64_t stepped_ = -1;
  int settle_ = 0;
};

}  // namespace quadrille::hw
