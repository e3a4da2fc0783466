#include "model/numerics/power_of_two.h"

#include <algorithm>
#include <cmath>

#include "model/errors.h"
#include "model/number_text.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

// Crossing T * 2^f raises the exponent from f to f + 1.
long double threshold(PowerRounding rounding) {
  switch (rounding) {
    case PowerRounding::kLinear:
      return 1.5L;
    case PowerRounding::kLog:
      return std::sqrt(2.0L);
    case PowerRounding::kFloor:
      return 2.0L;
  }
  throw InvariantError("unknown power-of-two rounding");
}

std::uint64_t fixed_threshold(long double value) {
  const long double scaled = std::ceil(std::ldexp(value, kPowerFractionBits));
  const auto never = std::uint64_t{1} << (kPowerFractionBits + 1);
  return std::min(never, static_cast<std::uint64_t>(scaled));
}

}  // namespace

PowerRule make_power_rule(PowerRounding rounding, double scale) {
  if (!(scale > 0.0) || !std::isfinite(scale)) {
    throw InvariantError("score scale " + number_text(scale) + " is not a positive number");
  }
  int exponent = 0;
  const long double mantissa = 2.0L * std::frexp(static_cast<long double>(scale), &exponent);
  const long double t = threshold(rounding);
  return {fixed_threshold(t / mantissa), fixed_threshold(2.0L * t / mantissa)};
}

int power_exponent(std::uint64_t a, const PowerRule& rule) {
  const int lead = leading_one(a);
  const std::uint64_t normalised = a << (kPowerFractionBits - lead);
  return lead + (normalised >= rule.threshold_low ? 1 : 0) +
         (normalised >= rule.threshold_high ? 1 : 0);
}

int power_exponent(double x, PowerRounding rounding) {
  int exponent = 0;
  const long double mantissa = 2.0L * std::frexp(static_cast<long double>(x), &exponent);
  return exponent - 1 + (mantissa >= threshold(rounding) ? 1 : 0);
}

}  // namespace quadrille::model
