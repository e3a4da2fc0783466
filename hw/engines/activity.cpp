#include "hw/engines/activity.h"

#include <utility>

#include "hw/counters/counter_table.h"

namespace quadrille::hw {
namespace {

// The rows are constants here, so that this is as fast as sums of named members.
template <std::size_t... row>
void add(Activity& sum, const Activity& part, std::index_sequence<row...>) {
  ((sum.*kActivityCounters[row].count += part.*kActivityCounters[row].count), ...);
}

}  // namespace

// Every member is a row: one that is missing would not be summed.
static_assert(sizeof(Activity) == kActivityCounters.size() * sizeof(std::int64_t));

Activity& Activity::operator+=(const Activity& other) {
  add(*this, other, std::make_index_sequence<kActivityCounters.size()>());
  return *this;
}

}  // namespace quadrille::hw
