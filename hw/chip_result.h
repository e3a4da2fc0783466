// What a run of the chip gives: plain values that outlive the simulation.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "hw/counters/counter_tree.h"
#include "hw/counters/occupancy.h"
#include "hw/engines/activity.h"
#include "hw/engines/command_course.h"
#include "hw/memory/dma.h"
#include "hw/memory/dram.h"
#include "hw/memory/scratchpad.h"
#include "hw/memory/traffic.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// One command of the program as it ran. Index = command number.
struct CommandRecord {
  Unit unit = Unit::kDma;
  int node = 0;  ///< Index into Program::nodes.
  const char* step = "";
  int head = -1;
  std::int64_t start_cycle = 0;
  std::int64_t end_cycle = 0;  ///< First cycle in which it no longer runs.
  /// Of its own cycles, end - start (idle is zero), and before them the wait
  /// of its unit since the unit's previous command.
  OccupancyTotals occupancy;
  std::int64_t dependency_cycles = 0;
  std::int64_t exclusion_cycles = 0;
  Activity activity;
  Traffic traffic;
  CommandCourse course;  ///< What its data decided.
};

/// Engines as reports name them; `cim` has two units, the DMA none of these.
enum class Engine { kCim, kSoftmax, kDamf, kSinkhorn, kLinear, kVector };
inline constexpr int kEngines = 6;
const char* engine_name(Engine engine);
/// The engine that a unit is a port of. The DMA is of none: do not ask.
Engine engine_of(Unit unit);

struct EngineTotals {
  std::int64_t commands = 0;
  OccupancyTotals occupancy;  ///< busy + stalled + idle = cycles.
  Activity activity;
};

/// All counts of a run, as the modules themselves kept them.
struct ChipTotals {
  std::int64_t cycles = 0;
  std::array<EngineTotals, kEngines> engines;
  EngineTotals dma;
  Traffic traffic;  ///< Sum of the records.
  DramCounts dram;  ///< Zero with an external DRAM.
  bool external_dram = false;
  DmaCounts dma_link;
  ScratchpadCounts scratchpad;
  std::vector<std::int64_t> bank_conflicts;  ///< Per bank; zero in tile timing.
  /// Counters of values (saturated, uniform_rows) of this engine exist.
  std::array<bool, kEngines> has_values{};

  const EngineTotals& engine(Engine which) const {
    return engines[static_cast<std::size_t>(which)];
  }
  EngineTotals& engine(Engine which) { return engines[static_cast<std::size_t>(which)]; }
};

struct ChipResult {
  std::int64_t cycles = 0;
  ChipTotals totals;
  CounterModule counters{"chip"};
  std::vector<CommandRecord> records;
};

}  // namespace quadrille::hw
