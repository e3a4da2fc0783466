// Reciprocal by table and one Newton step: what hardware does once per row
// instead of dividing every element.
#pragma once

#include <array>
#include <cstdint>

namespace quadrille::model {

/// 1/d ~ mantissa * 2^-shift, mantissa in [2^15, 2^16].
struct Reciprocal {
  std::uint32_t mantissa = 0;
  int shift = 0;
};

/// The word in which a reciprocal is stored and travels between engines: the
/// mantissa in bits 0..16, the shift in bits 24..29, all others 0.
constexpr std::uint32_t packed(const Reciprocal& reciprocal) {
  return reciprocal.mantissa | static_cast<std::uint32_t>(reciprocal.shift) << 24;
}
constexpr Reciprocal unpacked_reciprocal(std::uint32_t word) {
  return {word & 0x1FFFFU, static_cast<int>(word >> 24 & 0x3FU)};
}

/// Index bits of the seed table (after the leading one).
inline constexpr int kReciprocalIndexBits = 7;
/// Fraction bits of a table entry.
inline constexpr int kReciprocalSeedBits = 10;

/// Seed table: entry i is round(2^10 / x) at the middle x of the i-th of 128
/// equal parts of [1, 2), in 10 fraction bits; 512 < entry < 1024.
std::array<std::uint16_t, 1 << kReciprocalIndexBits> make_reciprocal_table();

/// Reciprocal of d, 0 < d < 2^47:
///   m = the 16 leading bits of d (truncated), x = m / 2^15 in [1, 2)
///   y0 = table[(m >> 8) & 127]
///   mantissa = (y0 * (2^26 - m*y0)) >> 19          (Newton: y0 (2 - x y0))
///   shift = 16 + leading_one(d)
/// Relative error of the result at most 2^-14.
Reciprocal reciprocal(std::uint64_t d);

}  // namespace quadrille::model
