#include "hw/counters/occupancy.h"

#include <algorithm>
#include <numeric>

#include "hw/counters/counter_table.h"

namespace quadrille::hw {
namespace {

CycleState merge(CycleState a, CycleState b) {
  if (a.is_busy() || b.is_busy()) return CycleState::busy();
  if (a.is_idle()) return b;
  if (b.is_idle()) return a;
  return CycleState::stalled(std::min(a.cause(), b.cause()));
}

}  // namespace

const char* stall_cause_name(StallCause cause) {
  return kOccupancyCounters[kFirstStallCounter + static_cast<std::size_t>(cause)].info.name;
}

std::int64_t OccupancyTotals::all_stalled() const {
  return std::accumulate(stalled.begin(), stalled.end(), std::int64_t{0});
}

void OccupancyTotals::add(CycleState state, std::int64_t cycles) {
  if (state.is_busy()) {
    busy += cycles;
  } else if (state.is_idle()) {
    idle += cycles;
  } else {
    stalled_by(state.cause()) += cycles;
  }
}

void OccupancyLog::add(CycleState state, std::int64_t cycles) {
  if (cycles == 0) return;
  end_ += cycles;
  totals_.add(state, cycles);
  if (!keep_spans_) return;
  if (!spans_.empty() && spans_.back().state == state) {
    spans_.back().end = end_;
  } else {
    spans_.push_back({state, end_});
  }
}

OccupancyTotals OccupancyLog::totals(std::int64_t cycles) const {
  OccupancyTotals totals = totals_;
  totals.add(CycleState::idle(), cycles - end_);
  return totals;
}

OccupancyTotals merged_totals(const OccupancyLog& first, const OccupancyLog& second,
                              std::int64_t cycles, std::vector<CycleInterval>* waits) {
  OccupancyTotals totals;
  auto a = first.spans().begin();
  auto b = second.spans().begin();
  for (std::int64_t at = 0; at < cycles;) {
    const bool in_a = a != first.spans().end();
    const bool in_b = b != second.spans().end();
    const CycleState state_a = in_a ? a->state : CycleState::idle();
    const CycleState state_b = in_b ? b->state : CycleState::idle();
    const std::int64_t end = std::min({cycles, in_a ? a->end : cycles, in_b ? b->end : cycles});
    const CycleState merged = merge(state_a, state_b);
    totals.add(merged, end - at);
    if (waits != nullptr && merged == CycleState::stalled(StallCause::kDependency))
      waits->push_back({at, end});
    at = end;
    if (in_a && a->end == at) ++a;
    if (in_b && b->end == at) ++b;
  }
  return totals;
}

}  // namespace quadrille::hw
