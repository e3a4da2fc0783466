// Rounding to the nearest power of two (DAMF document, formulas (15), (16)).
#pragma once

#include <cstdint>

namespace quadrille::model {

/// The choice of the nearest power of two: `kLinear` by distance (threshold 1.5 *
/// 2^f, tie upward), `kLog` by ratio (threshold sqrt(2) * 2^f), `kFloor` the
/// leading one.
enum class PowerRounding { kLinear, kLog, kFloor };

/// Fraction bits of a normalised magnitude and of the thresholds below.
inline constexpr int kPowerFractionBits = 39;

/// With this an engine rounds the integer magnitude a to the power of two nearest
/// to the real number a * c, without multiplying by c: with c = m * 2^e, m in [1,
/// 2), a * m crosses the rounding threshold T and 2T exactly where the normalised
/// a crosses T/m and 2T/m. The exponent e of c is common to all three exponents
/// of formula (17) and cancels there, so it is dropped. Thresholds are ceil(T/m *
/// 2^39), at most 2^40 ("never").
struct PowerRule {
  std::uint64_t threshold_low = 0;
  std::uint64_t threshold_high = 0;
};

/// Rule for integer scores whose real value is code * scale, scale > 0.
PowerRule make_power_rule(PowerRounding rounding, double scale);

/// Exponent I of the nearest power of two of a, 0 < a < 2^40, up to the
/// dropped exponent of the scale: leading_one(a) plus one for each threshold
/// that the normalised magnitude a * 2^(39 - leading_one(a)) reaches.
int power_exponent(std::uint64_t a, const PowerRule& rule);

/// The exponent of the power of two nearest to the real number x > 0, for the
/// level `float`.
int power_exponent(double x, PowerRounding rounding);

}  // namespace quadrille::model
