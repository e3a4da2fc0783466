#include "model/numerics/exp2.h"

#include <algorithm>
#include <cmath>

#include "model/numerics/rounding.h"

namespace quadrille::model {

std::array<std::uint16_t, 1 << kExp2FractionBits> make_exp2_table() {
  std::array<std::uint16_t, 1 << kExp2FractionBits> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double value = 255.0 * 256.0 * std::exp2(-static_cast<double>(i) / 256.0);
    table[i] = static_cast<std::uint16_t>(std::nearbyint(value));
  }
  return table;
}

std::uint32_t exp2_code(std::uint64_t x) {
  static const auto table = make_exp2_table();
  const auto octaves = static_cast<int>(std::min<std::uint64_t>(x >> kExp2FractionBits, 40));
  return static_cast<std::uint32_t>(
      round_shift(table[x & ((1U << kExp2FractionBits) - 1)], 8 + octaves));
}

}  // namespace quadrille::model
