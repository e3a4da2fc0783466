#include "hw/energy/operations.h"

#include "hw/counters/counter_table.h"

namespace quadrille::hw {

double operations_pj(const Technology& technology, const Activity& activity,
                     const char* exponential) {
  const auto cost = [&](const char* row, std::int64_t count) {
    return technology.value(row) * static_cast<double>(count);
  };
  const std::int64_t macs =
      activity.macs_static + activity.macs_dynamic + activity.macs_wasted - activity.macs_wide;
  double sum = cost("op.mac8", macs) + cost("op.mac_wide", activity.macs_wide);
  for (const ActivityCounter& row : kActivityCounters) {
    if (row.price == nullptr) continue;
    const bool exponentials = row.count == &Activity::exponentials;
    sum += cost(exponentials ? exponential : row.price, activity.*row.count);
  }
  return sum;
}

}  // namespace quadrille::hw
