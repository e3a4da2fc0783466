// The whole chip: engines, memories, DMA and sequencer in one module.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "hw/beat_stepper.h"
#include "hw/chip_config.h"
#include "hw/chip_result.h"
#include "hw/clock.h"
#include "hw/counters/wait_causes.h"
#include "hw/engines.h"
#include "hw/memory/bytes.h"
#include "hw/memory/dma.h"
#include "hw/memory/dram.h"
#include "hw/memory/scratchpad.h"
#include "hw/sequencer/program.h"
#include "hw/sequencer/sequencer.h"
#include "hw/stepped_unit.h"

namespace quadrille::hw {

struct ChipOptions {
  Timing timing = Timing::kTile;
  /// Engines to run in RTL, by name; any makes the run beat-timed.
  std::set<std::string> rtl;
  RtlBodies rtl_bodies;
  /// Without data no byte is touched; cycles and access counters are the same.
  bool data = true;
  /// No DRAM of its own: bind_external_dram() must be called.
  bool external_dram = false;
  /// The engines it has; they must outlive the chip.
  const EngineList* engines = &hw::engines();
};

/// One run of one program. Make a SimulationContext first, then the chip:
///
///   SimulationContext context;
///   Chip chip("chip", config, options);
///   chip.load(program, [&](const Bytes& dram) { ... });
///   ChipResult result = chip.run(expected);
///   ... chip.dram() ...
///
/// Inside a larger SystemC model the surrounding context serves, and masters
/// outside reach the scratchpad through scratchpad_socket().
class Chip : public sc_core::sc_module {
 public:
  using DramWriter = std::function<void(const Bytes& dram)>;

  /// Throws InputError for an engine without RTL.
  Chip(sc_core::sc_module_name name, const ChipConfig& config, const ChipOptions& options);
  ~Chip() override;

  /// The DRAM's target socket becomes `socket`: a TLM-2.0 target that answers
  /// b_transport by annotating its delay, without waiting. Before run().
  void bind_external_dram(tlm::tlm_target_socket<>& socket);
  tlm::tlm_target_socket<>& scratchpad_socket() { return scratchpad_.socket; }

  /// `write_dram` is called at once, with data and the chip's own DRAM only.
  void load(Program program, const DramWriter& write_dram = {});

  /// Runs the program to its end, once. Throws InvariantError on a deadlock, a
  /// wrong access or a violated conservation law.
  ChipResult run(const std::optional<ExpectedWork>& expected = std::nullopt);

  /// The DRAM's bytes, after (or before) the run; with data only.
  Bytes dram() const;

  Timing timing() const { return timing_; }

 private:
  /// An engine, and the twin whose SystemC bodies are compared with its RTL's.
  struct PlacedEngine {
    const EngineEntry* entry = nullptr;
    std::unique_ptr<ChipEngine> engine;
    std::unique_ptr<ChipEngine> twin;
  };

  bool in_rtl(const EngineEntry& entry) const { return options_.rtl.count(entry.name()) != 0; }
  void place(std::unique_ptr<SteppedUnit> unit);
  void place_engine(const EngineEntry& entry, const UnitSurroundings& around);
  std::vector<UnitQueue> queues() const;
  const OccupancyLog& log(Unit unit) const { return units_[static_cast<std::size_t>(unit)]->log(); }
  /// Of a unit, or of an engine's two, with the waits charged to resources.
  OccupancyTotals explained(Unit unit, std::int64_t cycles, const WaitCauses& waits) const;
  OccupancyTotals explained(Unit first, Unit second, std::int64_t cycles,
                            const WaitCauses& waits) const;
  ChipResult collect() const;

  ChipConfig config_;
  ChipOptions options_;
  Timing timing_;
  Clock clock_;
  std::vector<CommandRecord> records_;
  Program program_;

  Scratchpad scratchpad_;
  std::unique_ptr<Dram> dram_;
  Dma dma_;
  std::unique_ptr<BeatStepper> stepper_;  ///< In beat timing.
  std::vector<PlacedEngine> engines_;     ///< The units refer to them.
  std::vector<std::unique_ptr<SteppedUnit>> units_;
  std::unique_ptr<Sequencer> sequencer_;
};

}  // namespace quadrille::hw
