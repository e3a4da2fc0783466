// Question: are addition, product, activations and rotary positions in integers within
// the bounds that their factors and tables allow?
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/vector/elementwise.h"
#include "model/vector/rotary.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

using Codes32 = std::vector<std::int32_t>;

/// Codes of `bits` bits with both ends, zero and their neighbours.
Codes32 draw_codes(std::mt19937_64& random, int bits, int count) {
  const int largest = largest_code(bits);
  Codes32 codes = {-largest - 1, -largest, -1, 0, 1, largest};
  while (static_cast<int>(codes.size()) < count)
    codes.push_back(pick(random, -largest - 1, largest));
  return codes;
}

void expect_code(std::int64_t found, double expected, double bound, int bits, std::size_t i) {
  const double limit = largest_code(bits);
  const double error = static_cast<double>(found) - std::clamp(expected, -limit - 1.0, limit);
  if (std::fabs(error) > bound) FAIL() << i << " is off by " << error << ", bound " << bound;
}

TEST(AddFixed, IsHalfACodeOffAndWhatTheFactorsBitsLeave) {
  std::mt19937_64 random(5);
  for (const auto& [x_factor, y_factor] :
       {std::pair{0.5, 0.25}, std::pair{0.9, 0.0123}, std::pair{1e-7, 0.7}, std::pair{3.7, 0.01}}) {
    const AddFactors factors =
        make_add_factors(x_factor, y_factor, make_multiplier(std::max(x_factor, y_factor)));
    for (const int bits : {8, 16}) {
      const Codes32 x = draw_codes(random, bits, 500);
      Codes32 y = draw_codes(random, bits, 500);
      portable_shuffle(random, y);
      const VectorFixedResult sum = add_fixed(x, y, factors, bits);
      std::int64_t saturated = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double expected = x[i] * x_factor + y[i] * y_factor;
        const double reach = std::fabs(x[i]) + std::fabs(y[i]);
        expect_code(sum.out_q[i], expected, 0.5 + std::ldexp(reach, -factors.shift - 1), bits, i);
        const double rounded = std::nearbyint(expected);
        saturated += rounded > largest_code(bits) || rounded < -largest_code(bits) - 1 ? 1 : 0;
      }
      // Two factors of few bits are exact, and so is then what they clamp.
      if (y_factor == 0.25) {
        EXPECT_EQ(sum.saturated, saturated);
      }
    }
  }
}

TEST(MultiplyFixed, IsHalfACodeOffAndItsFactorsLastBit) {
  std::mt19937_64 random(6);
  const double factor = 0.00123;
  const Codes32 x = draw_codes(random, 16, 500);
  Codes32 y = draw_codes(random, 16, 500);
  portable_shuffle(random, y);
  const VectorFixedResult product = multiply_fixed(x, y, make_multiplier(factor), 16);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = factor * x[i] * y[i];
    expect_code(product.out_q[i], expected, 0.5 + std::ldexp(std::fabs(expected), -16), 16, i);
  }
  EXPECT_GT(product.saturated, 0);
}

constexpr ActivationKind kKinds[] = {ActivationKind::kGelu, ActivationKind::kGeluTanh,
                                     ActivationKind::kRelu, ActivationKind::kSilu};

/// What shortfall_code() promises: h^2/8 max|f''| and two roundings.
double table_bound(ActivationKind kind) {
  if (kind == ActivationKind::kRelu) return 0.0;
  const double part = kind == ActivationKind::kSilu ? 1.0 / 16.0 : 1.0 / 32.0;
  const double curvature = kind == ActivationKind::kSilu ? 0.5 : 0.8;
  return part * part / 8.0 * curvature + std::ldexp(1.0, -16);
}

