#include "model/numerics/reciprocal_root.h"

#include <cmath>

#include "model/errors.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

constexpr std::uint64_t kParts = std::uint64_t{1} << kRootIndexBits;

/// Bits of a normalised number below its index, in the octave [1, 2).
constexpr int kOffsetBits = kRootFractionBits - kRootIndexBits;

std::size_t part_of(std::uint64_t m) {
  const bool upper = (m >> (kRootFractionBits + 1)) != 0;
  const std::uint64_t part = (m >> (kOffsetBits + (upper ? 1 : 0))) & (kParts - 1);
  return static_cast<std::size_t>((upper ? kParts : 0) + part);
}

}  // namespace

std::array<std::uint16_t, 2 << kRootIndexBits> make_reciprocal_root_table() {
  std::array<std::uint16_t, 2 << kRootIndexBits> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double octave = i < kParts ? 1.0 : 2.0;
    const double part = static_cast<double>(i % kParts);
    const double middle = octave * (1.0 + (part + 0.5) / static_cast<double>(kParts));
    table[i] = static_cast<std::uint16_t>(
        std::nearbyint(std::ldexp(1.0, kRootSeedBits) / std::sqrt(middle)));
  }
  return table;
}

Reciprocal reciprocal_root(std::uint64_t d) {
  static const auto table = make_reciprocal_root_table();
  if (d == 0) throw InvariantError("reciprocal root of zero");
  const int k = leading_one(d) >> 1;
  const int down = 2 * k - kRootFractionBits;
  const std::uint64_t m = down >= 0 ? d >> down : d << -down;
  const std::uint64_t y0 = table[part_of(m)];
  constexpr int kProductBits = kRootFractionBits + 2 * kRootSeedBits;
  const std::uint64_t correction = (std::uint64_t{3} << kProductBits) - m * y0 * y0;
  // The halving of the Newton step is one more bit of the shift.
  constexpr int kShift = kProductBits + kRootSeedBits + 1 - kRootMantissaBits;
  const std::int64_t mantissa = round_shift(static_cast<std::int64_t>(y0 * correction), kShift);
  return {static_cast<std::uint32_t>(mantissa), kRootMantissaBits + k};
}

}  // namespace quadrille::model
