// DAMF at level `fixed` against `float` on the same codes, and its properties.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "model/attention/damf.h"

namespace quadrille::model {
namespace {

struct Problem {
  std::vector<std::int32_t> s, t, v;
  int width = 0;
  /// Few significant bits, so that `float` is exact on scaled codes and takes
  /// the same side of every threshold.
  double scale = 1.0;
  DamfSettings settings;

  DamfFixedResult fixed() const {
    return damf_fixed(s, t, v, width, make_power_rule(settings.rounding, scale), settings);
  }
  DamfResult real() const {
    DamfSettings scaled = settings;
    scaled.keep_sigma = true;  // The scale of the scores.
    return damf_float({s.begin(), s.end()}, {t.begin(), t.end()}, {v.begin(), v.end()}, width,
                      scale, scaled);
  }
  /// The first `tokens` tokens alone.
  Problem prefix(std::size_t tokens) const {
    Problem head = *this;
    head.s.resize(tokens);
    head.t.resize(tokens);
    head.v.resize(tokens * static_cast<std::size_t>(width));
    return head;
  }
};

Problem random_problem(std::mt19937_64& random, DamfMode mode) {
  constexpr int kLengths[] = {1, 2, 3, 7, 33, 100};
  constexpr double kScales[] = {1.0, 0.75, 1.25, 1.375, 1.5, 1.75};
  Problem problem;
  const auto length = static_cast<std::size_t>(kLengths[random() % 6]);
  problem.width = 1 + static_cast<int>(random() % 9);
  problem.scale = std::ldexp(kScales[random() % 6], static_cast<int>(random() % 20) - 10);
  const int spread = 1 << (random() % 8);
  const auto fill = [&](std::vector<std::int32_t>& codes, std::size_t count, int limit) {
    codes.resize(count);
    for (auto& code : codes)
      code = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(2 * limit)) - limit;
  };
  fill(problem.s, length, spread);
  fill(problem.t, length, spread);
  fill(problem.v, length * static_cast<std::size_t>(problem.width), 128);
  problem.settings.mode = mode;
  problem.settings.rounding = static_cast<PowerRounding>(random() % 3);
  problem.settings.maximum = static_cast<DamfMaximum>(random() % 3);
  problem.settings.negative = static_cast<DamfNegative>(random() % 2);
  problem.settings.shift_order = static_cast<DamfShiftOrder>(random() % 2);
  problem.settings.guard_bits = static_cast<int>(random() % 17);
  problem.settings.causal = random() % 2 == 0;
  return problem;
}

constexpr double kOutputStep = 1.0 / (1 << kDamfOutputFractionBits);

// Rounding to 2^-9 of V's step, and the reciprocal's relative error of 2^-14
// where a reciprocal is used (maclaurin, collapsed, uniform rows).
TEST(DamfFixed, StaysWithinTheDerivedBoundOfFloat) {
  std::mt19937_64 random(31);
  int compared = 0;
  std::int64_t uniform_rows = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    const Problem problem = random_problem(random, static_cast<DamfMode>(trial % 3));
    const DamfFixedResult fixed = problem.fixed();
    const DamfResult real = problem.real();
    ASSERT_EQ(fixed.uniform_rows, real.uniform_rows) << trial;
    uniform_rows += fixed.uniform_rows;
    const bool shift = problem.settings.mode == DamfMode::kShift;
    const bool each = shift && problem.settings.shift_order == DamfShiftOrder::kEach;
    for (std::size_t i = 0; i < fixed.out_q.size(); ++i) {
      const double exact = real.out[i];
      const double limit = std::ldexp(1.0, 31 - kDamfOutputFractionBits);
      if (std::fabs(exact) > 0.99 * limit) continue;  // Saturated.
      const std::size_t row = i / static_cast<std::size_t>(problem.width);
      const auto terms = static_cast<double>(problem.settings.causal ? row + 1 : problem.s.size());
      const double noise = 1e-9 * (1.0 + std::fabs(exact));
      double bound = 0.5 * kOutputStep + noise;
      const bool reciprocal = !shift || fixed.uniform_rows > 0;
      if (reciprocal) bound += std::ldexp(std::fabs(exact), -14);
      // Every term is cut below its guard bits, towards minus infinity.
      const double cut = each ? std::ldexp(terms, -problem.settings.guard_bits) : 0.0;
      const double error = static_cast<double>(fixed.out_q[i]) * kOutputStep - exact;
      ASSERT_LE(error, bound) << trial << " element " << i;
      ASSERT_GE(error, -bound - cut) << trial << " element " << i;
      ++compared;
    }
  }
  EXPECT_GT(compared, 100000);
  EXPECT_GT(uniform_rows, 1000);
}

