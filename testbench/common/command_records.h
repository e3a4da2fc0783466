// Commands with the cycles in which they ran, made by hand.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "hw/chip_result.h"

namespace quadrille::testbench {

/// Commands as they ran, each unit's without gaps.
class CommandRecords {
 public:
  /// `stalled` are cycles of the command's own; it is busy in the rest. The unit
  /// waits from the end of its previous command on.
  int add(hw::Unit unit, std::int64_t start, std::int64_t end, std::vector<int> depends_on = {},
          const std::map<hw::StallCause, std::int64_t>& stalled = {}, std::int64_t exclusion = 0) {
    hw::CommandRecord record;
    record.unit = unit;
    record.start_cycle = start;
    record.end_cycle = end;
    record.exclusion_cycles = exclusion;
    record.dependency_cycles = start - exclusion - free_[unit];
    record.occupancy.busy = end - start;
    for (const auto& [cause, cycles] : stalled) {
      record.occupancy.stalled_by(cause) = cycles;
      record.occupancy.busy -= cycles;
    }
    free_[unit] = end;
    records.push_back(record);
    hw::Command command;
    command.depends_on = std::move(depends_on);
    program.commands.push_back(command);
    return static_cast<int>(records.size()) - 1;
  }

  std::int64_t free_since(hw::Unit unit) { return free_[unit]; }

  hw::Program program;
  std::vector<hw::CommandRecord> records;

 private:
  std::map<hw::Unit, std::int64_t> free_;
};

}  // namespace quadrille::testbench
