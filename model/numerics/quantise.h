// Formats: symmetric per-tensor integer quantisation and static requantisation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quadrille::model {

/// Largest code of a symmetric signed format of `bits` bits: 2^(bits-1) - 1
/// (1-bit codes are 0 and -1, so their largest magnitude is 1).
constexpr std::int32_t largest_code(int bits) {
  return bits == 1 ? 1 : (std::int32_t{1} << (bits - 1)) - 1;
}

/// A dense row-major tensor of integer codes; value = code * scale.
struct Codes {
  std::vector<std::int32_t> q;
  double scale = 1.0;
};

/// Scale that maps the largest magnitude of `values` to the largest code of
/// `bits` bits. All-zero (or empty) input gives scale 1.
double absmax_scale(const std::vector<double>& values, int bits);

/// Codes of `values` at `scale`: value/scale rounded half to even and clamped
/// to [-largest_code, largest_code].
Codes quantise(const std::vector<double>& values, double scale, int bits);

/// quantise() at absmax_scale().
Codes quantise_absmax(const std::vector<double>& values, int bits);

/// code * scale for every code.
std::vector<double> dequantise(const Codes& codes);

/// A positive real factor as hardware holds it: mantissa * 2^-shift with a
/// 16-bit normalised mantissa in [2^15, 2^16). Relative error at most 2^-16.
struct Multiplier {
  std::uint32_t mantissa = std::uint32_t{1} << 15;
  int shift = 15;
  double value() const;
};

/// The nearest Multiplier to `factor`. Throws InvariantError unless factor is
/// finite, > 0, and its shift lies in [0, 62].
Multiplier make_multiplier(double factor);

/// accumulator * multiplier, rounded half to even, saturated to `bits` signed
/// bits. |accumulator| < 2^46.
std::int64_t requantise(std::int64_t accumulator, const Multiplier& multiplier, int bits);

}  // namespace quadrille::model
