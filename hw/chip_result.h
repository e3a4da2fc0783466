// What a run of the chip gives: plain values that outlive the simulation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/counters/counter_tree.h"
#include "hw/counters/occupancy.h"
#include "hw/engines.h"
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

struct EngineTotals {
  std::string name;  ///< As reports call it.
  std::int64_t commands = 0;
  OccupancyTotals occupancy;  ///< busy + stalled + idle = cycles.
  Activity activity;
  bool has_values = false;  ///< Its counters of values (saturated, uniform_rows) exist.
};

/// All counts of a run, as the modules themselves kept them.
struct ChipTotals {
  explicit ChipTotals(const EngineList& list = hw::engines());

  CountedRun run;  ///< What decides how its numbers came about.
  std::int64_t cycles = 0;
  std::vector<EngineTotals> engines;  ///< In the order of the list.
  EngineTotals dma;
  Traffic traffic;  ///< Sum of the records.
  DramCounts dram;  ///< Zero with an external DRAM.
  bool external_dram = false;
  DmaCounts dma_link;
  ScratchpadCounts scratchpad;
  std::vector<std::int64_t> bank_conflicts;  ///< Per bank; zero in tile timing.

  /// By name; InvariantError when there is no such engine.
  const EngineTotals& engine(const std::string& name) const;
  EngineTotals& engine(const std::string& name);
  /// Of all engines together.
  Activity activity() const;
};

struct ChipResult {
  explicit ChipResult(const EngineList& list = hw::engines()) : totals(list) {}

  std::int64_t cycles = 0;
  ChipTotals totals;
  CounterModule counters{"chip"};
  std::vector<CommandRecord> records;
};

}  // namespace quadrille::hw
