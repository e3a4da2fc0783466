// Counts of what a command makes an engine do. `macs.static` multiply by a
// trained constant, `macs.dynamic` have both operands made at run time; padding
// and executed-but-masked pairs are `macs.wasted`; everything that is not a
// multiply-accumulate is an operation of its own kind.
#pragma once

#include <cstdint>

namespace quadrille::hw {

struct Activity {
  std::int64_t macs_static = 0;
  std::int64_t macs_dynamic = 0;
  std::int64_t macs_wasted = 0;
  std::int64_t macs_wide = 0;  ///< Static and dynamic MACs with an operand wider than 8 bits.
  std::int64_t exponentials = 0;
  std::int64_t compares = 0;   ///< Running maximum and minimum.
  std::int64_t additions = 0;  ///< Sums that belong to no MAC.
  std::int64_t reciprocals = 0;
  std::int64_t shift_adds = 0;
  std::int64_t leading_ones = 0;  ///< Roundings to a power of two.
  std::int64_t multiplies = 0;    ///< Scalings and normalisations by one factor.
  std::int64_t requantises = 0;
  std::int64_t local_read_bytes = 0;  ///< Bytes read from memories and state inside the engine.
  std::int64_t local_write_bytes = 0;
  std::int64_t local_conflict_cycles = 0;  ///< Lost to bank conflicts inside the engine.
  // CIM only.
  std::int64_t cim_bit_cycles = 0;  ///< 1-bit input x 1-bit weight products, padding included.
  std::int64_t cim_static_write_bits = 0;   ///< Cell bits written with trained constants.
  std::int64_t cim_dynamic_write_bits = 0;  ///< Cell bits written with run-time operands.
  // These depend on values, so they are null without data.
  std::int64_t saturated = 0;     ///< Results clamped to their format.
  std::int64_t uniform_rows = 0;  ///< DAMF rows without a positive maximum or denominator.

  Activity& operator+=(const Activity& other);
};

}  // namespace quadrille::hw
