#include "hw/counters/wait_causes.h"

#include <algorithm>
#include <string>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

/// What others lack while a unit works: the DMA is busy when the DRAM's bus is.
StallCause cause_of_work(Unit unit) {
  switch (unit) {
    case Unit::kDma:
      return StallCause::kDram;
    case Unit::kCimWrite:
      return StallCause::kCimWritePort;
    case Unit::kCimCompute:
      return StallCause::kCimThroughput;
    case Unit::kSoftmax:
      return StallCause::kSoftmaxThroughput;
    case Unit::kDamf:
      return StallCause::kDamfThroughput;
    case Unit::kVector:
      return StallCause::kVectorThroughput;
    case Unit::kSinkhorn:
      return StallCause::kSinkhornThroughput;
    case Unit::kLinear:
      return StallCause::kLinearThroughput;
  }
  return StallCause::kOtherThroughput;
}

/// First cycle in which the command's unit lacked nothing but the exclusion's end.
std::int64_t ready_cycle(const CommandRecord& record) {
  return record.start_cycle - record.exclusion_cycles;
}

}  // namespace

WaitCauses::WaitCauses(const Program& program, const std::vector<CommandRecord>& records, int units)
    : records_(&records), timelines_(static_cast<std::size_t>(units)) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const CommandRecord& waiting = records[i];
    Timeline& own = of(waiting.unit);
    if (waiting.dependency_cycles > 0) {
      const std::int64_t ready = ready_cycle(waiting);
      const int last = last_of(program.commands[i].depends_on);
      if (last < 0 || record(last).end_cycle != ready || record(last).unit == waiting.unit) {
        throw InvariantError("command " + std::to_string(i) + " waited until cycle " +
                             std::to_string(ready) +
                             ", in which no command of another unit that it depends on ended");
      }
      explain(of(record(last).unit), ready - waiting.dependency_cycles, ready, own.waits);
    }
    own.commands.push_back(static_cast<int>(i));
  }
}

int WaitCauses::last_of(const std::vector<int>& dependencies) const {
  int last = -1;
  for (const int each : dependencies) {
    if (last < 0 || record(each).end_cycle > record(last).end_cycle) last = each;
  }
  return last;
}

// The other unit's time line has no gaps up to its command that is waited for: what
// it waited for, the exclusion, its command, and so on. Commands come in the
// program's order and depend on earlier ones, so all of that is explained already.
void WaitCauses::explain(const Timeline& other, std::int64_t from, std::int64_t to,
                         std::vector<Charge>& waits) const {
  const auto put = [&](int command, std::int64_t begin, std::int64_t end) {
    begin = std::max(begin, from);
    end = std::min(end, to);
    if (begin >= end) return;
    if (!waits.empty() && waits.back().command == command && waits.back().to == begin) {
      waits.back().to = end;
    } else {
      waits.push_back({command, begin, end});
    }
  };
  auto command = std::upper_bound(
      other.commands.begin(), other.commands.end(), from,
      [this](std::int64_t cycle, int each) { return cycle < record(each).end_cycle; });
  auto wait =
      std::upper_bound(other.waits.begin(), other.waits.end(), from,
                       [](std::int64_t cycle, const Charge& each) { return cycle < each.to; });
  for (; command != other.commands.end(); ++command) {
    const CommandRecord& ran = record(*command);
    const std::int64_t ready = ready_cycle(ran);
    if (ready - ran.dependency_cycles >= to) return;
    for (; wait != other.waits.end() && wait->from < std::min(ready, to); ++wait)
      put(wait->command, wait->from, wait->to);
    put(kExclusion, ready, ran.start_cycle);
    put(*command, ran.start_cycle, ran.end_cycle);
  }
}

std::int64_t WaitCauses::charge(Unit unit, std::int64_t from, std::int64_t to,
                                OccupancyTotals& totals) const {
  const std::vector<Charge>& waits = of(unit).waits;
  auto wait =
      std::upper_bound(waits.begin(), waits.end(), from,
                       [](std::int64_t cycle, const Charge& each) { return cycle < each.to; });
  std::int64_t charged = 0;
  for (; wait != waits.end() && wait->from < to; ++wait) {
    const std::int64_t cycles = std::min(wait->to, to) - std::max(wait->from, from);
    charged += cycles;
    if (wait->command == kExclusion) {
      totals.stalled_by(StallCause::kWriteExclusion) += cycles;
    } else {
      charge_command(record(wait->command), cycles, totals);
    }
  }
  return charged;
}

StallCause WaitCauses::main_cause(const Charge& wait) const {
  if (wait.command == kExclusion) return StallCause::kWriteExclusion;
  OccupancyTotals totals;
  charge_command(record(wait.command), wait.to - wait.from, totals);
  const auto largest = std::max_element(totals.stalled.begin(), totals.stalled.end());
  return static_cast<StallCause>(largest - totals.stalled.begin());
}

// Shares are rounded down; what is left goes to the largest.
void WaitCauses::charge_command(const CommandRecord& record, std::int64_t cycles,
                                OccupancyTotals& totals) const {
  OccupancyTotals whole = record.occupancy;
  whole.stalled_by(cause_of_work(record.unit)) += whole.busy;
  const std::int64_t length = record.end_cycle - record.start_cycle;
  const auto largest = std::max_element(whole.stalled.begin(), whole.stalled.end());
  std::int64_t left = cycles;
  for (std::size_t cause = 0; cause < whole.stalled.size(); ++cause) {
    const std::int64_t share = whole.stalled[cause] * cycles / length;
    totals.stalled[cause] += share;
    left -= share;
  }
  totals.stalled[static_cast<std::size_t>(largest - whole.stalled.begin())] += left;
}

}  // namespace quadrille::hw
