// Question: does the reciprocal square root keep its bound, for every number that it can
// tell apart?
#include "model/numerics/reciprocal_root.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/errors.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

/// Newton's step is at most 1.5 e^2 too low with a seed off by e <= 2^-9 + 2^-12 (and the
/// square terms of both), the truncation of m at most 2^-17 too high; the mantissa's
/// rounding adds half a unit of at least 2^15.
constexpr double kDerived = 7.7e-6 + 1.0 / 65536.0;

double relative_error(std::uint64_t d) {
  const Reciprocal root = reciprocal_root(d);
  const double found = std::ldexp(static_cast<double>(root.mantissa), -root.shift);
  return found * std::sqrt(static_cast<double>(d)) - 1.0;
}

TEST(ReciprocalRoot, KeepsItsBoundForEveryNormalisedNumber) {
  static_assert(kDerived < 1.0 / 32768.0, "the bound that the header promises");
  double worst = 0.0;
  for (std::uint64_t m = 1 << 16; m < 1 << 18; ++m) {
    // The least and the largest number that are truncated to m.
    for (const std::uint64_t d : {m << 20, ((m + 1) << 20) - 1}) {
      const Reciprocal root = reciprocal_root(d);
      if (root.mantissa < 1U << 15 || root.mantissa > 1U << 16)
        FAIL() << root.mantissa << " of " << d;
      worst = std::max(worst, std::fabs(relative_error(d)));
    }
  }
  EXPECT_LE(worst, kDerived);
}

TEST(ReciprocalRoot, KeepsItsBoundForSmallNumbersAndOnBothSidesOfPowersOfTwo) {
  for (std::uint64_t d = 1; d < 1 << 16; ++d) EXPECT_LE(std::fabs(relative_error(d)), kDerived);
  std::mt19937_64 random(11);
  for (int bit = 16; bit < 63; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t d : {power - 1, power, power + 1, power + random() % power})
      EXPECT_LE(std::fabs(relative_error(d)), kDerived) << d;
  }
}

TEST(ReciprocalRoot, OfPowersOfFourIsExact) {
  for (int k = 0; k < 31; ++k) {
    const Reciprocal root = reciprocal_root(std::uint64_t{1} << (2 * k));
    EXPECT_EQ(root.mantissa, 1U << 16) << k;
    EXPECT_EQ(root.shift, 16 + k);
  }
  EXPECT_THROW(reciprocal_root(0), InvariantError);
}

}  // namespace
}  // namespace quadrille::model
