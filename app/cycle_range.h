// A range of a run's cycles, as options name it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace quadrille::app {

/// Both ends included.
struct CycleRange {
  std::int64_t first = 0;
  std::int64_t last = std::numeric_limits<std::int64_t>::max();
};

/// From "FROM:TO". InputError naming `option`.
CycleRange parse_cycle_range(const std::string& option, const std::string& text);

}  // namespace quadrille::app
