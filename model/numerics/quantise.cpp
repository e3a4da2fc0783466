#include "model/numerics/quantise.h"

#include <algorithm>
#include <cmath>

#include "model/errors.h"
#include "model/number_text.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {

double absmax_scale(const std::vector<double>& values, int bits) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  const double scale = largest / largest_code(bits);
  // The quotient underflows for denormal input; such a tensor is zero here.
  return scale > 0.0 ? scale : 1.0;
}

Codes quantise(const std::vector<double>& values, double scale, int bits) {
  Codes codes;
  codes.scale = scale;
  codes.q.reserve(values.size());
  const double limit = largest_code(bits);
  const double lower = -limit;
  const double upper = bits == 1 ? 0.0 : limit;
  for (const double value : values) {
    // nearbyint under the default rounding mode is half to even.
    const double code = std::nearbyint(value / scale);
    if (std::isnan(code)) throw InvariantError("quantise: a value is not a number");
    codes.q.push_back(static_cast<std::int32_t>(std::clamp(code, lower, upper)));
  }
  return codes;
}

Codes quantise_absmax(const std::vector<double>& values, int bits) {
  return quantise(values, absmax_scale(values, bits), bits);
}

std::vector<double> dequantise(const Codes& codes) {
  std::vector<double> values(codes.q.size());
  std::transform(codes.q.begin(), codes.q.end(), values.begin(),
                 [&](std::int32_t code) { return code * codes.scale; });
  return values;
}

double Multiplier::value() const { return std::ldexp(static_cast<double>(mantissa), -shift); }

Multiplier make_multiplier(double factor) {
  if (!(factor > 0.0) || !std::isfinite(factor)) {
    throw InvariantError("requantisation factor " + number_text(factor) +
                         " is not a positive number");
  }
  int exponent = 0;
  const double fraction = std::frexp(factor, &exponent);  // [0.5, 1)
  auto mantissa = static_cast<std::int64_t>(std::nearbyint(std::ldexp(fraction, 16)));
  int shift = 16 - exponent;
  if (mantissa == std::int64_t{1} << 16) {
    mantissa >>= 1;
    --shift;
  }
  if (shift < 0 || shift > 62) {
    throw InvariantError("requantisation factor " + number_text(factor) +
                         " is outside the hardware's range 2^-47..2^15");
  }
  return {static_cast<std::uint32_t>(mantissa), shift};
}

std::int64_t requantise(std::int64_t accumulator, const Multiplier& multiplier, int bits) {
  const std::int64_t product = accumulator * static_cast<std::int64_t>(multiplier.mantissa);
  return saturate(round_shift(product, multiplier.shift), bits);
}

}  // namespace quadrille::model
