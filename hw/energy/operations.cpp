#include "hw/energy/operations.h"

namespace quadrille::hw {

double operations_pj(const Technology& technology, const Activity& activity,
                     const char* exponential) {
  const auto cost = [&](const char* row, std::int64_t count) {
    return technology.value(row) * static_cast<double>(count);
  };
  const std::int64_t macs =
      activity.macs_static + activity.macs_dynamic + activity.macs_wasted - activity.macs_wide;
  return cost("op.mac8", macs) + cost("op.mac_wide", activity.macs_wide) +
         cost(exponential, activity.exponentials) + cost("op.compare", activity.compares) +
         cost("op.addition", activity.additions) + cost("op.reciprocal", activity.reciprocals) +
         cost("op.shift_add", activity.shift_adds) + cost("op.leading_one", activity.leading_ones) +
         cost("op.multiply", activity.multiplies) + cost("op.requantise", activity.requantises);
}

}  // namespace quadrille::hw
