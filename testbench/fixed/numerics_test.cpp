// The integer numerics against real arithmetic.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "model/numerics/exp2.h"
#include "model/numerics/power_of_two.h"
#include "model/numerics/quantise.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

TEST(RoundShift, IsHalfToEvenOnBothSidesOfZero) {
  for (std::int64_t x = -4096; x <= 4096; ++x) {
    for (int shift = 0; shift <= 14; ++shift) {
      const double exact = std::ldexp(static_cast<double>(x), -shift);
      EXPECT_EQ(round_shift(x, shift), static_cast<std::int64_t>(std::nearbyint(exact)))
          << "x " << x << " shift " << shift;
    }
  }
}

TEST(Reciprocal, StaysWithinItsPublishedRelativeError) {
  double worst = 0.0;
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 400000; ++trial) {
    const std::uint64_t d = trial < 200000 ? static_cast<std::uint64_t>(trial) + 1
                                           : 1 + (random() >> (17 + random() % 46));
    const Reciprocal r = reciprocal(d);
    ASSERT_GE(r.mantissa, 1U << 15);
    ASSERT_LE(r.mantissa, 1U << 16);
    const double value = std::ldexp(static_cast<double>(r.mantissa), -r.shift);
    worst = std::max(worst, std::fabs(value * static_cast<double>(d) - 1.0));
  }
  EXPECT_LE(worst, std::ldexp(1.0, -14));
}

TEST(Exp2, IsTheNearestCodeUpToTheTableStep) {
  for (std::uint64_t x = 0; x < 12 * 256; ++x) {
    const double exact = 255.0 * std::exp2(-static_cast<double>(x) / 256.0);
    EXPECT_NEAR(exp2_code(x), exact, 0.5 + 1.0 / 256) << x;
  }
  EXPECT_EQ(exp2_code(std::uint64_t{1} << 62), 0U);
}

TEST(PowerOfTwo, IntegerRuleEqualsTheRealRuleOnScaledMagnitudes) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> log_scale(-20, 20);
  for (const auto rounding : {PowerRounding::kLinear, PowerRounding::kLog, PowerRounding::kFloor}) {
    for (int trial = 0; trial < 200; ++trial) {
      const double scale = trial == 0 ? 1.0 : std::exp2(log_scale(random));
      const PowerRule rule = make_power_rule(rounding, scale);
      const int dropped = std::ilogb(scale);
      for (std::uint64_t a = 1; a <= 16384; a += 1 + random() % 5) {
        EXPECT_EQ(power_exponent(a, rule) + dropped,
                  power_exponent(static_cast<double>(a) * scale, rounding))
            << "a " << a << " scale " << scale;
      }
    }
  }
  EXPECT_EQ(power_exponent(std::uint64_t{3}, make_power_rule(PowerRounding::kLinear, 1.0)), 2)
      << "a tie goes upward";
}

TEST(Multiplier, IsWithinHalfAMantissaStep) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> log_factor(-46, 14);
  for (int trial = 0; trial < 20000; ++trial) {
    const double factor = std::exp2(log_factor(random));
    const Multiplier m = make_multiplier(factor);
    EXPECT_GE(m.mantissa, 1U << 15);
    EXPECT_LT(m.mantissa, 1U << 16);
    EXPECT_NEAR(m.value() / factor, 1.0, std::ldexp(1.0, -16));
  }
}

TEST(Quantise, MapsTheLargestMagnitudeToTheLargestCodeHalfToEven) {
  const Codes codes = quantise_absmax({127.0, -63.5, 0.5, 1.5, -127.0}, 8);
  EXPECT_EQ(codes.scale, 1.0);
  EXPECT_EQ(codes.q, (std::vector<std::int32_t>{127, -64, 0, 2, -127}));
  EXPECT_EQ(quantise_absmax({0.0, 0.0}, 8).scale, 1.0);
}

}  // namespace
}  // namespace quadrille::model
