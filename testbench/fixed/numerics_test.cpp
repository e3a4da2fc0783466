// The integer numerics against real arithmetic.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "model/numerics/causal_pairs.h"
#include "model/numerics/exp2.h"
#include "model/numerics/integers.h"
#include "model/numerics/power_of_two.h"
#include "model/numerics/quantise.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"
#include "testbench/common/portable_random.h"

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

/// Numbers that decide: all of 18 bits; for each shift, those around a whole and
/// around a half, beside the smallest and the largest quotients of |x| < 2^62.
std::vector<std::int64_t> deciding_numbers(int shift) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t x = -(1 << 17); x <= 1 << 17; ++x) numbers.push_back(x);
  constexpr std::int64_t kLargest = (std::int64_t{1} << 62) - 1;
  numbers.insert(numbers.end(), {kLargest, -kLargest, kLargest / 2 + 1, -kLargest / 2 - 1});
  if (shift < 1 || shift > 61) return numbers;
  const std::int64_t whole = std::int64_t{1} << shift;
  const std::int64_t most = kLargest >> shift;
  for (const std::int64_t quotient : {-most, 1 - most, -std::int64_t{2}, -std::int64_t{1},
                                      std::int64_t{0}, std::int64_t{1}, most - 2, most - 1}) {
    for (const std::int64_t part : {std::int64_t{0}, whole / 2, whole}) {
      for (const std::int64_t near : {-1, 0, 1}) numbers.push_back(quotient * whole + part + near);
    }
  }
  return numbers;
}

TEST(RoundShift, ItsFastTwinIsEqualForEveryNumberThatDecides) {
  for (int shift = 0; shift <= 70; ++shift) {
    const RoundShift<std::int64_t> fast(shift);
    const RoundShift<std::uint64_t> fast_unsigned(shift);
    for (const std::int64_t x : deciding_numbers(shift)) {
      ASSERT_EQ(fast(x), round_shift(x, shift)) << "x " << x << " shift " << shift;
      if (x < 0) continue;
      ASSERT_EQ(fast_unsigned(static_cast<std::uint64_t>(x)),
                static_cast<std::uint64_t>(round_shift(x, shift)))
          << "x " << x << " shift " << shift;
    }
  }
}

// The Sinkhorn engine interpolates with these: 10-bit steps times 8-bit offsets.
TEST(RoundShift, ItsFastTwinIn32BitsIsEqualForEveryInterpolation) {
  constexpr RoundShift<std::uint32_t> kFast(8);
  for (std::uint32_t x = 0; x <= 0x3FF * 0xFF; ++x)
    ASSERT_EQ(kFast(x), static_cast<std::uint32_t>(round_shift(x, 8))) << x;
}

TEST(Integers, QuotientsRoundedUp) {
  static_assert(ceil_div(0, 3) == 0 && ceil_div(1, 3) == 1 && ceil_div(3, 3) == 1);
  static_assert(ceil_div(std::int64_t{4}, 3) == 2 && round_up(std::uint64_t{7}, 4U) == 8);
  static_assert(round_up(8, 4) == 8 && round_up(0, 4) == 0);
  EXPECT_EQ(ceil_div((std::int64_t{1} << 40) + 1, 1 << 20), (std::int64_t{1} << 20) + 1);
}

TEST(CausalPairs, EqualACountOneByOne) {
  for (int rows = 0; rows <= 9; ++rows) {
    for (int columns = 0; columns <= 9; ++columns) {
      for (int first_row = -12; first_row <= 12; ++first_row) {
        std::int64_t pairs = 0;
        for (int row = 0; row < rows; ++row) {
          for (int column = 0; column < columns; ++column)
            pairs += column <= first_row + row ? 1 : 0;
        }
        EXPECT_EQ(causal_pairs(rows, columns, first_row), pairs)
            << rows << " x " << columns << " from " << first_row;
      }
    }
  }
}

TEST(Reciprocal, PacksIntoOneWordAndBack) {
  EXPECT_EQ(packed({0x10000, 62}), 0x3E010000U);
  EXPECT_EQ(packed({0x8000, 16}), 0x10008000U);
  for (int lead = 0; lead < 47; ++lead) {
    const Reciprocal r = reciprocal(std::uint64_t{1} << lead | 1);
    const Reciprocal back = unpacked_reciprocal(packed(r));
    EXPECT_EQ(back.mantissa, r.mantissa) << lead;
    EXPECT_EQ(back.shift, r.shift) << lead;
  }
  // Bits outside of the layout are not read.
  EXPECT_EQ(unpacked_reciprocal(0xFFFFFFFFU).mantissa, 0x1FFFFU);
  EXPECT_EQ(unpacked_reciprocal(0xFFFFFFFFU).shift, 63);
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
  for (const auto rounding : {PowerRounding::kLinear, PowerRounding::kLog, PowerRounding::kFloor}) {
    for (int trial = 0; trial < 200; ++trial) {
      const double scale = trial == 0 ? 1.0 : std::exp2(portable_uniform(random, -20.0, 20.0));
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
  for (int trial = 0; trial < 20000; ++trial) {
    const double factor = std::exp2(portable_uniform(random, -46.0, 14.0));
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
