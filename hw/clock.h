// Cycles and SystemC time. Every module counts in chip cycles; SystemC's time
// is a whole number of picoseconds per cycle, so nothing is ever rounded twice.
#pragma once

#include <cmath>
#include <cstdint>
#include <systemc>

#include "model/numerics/integers.h"

namespace quadrille::hw {

class Clock {
 public:
  explicit Clock(double clock_hz)
      : period_ps_(static_cast<std::uint64_t>(std::llround(1e12 / clock_hz))) {}

  sc_core::sc_time time(std::int64_t cycles) const {
    return sc_core::sc_time::from_value(static_cast<std::uint64_t>(cycles) * period_ps_);
  }
  /// Whole cycles in `time`, a part of a cycle counting as one.
  std::int64_t cycles(const sc_core::sc_time& time) const {
    return static_cast<std::int64_t>(model::ceil_div(time.value(), period_ps_));
  }
  std::int64_t now() const { return cycles(sc_core::sc_time_stamp()); }

 private:
  std::uint64_t period_ps_;
};

}  // namespace quadrille::hw