TEST(ShortfallTable, KeepsItsBoundForEveryArgument) {
  for (const ActivationKind kind : kKinds) {
    for (std::int64_t a = 0; a < 1 << 20; ++a) {
      const double x = std::ldexp(static_cast<double>(a), -16);
      const double found = std::ldexp(static_cast<double>(shortfall_code(kind, a)), -16);
      const double error = found + activation_float(kind, -x);
      if (std::fabs(error) > table_bound(kind)) FAIL() << x << " is off by " << error;
      // The same shortfall serves both signs.
      if (a % 4096 != 0) continue;
      ASSERT_NEAR(x - activation_float(kind, x), -activation_float(kind, -x), 1e-12);
    }
    EXPECT_EQ(shortfall_code(kind, std::int64_t{1} << 40), 0);
    for (const ShortfallEntry& entry : make_shortfall_table(kind)) {
      EXPECT_LT(entry.value, 1 << 15);
      EXPECT_LT(std::abs(entry.step), 1 << 12);
    }
  }
}

TEST(ActivationFixed, IsWithinItsBoundAtEveryRange) {
  std::mt19937_64 random(7);
  // From ranges inside one part of the table to those far beyond it.
  for (const double range : {1e-3, 0.5, 8.0, 60.0, 1e4, 1e7, 1e12}) {
    for (const ActivationKind kind : kKinds) {
      for (const int bits : {8, 16}) {
        const double x_scale = range / largest_code(bits), y_scale = 1.1 * x_scale;
        ActivationInteger form;
        form.fraction_bits = activation_fraction_bits(x_scale);
        form.in = make_multiplier(std::ldexp(x_scale, form.fraction_bits));
        form.out = make_multiplier(kind == ActivationKind::kRelu
                                       ? x_scale / y_scale
                                       : std::ldexp(1.0, -form.fraction_bits) / y_scale);
        const Codes32 x = draw_codes(random, bits, 800);
        const VectorFixedResult y = activation_fixed(kind, x, form, bits);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double real = x[i] * x_scale, expected = activation_float(kind, real);
          // Both factors' last bits, t's rounding (no activation is steeper than 1.13),
          // the table, and s in the fraction bits of t.
          const double error =
              1.13 * (std::ldexp(std::fabs(real), -16) + std::ldexp(1.0, -form.fraction_bits - 1)) +
              table_bound(kind) + std::ldexp(1.0, -form.fraction_bits - 1) +
              std::ldexp(std::fabs(expected) + 1e-3, -16);
          expect_code(y.out_q[i], expected / y_scale, 0.5 + error / y_scale, bits, i);
        }
      }
    }
  }
}

TEST(RotaryFixed, IsWithinItsBoundInBothLayouts) {
  std::mt19937_64 random(8);
  for (const RotaryLayout layout : {RotaryLayout::kHalf, RotaryLayout::kInterleaved}) {
    for (const int width : {2, 6, 64}) {
      const RotaryShape shape{40, width, layout};
      const std::vector<double> turns = rotations(shape, 10000.0);
      const Codes32 x = draw_codes(random, 16, shape.rows * width);
      const double x_scale = 0.001, y_scale = 0.0015;
      const VectorFixedResult y =
          rotary_fixed(x, shape, rotation_codes(turns),
                       make_multiplier(std::ldexp(x_scale / y_scale, -kRotationFractionBits)), 16);
      const std::vector<double> expected = rotary_float({x.begin(), x.end()}, shape, turns);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double code = expected[i] * x_scale / y_scale;
        // Two rotations of 14 fraction bits, each times at most 2^15, and the factor.
        const double bound = 0.5 + 2.0 * x_scale / y_scale + std::ldexp(std::fabs(code) + 2.0, -16);
        expect_code(y.out_q[i], code, bound, 16, i);
      }
    }
  }
}

TEST(RotaryFixed, PositionZeroIsOnlyRescaled) {
  const RotaryShape shape{1, 4, RotaryLayout::kHalf};
  const Codes32 x = {-32768, 32767, 5, -1};
  const VectorFixedResult y =
      rotary_fixed(x, shape, rotation_codes(rotations(shape, 10000.0)),
                   make_multiplier(std::ldexp(1.0, -kRotationFractionBits)), 16);
  EXPECT_EQ(y.out_q, (std::vector<std::int64_t>{-32768, 32767, 5, -1}));
}

}  // namespace
}  // namespace quadrille::model
