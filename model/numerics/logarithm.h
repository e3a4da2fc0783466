// Powers of two and base-2 logarithms by table and linear interpolation: what
// an engine needs that keeps its scalings as logarithms. One definition for
// every level; the RTL's tables are generated from the two make_* functions.
#pragma once

#include <array>
#include <cstdint>

namespace quadrille::model {

/// Fraction bits of a logarithm.
inline constexpr int kLogFractionBits = 16;
/// Fraction bits of a mantissa in [1, 2).
inline constexpr int kMantissaFractionBits = 17;

/// A function at the left end of one of 256 equal parts of [0, 1), and its
/// growth to the right end.
struct InterpolationEntry {
  std::uint32_t value = 0;
  std::uint32_t step = 0;
};
using InterpolationTable = std::array<InterpolationEntry, 256>;

/// 2^(i/256) in 17 fraction bits: 18-bit values, 10-bit steps.
InterpolationTable make_power_table();
/// log2(1 + i/256) in 16 fraction bits: 16-bit values, 9-bit steps.
InterpolationTable make_logarithm_table();

/// 2^(fraction / 2^16), 0 <= fraction < 2^16, in [2^17, 2^18]:
///   value[fraction >> 8] + round_shift(step[fraction >> 8] * (fraction & 255), 8)
/// Relative error at most 2^-16.
std::uint32_t power_mantissa(std::uint32_t fraction);

/// log2(x), x > 0, in 16 fraction bits: with p = leading_one(x) and u the 16
/// bits below it (truncated, or filled with zeros),
///   (p << 16) + value[u >> 8] + round_shift(step[u >> 8] * (u & 255), 8)
/// Error at most 2^-14.
std::int64_t log2_code(std::uint64_t x);

/// 2^(x / 2^16) in `fraction_bits` fraction bits, rounded half to even, at most
/// 2^31 - 1; `saturated` is counted up where it had to be clamped.
/// 0 <= fraction_bits <= 30, |x| < 2^40.
std::int64_t power_code(std::int64_t x, int fraction_bits, std::int64_t& saturated);

/// Fraction bits of a LogSum's sum at its octave.
inline constexpr int kLogSumFractionBits = 29;

/// A sum of powers of two as a block floating number: sum * 2^(octave - 29).
/// Terms are added in a fixed order (a line's elements by rising index); what
/// falls below the last bit is cut off, at most 2^-29 of the largest term each.
struct LogSum {
  std::int64_t octave = 0;
  std::uint64_t sum = 0;  ///< 0: nothing was added yet.

  /// Adds 2^(x / 2^16): with o = floor(x / 2^16) and t = power_mantissa(x mod
  /// 2^16) << 12, the smaller octave's part is shifted right by the difference
  /// (to 0 from 64 on) and added.
  void add(std::int64_t x);
  /// log2 of the sum, 16 fraction bits. At least one term was added.
  std::int64_t logarithm() const;
};

}  // namespace quadrille::model
