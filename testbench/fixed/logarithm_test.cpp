// Powers and logarithms by interpolation against real arithmetic: tables, error
// bounds of model/numerics/logarithm.h, clamps.
#include "model/numerics/logarithm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "testbench/common/environment.h"

namespace quadrille::model {
namespace {

constexpr std::int64_t kOctave = std::int64_t{1} << kLogFractionBits;

void expect_table(const InterpolationTable& table, std::uint32_t first, std::uint32_t end,
                  std::uint32_t largest_value, std::uint32_t largest_step) {
  EXPECT_EQ(table.front().value, first);
  EXPECT_EQ(table.back().value + table.back().step, end);
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_LE(table[i].value, largest_value) << i;
    EXPECT_GT(table[i].step, 0U) << i;
    EXPECT_LE(table[i].step, largest_step) << i;
    if (i > 0) {
      EXPECT_EQ(table[i - 1].value + table[i - 1].step, table[i].value) << i;
    }
  }
}

TEST(LogarithmTables, JoinWithoutGapsAndFitTheirWidths) {
  expect_table(make_power_table(), 1U << 17, 1U << 18, (1U << 18) - 1, (1U << 10) - 1);
  expect_table(make_logarithm_table(), 0, 1U << 16, (1U << 16) - 1, (1U << 9) - 1);
}

TEST(LogarithmTables, HoldTheNearestCodes) {
  const InterpolationTable power = make_power_table();
  const InterpolationTable logarithm = make_logarithm_table();
  for (std::size_t i = 0; i < 256; ++i) {
    const double x = static_cast<double>(i) / 256.0;
    EXPECT_NEAR(power[i].value, std::ldexp(std::exp2(x), 17), 0.5 + 1e-9) << i;
    EXPECT_NEAR(logarithm[i].value, std::ldexp(std::log2(1.0 + x), 16), 0.5 + 1e-9) << i;
  }
}

TEST(PowerMantissa, StaysWithinItsPublishedRelativeErrorEverywhere) {
  double worst = 0.0;
  std::uint32_t before = 0;
  for (std::uint32_t fraction = 0; fraction < kOctave; ++fraction) {
    const std::uint32_t mantissa = power_mantissa(fraction);
    ASSERT_GE(mantissa, 1U << 17);
    ASSERT_LE(mantissa, 1U << 18);
    ASSERT_GE(mantissa, before) << "falls at " << fraction;
    before = mantissa;
    const double exact = std::exp2(std::ldexp(fraction, -16));
    worst = std::max(worst, std::fabs(std::ldexp(mantissa, -17) / exact - 1.0));
  }
  EXPECT_LE(worst, std::ldexp(1.0, -16));
}

double log2_error(std::uint64_t x) {
  const long double exact = std::log2(static_cast<long double>(x));
  return static_cast<double>(
      std::fabs(std::ldexp(static_cast<long double>(log2_code(x)), -16) - exact));
}

TEST(Log2Code, StaysWithinItsPublishedError) {
  double worst = 0.0;
  for (std::uint64_t x = 1; x < (1U << 18); ++x) worst = std::max(worst, log2_error(x));
  std::mt19937_64 random(testbench::test_seed(501));
  for (int trial = 0; trial < 200000; ++trial)
    worst = std::max(worst, log2_error((random() >> (random() % 64)) | 1));
  worst = std::max(worst, log2_error(~std::uint64_t{0}));
  EXPECT_LE(worst, std::ldexp(1.0, -14));
}

TEST(Log2Code, IsExactOnPowersOfTwo) {
  for (int p = 0; p < 64; ++p) EXPECT_EQ(log2_code(std::uint64_t{1} << p), p * kOctave);
}

TEST(Log2Code, NeverFalls) {
  for (std::uint64_t x = 2; x < (1U << 18); ++x) ASSERT_GE(log2_code(x), log2_code(x - 1)) << x;
}

// Half a code for the rounding, 2^-16 of the value for the mantissa.
TEST(PowerCode, IsTheRoundedPower) {
  std::mt19937_64 random(testbench::test_seed(502));
  for (int trial = 0; trial < 200000; ++trial) {
    const int bits = static_cast<int>(random() % 31);
    const auto range = static_cast<std::uint64_t>(60 * kOctave);
    const std::int64_t x = (31 - bits) * kOctave - 1 - static_cast<std::int64_t>(random() % range);
    const double exact = std::ldexp(std::exp2(std::ldexp(static_cast<double>(x), -16)), bits);
    std::int64_t saturated = 0;
    const std::int64_t code = power_code(x, bits, saturated);
    ASSERT_NEAR(static_cast<double>(code), exact, 0.5 + std::ldexp(exact, -16))
        << "x " << x << " bits " << bits;
    ASSERT_TRUE(saturated == 0 || exact > std::ldexp(1.0 - std::ldexp(1.0, -16), 31))
        << "x " << x << " bits " << bits;
  }
}

TEST(PowerCode, RoundsHalfToEvenAndReachesZero) {
  std::int64_t saturated = 0;
  EXPECT_EQ(power_code(0, 24, saturated), 1 << 24);
  EXPECT_EQ(power_code(-24 * kOctave, 24, saturated), 1);
  EXPECT_EQ(power_code(-25 * kOctave, 24, saturated), 0) << "half a code, to even";
  EXPECT_EQ(power_code(-25 * kOctave + kOctave / 2, 24, saturated), 1);
  EXPECT_EQ(power_code(-200 * kOctave, 24, saturated), 0);
  EXPECT_EQ(power_code(-(std::int64_t{1} << 39), 30, saturated), 0);
  EXPECT_EQ(saturated, 0);
}

TEST(PowerCode, ClampsAndCounts) {
  constexpr std::int64_t kLargest = (std::int64_t{1} << 31) - 1;
  for (const int bits : {0, 7, 24, 30}) {
    std::int64_t saturated = 0;
    EXPECT_EQ(power_code((30 - bits) * kOctave, bits, saturated), std::int64_t{1} << 30);
    EXPECT_EQ(saturated, 0);
    for (const std::int64_t x :
         {(31 - bits) * kOctave, (31 - bits) * kOctave + 1, (32 - bits) * kOctave, 200 * kOctave,
          (std::int64_t{1} << 40) - 1}) {
      EXPECT_EQ(power_code(x, bits, saturated), kLargest) << "x " << x << " bits " << bits;
    }
    EXPECT_EQ(saturated, 5) << bits;
  }
}

struct Sum {
  LogSum fixed;
  long double exact = 0.0L;
  void add(std::int64_t x) {
    fixed.add(x);
    exact += std::exp2(std::ldexp(static_cast<long double>(x), -16));
  }
  double error() const {
    return static_cast<double>(
        std::fabs(std::ldexp(static_cast<long double>(fixed.logarithm()), -16) - std::log2(exact)));
  }
};

// Every term is off by 2^-16 of itself; adding it cuts off less than 2^-29 of
// the largest term; the logarithm is off by 2^-14.
double sum_bound(int terms) {
  const double relative = std::ldexp(1.0, -16) + terms * std::ldexp(1.0, -29);
  return std::ldexp(1.0, -14) - std::log2(1.0 - relative);
}

TEST(LogSum, StaysWithinItsDerivedError) {
  std::mt19937_64 random(testbench::test_seed(503));
  for (const int terms : {1, 2, 3, 17, 128, 1024, 4096}) {
    for (const std::int64_t octaves : {0, 1, 8, 30, 80, 250}) {
      for (int order = 0; order < 3; ++order) {
        std::vector<std::int64_t> values(static_cast<std::size_t>(terms));
        for (auto& x : values) {
          x = static_cast<std::int64_t>(random() %
                                        static_cast<std::uint64_t>((2 * octaves + 1) * kOctave)) -
              octaves * kOctave;
        }
        if (order == 1) std::sort(values.begin(), values.end());
        if (order == 2) std::sort(values.rbegin(), values.rend());
        Sum sum;
        for (const std::int64_t x : values) sum.add(x);
        EXPECT_LE(sum.error(), sum_bound(terms))
            << terms << " terms in +-" << octaves << " octaves, order " << order;
      }
    }
  }
}

// 2^20 terms that fall below the largest one's last bit, and as many that just
// do not: the cut is the bound, not more.
TEST(LogSum, CutsNoMoreThanItsLastBitPerTerm) {
  for (const std::int64_t below : {28, 29, 30}) {
    Sum sum;
    sum.add(0);
    for (int i = 0; i < (1 << 20); ++i) sum.add(-below * kOctave + kOctave / 3);
    EXPECT_LE(sum.error(), sum_bound(1 << 20)) << below;
  }
}

TEST(LogSum, OfOneTermIsThatTermToTheMantissaError) {
  for (std::int64_t x = -3 * kOctave; x < 3 * kOctave; x += 97) {
    LogSum sum;
    sum.add(x);
    EXPECT_NEAR(static_cast<double>(sum.logarithm()), static_cast<double>(x),
                std::ldexp(sum_bound(1), 16));
  }
}

TEST(LogSum, ShiftsByWholeOctavesExactly) {
  std::mt19937_64 random(testbench::test_seed(504));
  for (int trial = 0; trial < 200; ++trial) {
    LogSum sum;
    LogSum shifted;
    const std::int64_t offset = (static_cast<std::int64_t>(random() % 2001) - 1000) * kOctave;
    for (int k = 0; k < 20; ++k) {
      const auto x = static_cast<std::int64_t>(random() % (1U << 22));
      sum.add(x);
      shifted.add(x + offset);
    }
    EXPECT_EQ(shifted.logarithm(), sum.logarithm() + offset);
  }
}

}  // namespace
}  // namespace quadrille::model
