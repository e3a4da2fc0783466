#include "model/vector/rotary.h"

#include <cmath>

#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

/// The rows of x with every pair turned, in Number.
template <typename Number, typename Element>
std::vector<Number> turned(const std::vector<Element>& x, const RotaryShape& shape,
                           const std::vector<Element>& rotations) {
  std::vector<Number> y(x.size());
  const auto width = static_cast<std::size_t>(shape.width);
  for (std::size_t row = 0; row < static_cast<std::size_t>(shape.rows); ++row) {
    for (std::size_t pair = 0; pair < shape.pairs(); ++pair) {
      const std::size_t one = row * width + shape.first(pair), two = one + shape.distance();
      const Element* rotation = rotations.data() + 2 * (row * shape.pairs() + pair);
      const Number a = x[one], b = x[two], cosine = rotation[0], sine = rotation[1];
      y[one] = a * cosine - b * sine;
      y[two] = a * sine + b * cosine;
    }
  }
  return y;
}

}  // namespace

std::vector<double> rotations(const RotaryShape& shape, double theta) {
  std::vector<double> made;
  for (int row = 0; row < shape.rows; ++row) {
    for (std::size_t pair = 0; pair < shape.pairs(); ++pair) {
      const double angle = row * std::pow(theta, -2.0 * static_cast<double>(pair) / shape.width);
      made.push_back(std::cos(angle));
      made.push_back(std::sin(angle));
    }
  }
  return made;
}

std::vector<double> rotary_float(const std::vector<double>& x, const RotaryShape& shape,
                                 const std::vector<double>& rotations) {
  return turned<double>(x, shape, rotations);
}

std::vector<std::int32_t> rotation_codes(const std::vector<double>& rotations) {
  return quantise(rotations, std::ldexp(1.0, -kRotationFractionBits), 16).q;
}

VectorFixedResult rotary_fixed(const std::vector<std::int32_t>& x_q, const RotaryShape& shape,
                               const std::vector<std::int32_t>& rotations_q,
                               const Multiplier& factor, int out_bits) {
  VectorFixedResult result(x_q.size());
  for (const std::int64_t sum : turned<std::int64_t>(x_q, shape, rotations_q)) {
    const std::int64_t product = sum * static_cast<std::int64_t>(factor.mantissa);
    result.add(round_shift(product, factor.shift), out_bits);
  }
  return result;
}

}  // namespace quadrille::model
