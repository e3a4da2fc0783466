// Reciprocal square root by table and one Newton step: what LayerNorm and RMSNorm
// need once per row instead of a root and a division.
#pragma once

#include <array>
#include <cstdint>

#include "model/numerics/reciprocal.h"

namespace quadrille::model {

/// Fraction bits of a number normalised to [1, 4), of a seed, and of the result's
/// mantissa.
inline constexpr int kRootFractionBits = 16;
inline constexpr int kRootSeedBits = 12;
inline constexpr int kRootMantissaBits = 16;
/// Parts of each of the octaves [1, 2) and [2, 4), as index bits.
inline constexpr int kRootIndexBits = 7;

/// Seed table: entry i < 128 is round(2^12 / sqrt(x)) at the middle x of the i-th of
/// 128 equal parts of [1, 2), entry 128 + i the same of [2, 4). 12 bits each, from 2052
/// to 4088.
std::array<std::uint16_t, 2 << kRootIndexBits> make_reciprocal_root_table();

/// 1/sqrt(d) ~ mantissa * 2^-shift of d, 0 < d < 2^63, mantissa in [2^15, 2^16]:
///   k = leading_one(d) >> 1                 d = x * 4^k with x in [1, 4)
///   m = d * 2^(16 - 2k), truncated          x in 16 fraction bits, 2^16 <= m < 2^18
///   y0 = table[m < 2^17 ? (m >> 9) & 127 : 128 + ((m >> 10) & 127)]
///   mantissa = round_shift(y0 * (3 * 2^40 - m * y0^2), 37)    y0 (3 - x y0^2) / 2
///   shift = 16 + k
/// Relative error at most 2^-15 (docs/numerics.md derives it).
Reciprocal reciprocal_root(std::uint64_t d);

}  // namespace quadrille::model