TEST(DamfFixed, CollapsedEqualsMaclaurinBitForBit) {
  std::mt19937_64 random(32);
  for (int trial = 0; trial < 300; ++trial) {
    Problem problem = random_problem(random, DamfMode::kMaclaurin);
    const DamfFixedResult quadratic = problem.fixed();
    problem.settings.mode = DamfMode::kCollapsed;
    const DamfFixedResult linear = problem.fixed();
    EXPECT_EQ(quadratic.out_q, linear.out_q);
    EXPECT_EQ(quadratic.uniform_rows, linear.uniform_rows);
  }
}

TEST(DamfFixed, OneTokenIsItsOwnValue) {
  std::mt19937_64 random(33);
  for (int trial = 0; trial < 600; ++trial) {
    const Problem problem = random_problem(random, static_cast<DamfMode>(trial % 3)).prefix(1);
    const DamfFixedResult fixed = problem.fixed();
    const bool shift = problem.settings.mode == DamfMode::kShift && fixed.uniform_rows == 0;
    for (std::size_t c = 0; c < fixed.out_q.size(); ++c) {
      const std::int64_t own = std::int64_t{problem.v[c]} * (1 << kDamfOutputFractionBits);
      if (shift) {
        // 2^I V twice, over 2^(I+1): exact, with any number of guard bits.
        EXPECT_EQ(fixed.out_q[c], own);
      } else {
        EXPECT_NEAR(static_cast<double>(fixed.out_q[c]), static_cast<double>(own),
                    0.5 + std::ldexp(std::fabs(static_cast<double>(own)), -14));
      }
    }
  }
}

TEST(DamfFixed, CausalRowsDoNotDependOnLaterTokens) {
  std::mt19937_64 random(34);
  for (int trial = 0; trial < 200; ++trial) {
    Problem problem = random_problem(random, static_cast<DamfMode>(trial % 3));
    problem.settings.causal = true;
    const DamfFixedResult whole = problem.fixed();
    const std::size_t tokens = 1 + random() % problem.s.size();
    const DamfFixedResult head = problem.prefix(tokens).fixed();
    EXPECT_TRUE(std::equal(head.out_q.begin(), head.out_q.end(), whole.out_q.begin()));
    // The last row sees with one maximum per row what it sees without a mask.
    problem.settings.maximum = DamfMaximum::kRow;
    const DamfFixedResult masked = problem.fixed();
    problem.settings.causal = false;
    const DamfFixedResult open = problem.fixed();
    EXPECT_TRUE(std::equal(masked.out_q.end() - problem.width, masked.out_q.end(),
                           open.out_q.end() - problem.width));
  }
}

TEST(DamfFixed, UniformRowsAreCountedAndAverage) {
  Problem problem;
  problem.width = 1;
  problem.s = {3, 2, 0, 1};
  problem.t = {-1, -5, -2, -7};
  problem.v = {10, 20, 30, 40};
  for (const DamfMode mode : {DamfMode::kMaclaurin, DamfMode::kShift, DamfMode::kCollapsed}) {
    problem.settings.mode = mode;
    problem.settings.causal = false;
    // No score is positive: the maximum is the zero token's 0.
    DamfFixedResult fixed = problem.fixed();
    EXPECT_EQ(fixed.uniform_rows, 4);
    for (const std::int64_t out : fixed.out_q) EXPECT_NEAR(static_cast<double>(out), 25 * 256, 1);
    problem.settings.causal = true;
    fixed = problem.fixed();
    EXPECT_EQ(fixed.uniform_rows, 4);
    EXPECT_NEAR(static_cast<double>(fixed.out_q[1]), 15 * 256, 1);
    problem.settings.causal = false;
    problem.settings.maximum = DamfMaximum::kAbs;  // 21 > 0, but row 0 sums to 4*21 - 45 > 0.
    EXPECT_EQ(problem.fixed().uniform_rows, 0);
    problem.settings.maximum = DamfMaximum::kGlobal;
  }
}

}  // namespace
}  // namespace quadrille::model
