// A unit of the chip behind its sequencer queue: what the DMA and the engines'
// units have in common, in tile timing (one closed form per command) and in beat
// timing (cycle by cycle).
#pragma once

#include <string>
#include <systemc>
#include <vector>

#include "hw/chip_config.h"
#include "hw/chip_result.h"
#include "hw/memory/scratchpad.h"
#include "hw/memory/stream_port.h"
#include "hw/sequencer/sequencer.h"

namespace quadrille::hw {

/// What all units share.
struct UnitSurroundings {
  const ChipConfig* config = nullptr;
  Scratchpad* scratchpad = nullptr;
  bool data = false;
  bool beat = false;
  std::vector<CommandRecord>* records = nullptr;
  sc_core::sc_event* step = nullptr;  ///< Beat timing: wakes the chip's step.
};

/// A unit that is stepped cycle by cycle in beat timing.
class SteppedUnit : public UnitExecutor {
 public:
  /// `name` is a literal. `keep_spans`: its log will be merged with another unit's.
  SteppedUnit(Unit unit, const char* name, const UnitSurroundings& surroundings, bool keep_spans)
      : unit_(unit), name_(name), around_(surroundings), log_(keep_spans) {}

  Unit unit() const { return unit_; }
  const char* name() const { return name_; }
  const OccupancyLog& log() const { return log_; }
  void finish(int, const Command&, std::int64_t) override {}

  virtual bool active() const = 0;
  /// Puts this cycle's bank requests, from registered state.
  virtual void request(BankArbiter& arbiter, std::int64_t cycle) const = 0;
  /// One clock edge. True when the command has ended: its end is cycle + 1.
  virtual bool step(const BankArbiter& arbiter, std::int64_t cycle) = 0;
  /// First cycle after `cycle` that must be stepped while active.
  virtual std::int64_t next_cycle(std::int64_t cycle) const { return cycle + 1; }

 protected:
  CommandRecord& record(int index) { return (*around_.records)[static_cast<std::size_t>(index)]; }
  /// Fills the record's identity and logs what the unit waited for.
  CommandRecord& open_record(const CommandStart& start) {
    CommandRecord& entry = record(start.index);
    entry.unit = unit_;
    entry.node = start.command->node;
    entry.step = start.command->step;
    entry.head = start.command->head;
    entry.start_cycle = start.cycle;
    entry.dependency_cycles = start.dependency_cycles;
    entry.exclusion_cycles = start.exclusion_cycles;
    log_.add(CycleState::stalled(StallCause::kDependency), start.dependency_cycles);
    log_.add(CycleState::stalled(StallCause::kWriteExclusion), start.exclusion_cycles);
    return entry;
  }
  void spend(CommandRecord& entry, CycleState state, std::int64_t cycles) {
    entry.occupancy.add(state, cycles);
    log_.add(state, cycles);
  }

  /// What messages about a command begin with.
  std::string who(int index) const {
    return "command " + std::to_string(index) + " (" + name_ + ")";
  }

  Unit unit_;
  const char* name_;
  UnitSurroundings around_;
  OccupancyLog log_;
};

}  // namespace quadrille::hw
