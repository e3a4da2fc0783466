#include "model/vector/elementwise.h"

#include <algorithm>
#include <cmath>

#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

std::int64_t mantissa_of(const Multiplier& factor) {
  return static_cast<std::int64_t>(factor.mantissa);
}

/// s(|t|) of a number t with F fraction bits, in F fraction bits.
std::int64_t shortfall_at(ActivationKind kind, std::int64_t magnitude, int fraction_bits) {
  const int missing = kShortfallFractionBits - fraction_bits;
  // The comparison comes first, since a large number would leave 64 bits.
  if (magnitude > (std::int64_t{1} << 20) >> std::min(missing, 62)) return 0;
  const std::int64_t a = magnitude == 0 ? 0 : magnitude << missing;
  return round_shift(shortfall_code(kind, a), missing);
}

}  // namespace

AddFactors make_add_factors(double x_factor, double y_factor, const Multiplier& larger) {
  const auto mantissa = [&](double factor) {
    return static_cast<std::uint32_t>(std::nearbyint(std::ldexp(factor, larger.shift)));
  };
  return {mantissa(x_factor), mantissa(y_factor), larger.shift};
}

VectorFixedResult add_fixed(const std::vector<std::int32_t>& x_q,
                            const std::vector<std::int32_t>& y_q, const AddFactors& factors,
                            int out_bits) {
  const auto x_mantissa = static_cast<std::int64_t>(factors.x_mantissa);
  const auto y_mantissa = static_cast<std::int64_t>(factors.y_mantissa);
  VectorFixedResult result(x_q.size());
  for (std::size_t i = 0; i < x_q.size(); ++i)
    result.add(round_shift(x_q[i] * x_mantissa + y_q[i] * y_mantissa, factors.shift), out_bits);
  return result;
}

VectorFixedResult multiply_fixed(const std::vector<std::int32_t>& x_q,
                                 const std::vector<std::int32_t>& y_q, const Multiplier& factor,
                                 int out_bits) {
  VectorFixedResult result(x_q.size());
  for (std::size_t i = 0; i < x_q.size(); ++i) {
    const std::int64_t product = std::int64_t{x_q[i]} * y_q[i];
    result.add(round_shift(product * mantissa_of(factor), factor.shift), out_bits);
  }
  return result;
}

int activation_fraction_bits(double x_scale) {
  constexpr int kMostCodeBits = 14;
  return std::min(kShortfallFractionBits,
                  kMostCodeBits - static_cast<int>(std::ceil(std::log2(x_scale))));
}

VectorFixedResult activation_fixed(ActivationKind kind, const std::vector<std::int32_t>& x_q,
                                   const ActivationInteger& form, int out_bits) {
  VectorFixedResult result(x_q.size());
  for (const std::int32_t x : x_q) {
    std::int64_t y = std::max<std::int64_t>(x, 0);
    if (kind != ActivationKind::kRelu) {
      const std::int64_t t = round_shift(x * mantissa_of(form.in), form.in.shift);
      y = std::max<std::int64_t>(t, 0) - shortfall_at(kind, std::abs(t), form.fraction_bits);
    }
    result.add(round_shift(y * mantissa_of(form.out), form.out.shift), out_bits);
  }
  return result;
}

}  // namespace quadrille::model
