#include "model/numerics/reciprocal.h"

#include "model/errors.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {

std::array<std::uint16_t, 1 << kReciprocalIndexBits> make_reciprocal_table() {
  std::array<std::uint16_t, 1 << kReciprocalIndexBits> table{};
  // Middle of part i is (2*128 + 2i + 1) / 256; 2^10 * 256 / that, to nearest.
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    const std::uint32_t middle = 2 * 128 + 2 * i + 1;
    table[i] = static_cast<std::uint16_t>((2 * (std::uint32_t{1} << 18) + middle) / (2 * middle));
  }
  return table;
}

Reciprocal reciprocal(std::uint64_t d) {
  static const auto table = make_reciprocal_table();
  if (d == 0) throw InvariantError("reciprocal of zero");
  const int lead = leading_one(d);
  const std::uint64_t m = lead >= 15 ? d >> (lead - 15) : d << (15 - lead);
  const std::uint64_t y0 = table[(m >> 8) & ((1U << kReciprocalIndexBits) - 1)];
  const std::uint64_t mantissa = (y0 * ((std::uint64_t{1} << 26) - m * y0)) >> 19;
  return {static_cast<std::uint32_t>(mantissa), 16 + lead};
}

}  // namespace quadrille::model
