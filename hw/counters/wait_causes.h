// What units lacked while their next command waited for commands of other units.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/chip_result.h"
#include "hw/counters/occupancy.h"
#include "hw/sequencer/program.h"

namespace quadrille::hw {

/// Charges waits to resources, after a run. A unit that waits, waits for the command
/// that ended last among those its own one depends on; each cycle of the wait is
/// charged to what that command's unit did in it: a running command, or the reason of
/// a wait of its own, and so on. Time in which it ran commands before the one that is
/// waited for counts likewise. Where a part of a command is charged, it is in the
/// proportions of the whole: records do not tell when in a command a cycle was lost.
/// The work is linear in the commands, times the units.
class WaitCauses {
 public:
  /// Both must outlive this and have the same length; `units` bounds the records' units.
  WaitCauses(const Program& program, const std::vector<CommandRecord>& records, int units);

  /// Adds the causes of the unit's waits within [from, to) to `totals`, and gives how
  /// many cycles of waits those are.
  std::int64_t charge(Unit unit, std::int64_t from, std::int64_t to, OccupancyTotals& totals) const;

  static constexpr int kExclusion = -1;
  /// Cycles of a wait that go back to a running command, or to the exclusion.
  struct Charge {
    int command;
    std::int64_t from;
    std::int64_t to;
  };
  /// The unit's waits for commands of other units, in the order of time.
  const std::vector<Charge>& waits(Unit unit) const { return of(unit).waits; }
  /// The resource that most of its cycles are charged to.
  StallCause main_cause(const Charge& wait) const;

 private:
  /// A unit's commands in the order of its queue, and its waits.
  struct Timeline {
    std::vector<int> commands;
    std::vector<Charge> waits;
  };

  Timeline& of(Unit unit) { return timelines_[static_cast<std::size_t>(unit)]; }
  const Timeline& of(Unit unit) const { return timelines_[static_cast<std::size_t>(unit)]; }
  const CommandRecord& record(int command) const {
    return (*records_)[static_cast<std::size_t>(command)];
  }
  int last_of(const std::vector<int>& dependencies) const;
  void explain(const Timeline& other, std::int64_t from, std::int64_t to,
               std::vector<Charge>& waits) const;
  void charge_command(const CommandRecord& record, std::int64_t cycles,
                      OccupancyTotals& totals) const;

  const std::vector<CommandRecord>* records_;
  std::vector<Timeline> timelines_;  ///< By the units' numbers.
};

}  // namespace quadrille::hw
