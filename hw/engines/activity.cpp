#include "hw/engines/activity.h"

namespace quadrille::hw {

Activity& Activity::operator+=(const Activity& other) {
  macs_static += other.macs_static;
  macs_dynamic += other.macs_dynamic;
  macs_wasted += other.macs_wasted;
  macs_wide += other.macs_wide;
  exponentials += other.exponentials;
  compares += other.compares;
  additions += other.additions;
  reciprocals += other.reciprocals;
  shift_adds += other.shift_adds;
  leading_ones += other.leading_ones;
  multiplies += other.multiplies;
  requantises += other.requantises;
  local_read_bytes += other.local_read_bytes;
  local_write_bytes += other.local_write_bytes;
  local_conflict_cycles += other.local_conflict_cycles;
  cim_bit_cycles += other.cim_bit_cycles;
  cim_static_write_bits += other.cim_static_write_bits;
  cim_dynamic_write_bits += other.cim_dynamic_write_bits;
  saturated += other.saturated;
  uniform_rows += other.uniform_rows;
  return *this;
}

}  // namespace quadrille::hw
