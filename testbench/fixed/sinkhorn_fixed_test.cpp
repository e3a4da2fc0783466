// Level `fixed` of Sinkhorn against `float` on the same integer logits, and its
// properties.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/attention/sinkhorn.h"
#include "model/errors.h"
#include "model/numerics/rounding.h"
#include "testbench/common/environment.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

using Reals = std::vector<double>;

constexpr double kLog2 = 0.69314718055994530942;

struct Problem {
  std::vector<std::int32_t> codes;
  SinkhornInteger integer;

  const SinkhornShape& shape() const { return integer.shape; }
  SinkhornFixedResult fixed(const std::vector<std::int32_t>& g0 = {},
                            const std::vector<std::int32_t>& f0 = {}) const {
    return sinkhorn_fixed(codes, integer, g0, f0);
  }
  // The first `half_steps` half-steps, without a stop.
  Problem first(int half_steps) const {
    Problem problem = *this;
    problem.integer.settings.half_steps = half_steps;
    problem.integer.settings.tolerance = 0.0;
    return problem;
  }
  // The integer logits stand for these, in nats.
  Reals logits() const {
    Reals result;
    for (const std::int32_t code : codes) {
      const std::int64_t logit =
          saturate(round_shift(std::int64_t{code} * integer.factor.mantissa, integer.factor.shift),
                   kLogitBits);
      result.push_back(std::ldexp(static_cast<double>(logit), -integer.fraction_bits) * kLog2);
    }
    return result;
  }
  SinkhornResult real(const Reals& c0 = {}, const Reals& r0 = {}) const {
    return sinkhorn_float(logits(), shape(), integer.settings, c0, r0);
  }
  std::string description() const {
    const auto& s = integer.settings;
    return std::to_string(shape().batch) + " x " + std::to_string(shape().rows) + " x " +
           std::to_string(shape().columns) + (shape().causal ? " causal" : "") + " form " +
           std::to_string(static_cast<int>(s.form)) + " update " +
           std::to_string(static_cast<int>(s.update)) + " half-steps " +
           std::to_string(s.half_steps);
  }
};

Problem random_problem(std::mt19937_64& random, const SinkhornShape& shape, double largest_nats,
                       const SinkhornSettings& settings) {
  Problem problem;
  for (std::int64_t k = 0; k < shape.batch * shape.elements(); ++k)
    problem.codes.push_back(static_cast<std::int32_t>(random() % 65535) - 32767);
  problem.integer.shape = shape;
  problem.integer.settings = settings;
  const double octaves = largest_nats / kLog2;
  problem.integer.fraction_bits = logit_fraction_bits(octaves);
  problem.integer.factor =
      make_multiplier(std::ldexp(octaves / 32767.0, problem.integer.fraction_bits));
  return problem;
}

const std::vector<SinkhornShape> kShapes = {
    {1, 1, 1, false},  {1, 1, 7, false},   {1, 7, 1, false}, {1, 13, 5, false},
    {3, 5, 13, false}, {1, 31, 31, false}, {4, 4, 4, false}, {1, 9, 64, false},
    {2, 4, 4, true},   {1, 13, 13, true},  {1, 11, 6, true}, {1, 6, 11, true}};

// Largest error of one T, in octaves: a LogSum's (2^-16 of every mantissa, 2^-29
// of the largest term per addition, 2^-14 of the logarithm) and the target's.
double map_error(int terms) {
  const double relative = std::ldexp(1.0, -16) + terms * std::ldexp(1.0, -29);
  return std::ldexp(1.0, -14) - std::log2(1.0 - relative) + std::ldexp(1.0, -17);
}

double real(std::int64_t code, int fraction_bits) {
  return std::ldexp(static_cast<double>(code), -fraction_bits);
}

// T does not enlarge an error of the other side's logarithms, so after l
// half-steps each side is off by l map errors at most (a damped update adds half
// a map error and half a code, which is less), and K by both sides' errors, by
// 2^-16 of its mantissa, and by half a code.
void expect_within_bound(const Problem& problem, const SinkhornFixedResult& fixed,
                         const SinkhornResult& exact) {
  const int terms = std::max(problem.shape().rows, problem.shape().columns);
  const int steps = problem.integer.settings.half_steps;
  const double side = steps * map_error(terms) + std::ldexp(1.0, -17);  // A start is rounded, too.
  const double relative = std::exp2(2.0 * side) * (1.0 + std::ldexp(1.0, -16)) - 1.0;
  ASSERT_EQ(fixed.k_q.size(), exact.k.size());
  for (std::size_t e = 0; e < exact.k.size(); ++e) {
    ASSERT_NEAR(real(fixed.k_q[e], kKernelFractionBits), exact.k[e],
                relative * exact.k[e] + std::ldexp(0.501, -kKernelFractionBits))
        << problem.description() << " element " << e;
  }
  for (std::size_t i = 0; i < exact.log_r.size(); ++i)
    ASSERT_NEAR(real(fixed.f_q[i], 16), exact.log_r[i] / kLog2, side) << problem.description();
  for (std::size_t j = 0; j < exact.log_c.size(); ++j)
    ASSERT_NEAR(real(fixed.g_q[j], 16), exact.log_c[j] / kLog2, side) << problem.description();
  EXPECT_EQ(fixed.iterations, exact.iterations);
  EXPECT_EQ(fixed.sweeps, fixed.iterations);
  EXPECT_EQ(fixed.residuals.size(), static_cast<std::size_t>(std::max(steps - 1, 0)));
}

class Update : public testing::TestWithParam<SinkhornUpdate> {};
INSTANTIATE_TEST_SUITE_P(SinkhornFixed, Update,
                         testing::Values(SinkhornUpdate::kAlternate, SinkhornUpdate::kDamped));

TEST_P(Update, StaysWithinTheDerivedBoundOfFloat) {
  std::mt19937_64 random(testbench::test_seed(701));
  for (const SinkhornShape& shape : kShapes) {
    for (const int half_steps : {0, 1, 2, 3, 8, 21}) {
      for (const double largest : {1.0, 4.0, 20.0, 80.0}) {
        const SinkhornSettings settings{half_steps, 0.0, SinkhornForm::kScaling, GetParam()};
        const Problem problem = random_problem(random, shape, largest, settings);
        if (half_steps == 0 && largest > 4.0) continue;  // exp(C) itself does not fit.
        const auto fixed = problem.fixed();
        EXPECT_EQ(fixed.saturated, 0) << problem.description();
        expect_within_bound(problem, fixed, problem.real());
      }
    }
  }
}

TEST_P(Update, StaysWithinTheBoundFromAnyStart) {
  std::mt19937_64 random(testbench::test_seed(702));
  for (const SinkhornShape& shape : kShapes) {
    const SinkhornSettings settings{9, 0.0, SinkhornForm::kScaling, GetParam()};
    const Problem problem = random_problem(random, shape, 4.0, settings);
    Reals c0(static_cast<std::size_t>(shape.batch * shape.columns));
    Reals r0(static_cast<std::size_t>(shape.batch * shape.rows));
    for (double& c : c0) c = std::exp2(portable_uniform(random, -3.0, 3.0));
    for (double& r : r0) r = std::exp2(portable_uniform(random, -3.0, 3.0));
    const auto g0 = sinkhorn_log_codes(c0);
    expect_within_bound(problem, problem.fixed(g0), problem.real(c0));
    if (GetParam() == SinkhornUpdate::kDamped)
      expect_within_bound(problem, problem.fixed(g0, sinkhorn_log_codes(r0)), problem.real(c0, r0));
  }
}

// All lengths powers of two and all logits equal: every logarithm is exact.
TEST(SinkhornFixed, IsExactOnEqualLogits) {
  Problem problem;
  problem.integer.shape = {1, 2, 8, false};
  problem.integer.settings.half_steps = 5;
  problem.codes.assign(16, 0);
  const auto fixed = problem.fixed();
  constexpr std::int64_t kOctave = 1 << 16;
  EXPECT_EQ(fixed.f_q, std::vector<std::int64_t>(2, -3 * kOctave));
  EXPECT_EQ(fixed.g_q, std::vector<std::int64_t>(8, 0));
  EXPECT_EQ(fixed.k_q, std::vector<std::int64_t>(16, 1 << 21));
  for (const auto& residual : fixed.residuals) {
    EXPECT_EQ(residual.row, 0);
    EXPECT_EQ(residual.column, 0);
  }
  EXPECT_EQ(fixed.saturated, 0);
}

// Scores of 32 bits, and a mask: what is hidden changes nothing, not even the
// count of clamped logits.
TEST_P(Update, HidesTheFuture) {
  std::mt19937_64 random(testbench::test_seed(703));
  for (const int columns : {5, 9}) {
    const SinkhornShape shape{2, 7, columns, true};
    Problem problem =
        random_problem(random, shape, 4.0, {6, 0.0, SinkhornForm::kScaling, GetParam()});
    const auto before = problem.fixed();
    for (std::size_t e = 0; e < problem.codes.size(); ++e) {
      const int i = static_cast<int>(e) / columns % 7;
      const int j = static_cast<int>(e) % columns;
      if (j > i) {
        EXPECT_EQ(before.k_q[e], 0);
        problem.codes[e] = 2147483647;
      }
    }
    const auto after = problem.fixed();
    EXPECT_EQ(after.k_q, before.k_q);
    EXPECT_EQ(after.saturated, before.saturated);
    for (int j = 7; j < columns; ++j) EXPECT_EQ(after.g_q[static_cast<std::size_t>(j)], 0);
  }
}

// The residual of a state, by plain sums over its exact scalings.
SinkhornResidual residual_of_scalings(const Problem& problem, const SinkhornFixedResult& state) {
  const Reals logits = problem.logits();
  const SinkhornShape& shape = problem.shape();
  Reals k(logits.size(), 0.0);
  for (int i = 0; i < shape.rows; ++i)
    for (int j = 0; j < shape.columns; ++j) {
      const auto e = static_cast<std::size_t>(i * shape.columns + j);
      if (shape.visible(i, j))
        k[e] = std::exp2(logits[e] / kLog2 + real(state.f_q[static_cast<std::size_t>(i)], 16) +
                         real(state.g_q[static_cast<std::size_t>(j)], 16));
    }
  return sinkhorn_residual(k, shape);
}

// A residual is 2^(old - T): T is off by a map error, the power by 2^-16 of
// itself and half a code.
TEST_P(Update, MeasuresTheResidualOfTheStateBefore) {
  std::mt19937_64 random(testbench::test_seed(704));
  for (const SinkhornShape& shape : kShapes) {
    if (shape.batch > 1) continue;
    const SinkhornSettings settings{10, 0.0, SinkhornForm::kScaling, GetParam()};
    const Problem problem = random_problem(random, shape, 4.0, settings);
    const auto found = problem.fixed().residuals;
    ASSERT_EQ(found.size(), 9U);
    for (int l = 1; l <= 9; ++l) {
      const SinkhornResidual exact = residual_of_scalings(problem, problem.first(l).fixed());
      const double relative =
          std::exp2(map_error(std::max(shape.rows, shape.columns))) * (1 + std::ldexp(1.0, -16)) -
          1;
      const auto bound = [&](double residual) {
        return (1.0 + residual) * relative + std::ldexp(0.501, -16);
      };
      const SinkhornResidualCode& code = found[static_cast<std::size_t>(l - 1)];
      const bool damped = GetParam() == SinkhornUpdate::kDamped;
      if (damped || l % 2 == 0) {
        EXPECT_NEAR(real(code.row, 16), exact.row, bound(exact.row)) << problem.description() << l;
      } else {
        EXPECT_EQ(code.row, 0);
        EXPECT_LE(exact.row, bound(0.0)) << "a row half-step normalises rows";
      }
      if (damped || l % 2 == 1) {
        EXPECT_NEAR(real(code.column, 16), exact.column, bound(exact.column))
            << problem.description() << l;
      } else {
        EXPECT_EQ(code.column, 0);
        EXPECT_LE(exact.column, bound(0.0));
      }
    }
  }
}

// Every state after a half-step has K <= max(1, n / m): a line's sum is at least
// each of its terms, and a damped update divides by the root of two such sums. So
// no start, however far, makes K or a residual code overflow.
TEST_P(Update, ComesBackFromAnyStart) {
  std::mt19937_64 random(testbench::test_seed(714));
  const auto far = [&](int lines) {
    std::vector<std::int32_t> codes(static_cast<std::size_t>(lines));
    for (auto& code : codes) code = static_cast<std::int32_t>(random() % (1U << 30)) - (1 << 29);
    return codes;
  };
  for (const SinkhornShape& shape :
       {SinkhornShape{1, 6, 6, false}, {1, 9, 3, false}, {1, 5, 5, true}}) {
    for (const int half_steps : {1, 2, 5}) {
      const Problem problem =
          random_problem(random, shape, 4.0, {half_steps, 0.0, SinkhornForm::kScaling, GetParam()});
      const auto fixed = problem.fixed(far(shape.columns), far(shape.rows));
      EXPECT_EQ(fixed.saturated, 0);
      const double largest = std::max(1.0, static_cast<double>(shape.rows) / shape.columns);
      const double relative = std::exp2(2 * half_steps * map_error(9)) * (1 + std::ldexp(1.0, -16));
      for (const std::int64_t k : fixed.k_q)
        EXPECT_LE(real(k, kKernelFractionBits), largest * relative) << problem.description();
      for (const auto& residual : fixed.residuals)
        EXPECT_LE(std::max(residual.row, residual.column), 9 * 9 * 65536);
    }
  }
}

struct Way {
  SinkhornForm form;
  SinkhornUpdate update;
};
const std::vector<Way> kWays = {{SinkhornForm::kScaling, SinkhornUpdate::kAlternate},
                                {SinkhornForm::kScaling, SinkhornUpdate::kDamped},
                                {SinkhornForm::kKernel, SinkhornUpdate::kAlternate},
                                {SinkhornForm::kMatrix, SinkhornUpdate::kAlternate}};

// The sweep that finds a state within the tolerance is thrown away; the state
// after the last half-step is never measured.
TEST(SinkhornFixed, StopsAtTheFirstMeasuredStateWithinTheTolerance) {
  std::mt19937_64 random(testbench::test_seed(705));
  int stopped = 0;
  for (const Way& way : kWays) {
    for (int trial = 0; trial < 8; ++trial) {
      constexpr int kSteps = 14;
      Problem problem = random_problem(random, {1, 6, 6, trial % 2 == 1}, 2.0,
                                       {kSteps, 0.0, way.form, way.update});
      const auto all = problem.fixed().residuals;
      ASSERT_EQ(all.size(), static_cast<std::size_t>(kSteps - 1));
      std::vector<std::int32_t> tolerances = {0, 1, 65536};
      for (const auto& state : all) {
        tolerances.push_back(std::max(state.row, state.column));
        tolerances.push_back(std::max(state.row, state.column) - 1);
      }
      for (const std::int32_t tolerance : tolerances) {
        if (tolerance < 0) continue;
        int expected = kSteps;
        for (int l = kSteps - 1; l >= 1; --l) {
          const auto& state = all[static_cast<std::size_t>(l - 1)];
          if (std::max(state.row, state.column) <= tolerance) expected = l;
        }
        problem.integer.settings.tolerance = 0.5;  // Any: the code decides.
        problem.integer.tolerance_code = tolerance;
        const auto found = problem.fixed();
        const auto state = problem.first(expected).fixed();
        ASSERT_EQ(found.iterations[0], expected) << problem.description() << " at " << tolerance;
        EXPECT_EQ(found.sweeps[0], expected == kSteps ? kSteps : expected + 1);
        EXPECT_EQ(found.residuals.size(), static_cast<std::size_t>(found.sweeps[0] - 1));
        EXPECT_EQ(found.k_q, state.k_q);
        EXPECT_EQ(found.f_q, state.f_q);
        EXPECT_EQ(found.g_q, state.g_q);
        EXPECT_EQ(found.saturated, state.saturated);
        stopped += expected < kSteps ? 1 : 0;
      }
    }
  }
  EXPECT_GT(stopped, 100);
}

TEST(SinkhornFixed, TreatsMatricesOfABatchAlone) {
  std::mt19937_64 random(testbench::test_seed(706));
  for (const Way& way : kWays) {
    Problem batch = random_problem(random, {6, 4, 4, false}, 3.0, {20, 0.01, way.form, way.update});
    batch.integer.tolerance_code = sinkhorn_tolerance_code(0.01);
    for (std::size_t e = 0; e < 48; ++e) batch.codes[e] /= 1 + static_cast<int>(e) / 16 * 5;
    const auto found = batch.fixed();
    SinkhornFixedResult joined;
    for (int b = 0; b < 6; ++b) {
      Problem one = batch;
      one.integer.shape.batch = 1;
      one.codes.assign(batch.codes.begin() + b * 16, batch.codes.begin() + b * 16 + 16);
      const auto alone = one.fixed();
      const auto append = [](auto& to, const auto& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(joined.k_q, alone.k_q);
      append(joined.f_q, alone.f_q);
      append(joined.g_q, alone.g_q);
      append(joined.iterations, alone.iterations);
      append(joined.sweeps, alone.sweeps);
      if (joined.residuals.size() < alone.residuals.size())
        joined.residuals.resize(alone.residuals.size());
      for (std::size_t l = 0; l < alone.residuals.size(); ++l) {
        joined.residuals[l].row = std::max(joined.residuals[l].row, alone.residuals[l].row);
        joined.residuals[l].column =
            std::max(joined.residuals[l].column, alone.residuals[l].column);
      }
    }
    EXPECT_EQ(found.k_q, joined.k_q);
    EXPECT_EQ(found.f_q, joined.f_q);
    EXPECT_EQ(found.g_q, joined.g_q);
    EXPECT_EQ(found.iterations, joined.iterations);
    EXPECT_EQ(found.sweeps, joined.sweeps);
    const auto [least, most] =
        std::minmax_element(found.iterations.begin(), found.iterations.end());
    EXPECT_LT(*least, *most);
    ASSERT_EQ(found.residuals.size(), joined.residuals.size());
    for (std::size_t l = 0; l < found.residuals.size(); ++l) {
      EXPECT_EQ(found.residuals[l].row, joined.residuals[l].row);
      EXPECT_EQ(found.residuals[l].column, joined.residuals[l].column);
    }
  }
}

TEST(SinkhornFixed, CountsWhatItClamps) {
  Problem problem;
  problem.integer.shape = {1, 2, 2, true};  // (0, 1) is hidden.
  problem.integer.settings.half_steps = 4;
  problem.integer.factor = make_multiplier(1.0);
  problem.codes = {40000, 40000, -32768, 32767};
  EXPECT_EQ(problem.fixed().saturated, 1) << "a logit counts once, a hidden one never";
  // Scalings: T beyond 32768 octaves, for both rows.
  problem.integer.shape.causal = false;
  problem.codes = {-32768, -32768, -32768, -32768};
  constexpr std::int32_t kLeast = -2147483647 - 1;
  const auto clamped = problem.first(1).fixed({kLeast, kLeast});
  EXPECT_EQ(clamped.saturated, 2);
  EXPECT_EQ(clamped.f_q[0], 2147483647);
  // K: 2^7 and more.
  problem.codes = {0, 0, 0, 256};
  const std::int32_t seven = 7 << 16;
  const auto large = problem.first(0).fixed({seven, seven - 1});
  EXPECT_EQ(large.saturated, 3);
  EXPECT_EQ(large.k_q[0], 2147483647);
  EXPECT_LT(large.k_q[1], 2147483647);
}

// A symmetric matrix stays symmetric to the bit with one code per token.
TEST(SinkhornFixed, DampedUpdatesKeepASymmetricMatrixSymmetric) {
  std::mt19937_64 random(testbench::test_seed(707));
  Problem problem = random_problem(random, {1, 12, 12, false}, 8.0,
                                   {20, 0.0, SinkhornForm::kScaling, SinkhornUpdate::kDamped});
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t j = 0; j < i; ++j) problem.codes[i * 12 + j] = problem.codes[j * 12 + i];
  std::vector<std::int32_t> g0(12);
  for (auto& code : g0) code = static_cast<std::int32_t>(random() % 100000) - 50000;
  const auto fixed = problem.fixed(g0);
  EXPECT_EQ(fixed.f_q, fixed.g_q);
}

// `float` says this of a held form's scalings and K, over all states.
struct Extremes {
  double largest_row_scaling = 0.0;  ///< K0 is at most 1.
  double largest_column_scaling = 1.0;
  double least_kernel = 1.0;  ///< The least element of K0 and of every state.
};

Extremes extremes(const Problem& problem) {
  const Reals logits = problem.logits();
  const double largest = *std::max_element(logits.begin(), logits.end());
  const double least = *std::min_element(logits.begin(), logits.end());
  Extremes result;
  result.least_kernel = std::exp(least - largest);
  for (int l = 1; l <= problem.integer.settings.half_steps; ++l) {
    const auto state = problem.first(l).real();
    for (const double r : state.log_r)
      result.largest_row_scaling = std::max(result.largest_row_scaling, std::exp(r + largest));
    for (const double c : state.log_c)
      result.largest_column_scaling = std::max(result.largest_column_scaling, std::exp(c));
    result.least_kernel =
        std::min(result.least_kernel, *std::min_element(state.k.begin(), state.k.end()));
  }
  return result;
}

// K0 is off by 2^-16 and half a code of the least one in both forms; a reciprocal
// by 2^-14, the column target by 2^-16. kKernel rounds every product of a line to
// half a code, of a sum 1 / r or (n / m) / c. kMatrix rounds every element in
// every half-step, as if the logits had moved that much. As T enlarges no error,
// each side is then off by l times the sum of a half-step's errors and the
// logits', and K by two sides, by the logits, and kKernel by its two roundings.
struct HeldBound {
  double relative = 0.0;
  double absolute = 0.0;
};

HeldBound held_bound(const Problem& problem) {
  const SinkhornShape& shape = problem.shape();
  const int steps = problem.integer.settings.half_steps;
  const Extremes most = extremes(problem);
  const double half_code = std::ldexp(0.5, -kKernelFractionBits);
  double logits = std::ldexp(1.0, -16) + half_code / most.least_kernel;
  double map = std::ldexp(1.0, -14) + std::ldexp(1.0, -16);
  double roundings = half_code;
  if (problem.integer.settings.form == SinkhornForm::kKernel) {
    map += half_code * std::max(shape.columns * most.largest_row_scaling,
                                (shape.columns + 1) * most.largest_column_scaling);
    roundings += half_code * most.largest_column_scaling;
  } else {
    logits += steps * half_code / most.least_kernel;
    map += half_code;
  }
  // 1.1: errors are relative, the bound adds logarithms.
  return {1.1 * (logits + 2 * steps * (map + logits)), 1.1 * roundings};
}

class Held : public testing::TestWithParam<SinkhornForm> {};
INSTANTIATE_TEST_SUITE_P(SinkhornFixed, Held,
                         testing::Values(SinkhornForm::kKernel, SinkhornForm::kMatrix));

TEST_P(Held, StaysWithinTheDerivedBoundOfFloat) {
  std::mt19937_64 random(testbench::test_seed(708));
  double worst_relative = 0.0;
  for (const SinkhornShape& shape : kShapes) {
    if (shape.causal || shape.batch > 1) continue;
    for (const int half_steps : {0, 1, 2, 3, 8, 21}) {
      for (const double largest : {0.2, 1.0, 2.0}) {
        const Problem problem =
            random_problem(random, shape, largest, {half_steps, 0.0, GetParam()});
        ASSERT_LE(kernel_spread(problem.codes, problem.integer), kKernelSpreadOctaves);
        const auto fixed = problem.fixed();
        EXPECT_EQ(fixed.saturated, 0);
        const auto exact = problem.real();
        const Reals logits = problem.logits();
        const HeldBound tolerance = held_bound(problem);
        // Held K is relative to the largest logit when no half-step was made.
        const double gauge =
            half_steps > 0 ? 1.0 : std::exp(-*std::max_element(logits.begin(), logits.end()));
        for (std::size_t e = 0; e < exact.k.size(); ++e) {
          const double k = exact.k[e] * gauge;
          const double bound = k * tolerance.relative + tolerance.absolute;
          worst_relative = std::max(worst_relative, bound / k);
          ASSERT_NEAR(real(fixed.k_q[e], kKernelFractionBits), k, bound)
              << problem.description() << " logits to " << largest;
        }
      }
    }
  }
  EXPECT_LE(worst_relative, 0.2) << "a bound that would catch nothing";
}

// The widest spread allowed, as adverse as it gets: all logits at one end or the
// other. Nothing is clamped, and lines still sum to their targets.
TEST_P(Held, StandsTheWholeSpread) {
  std::mt19937_64 random(testbench::test_seed(709));
  for (const SinkhornShape& shape : {SinkhornShape{1, 16, 16, false},
                                     {1, 64, 8, false},
                                     {1, 8, 64, false},
                                     {1, 300, 2, false}}) {
    for (int trial = 0; trial < 10; ++trial) {
      Problem problem = random_problem(random, shape, 1.0, {21, 0.0, GetParam()});
      problem.integer.fraction_bits = 12;
      problem.integer.factor = make_multiplier(1.0);
      for (auto& code : problem.codes) code = random() % 2 == 0 ? -6 * 4096 : 6 * 4096;
      EXPECT_EQ(kernel_spread(problem.codes, problem.integer), 12);
      const auto fixed = problem.fixed();
      EXPECT_EQ(fixed.saturated, 0);
      Reals k;
      for (const std::int64_t code : fixed.k_q) k.push_back(real(code, kKernelFractionBits));
      // A line's sum: its reciprocal, and half a code per element, which kKernel
      // rounds twice and then multiplies by c <= 2^12.
      const double rounding = GetParam() == SinkhornForm::kKernel ? 0.5 + 4096 : 0.5;
      EXPECT_LE(sinkhorn_residual(k, shape).row,
                std::ldexp(1.0, -14) + shape.columns * std::ldexp(rounding, -24))
          << problem.description();
    }
  }
}

// The residual of a state from its own K: kMatrix's sums are those of K, off by
// the column target's 2^-16 and half a code; kKernel's products are rounded
// before they are summed, K's after, each to half a code of K0 r or of K.
TEST_P(Held, MeasuresTheResidualOfTheStateBefore) {
  std::mt19937_64 random(testbench::test_seed(710));
  for (const SinkhornShape& shape : kShapes) {
    if (shape.batch > 1 || shape.causal) continue;
    const Problem problem = random_problem(random, shape, 2.0, {10, 0.0, GetParam()});
    const auto found = problem.fixed().residuals;
    const Extremes most = extremes(problem);
    const double scalings = std::max(most.largest_row_scaling, most.largest_column_scaling);
    ASSERT_EQ(found.size(), 9U);
    for (int l = 1; l <= 9; ++l) {
      Reals k;
      for (const std::int64_t code : problem.first(l).fixed().k_q)
        k.push_back(real(code, kKernelFractionBits));
      const SinkhornResidual exact = sinkhorn_residual(k, shape);
      const int lines = std::max(shape.rows, shape.columns);
      // A line of K has at most `lines` elements, a target of at least 1 / lines.
      const double sum_rounding = GetParam() == SinkhornForm::kKernel
                                      ? lines * std::ldexp(0.5, -24) * (2 + 2 * scalings) * lines
                                      : std::ldexp(0.5, -24);
      const auto bound = [&](double residual) {
        return (1.0 + residual) * std::ldexp(1.0, -16) + sum_rounding + std::ldexp(0.501, -16);
      };
      const SinkhornResidualCode& code = found[static_cast<std::size_t>(l - 1)];
      EXPECT_EQ(l % 2 == 1 ? code.row : code.column, 0) << "the side just normalised";
      const double measured = real(l % 2 == 1 ? code.column : code.row, 16);
      const double expected = l % 2 == 1 ? exact.column : exact.row;
      EXPECT_NEAR(measured, expected, bound(expected)) << problem.description() << " state " << l;
    }
  }
}

TEST(SinkhornHeldForms, PackTheirReciprocals) {
  Problem problem;
  problem.integer.shape = {1, 2, 4, false};
  problem.integer.settings = {1, 0.0, SinkhornForm::kKernel};
  problem.codes.assign(8, 0);
  const auto one_step = problem.fixed();
  // 1 / (4 * 2^24) of 4 ones, by reciprocal(): 65535 * 2^-42.
  EXPECT_EQ(one_step.f_q, std::vector<std::int64_t>(2, 65535 | std::int64_t{42} << 24));
  EXPECT_EQ(one_step.g_q, std::vector<std::int64_t>(4, 32768 | std::int64_t{39} << 24));
  EXPECT_EQ(one_step.k_q, std::vector<std::int64_t>(8, (1 << 22) - (1 << 6)));
  problem.integer.settings.form = SinkhornForm::kMatrix;
  const auto in_place = problem.fixed();
  EXPECT_TRUE(in_place.f_q.empty());
  EXPECT_TRUE(in_place.g_q.empty());
  EXPECT_EQ(in_place.k_q, one_step.k_q);
}

TEST(SinkhornHeldForms, HideTheFuture) {
  std::mt19937_64 random(testbench::test_seed(711));
  for (const SinkhornForm form : {SinkhornForm::kKernel, SinkhornForm::kMatrix}) {
    Problem problem = random_problem(random, {1, 5, 8, true}, 2.0, {9, 0.0, form});
    const auto before = problem.fixed();
    const int spread = kernel_spread(problem.codes, problem.integer);
    for (int i = 0; i < 5; ++i)
      for (int j = i + 1; j < 8; ++j) {
        const auto e = static_cast<std::size_t>(i * 8 + j);
        EXPECT_EQ(before.k_q[e], 0);
        problem.codes[e] = 2147483647;
      }
    const auto after = problem.fixed();
    EXPECT_EQ(after.k_q, before.k_q);
    EXPECT_EQ(after.saturated, 0);
    EXPECT_EQ(kernel_spread(problem.codes, problem.integer), spread);
  }
}

// The caller refuses what lies beyond their range; the arithmetic itself stays
// defined.
TEST(SinkhornHeldForms, CountClampsBeyondTheirRange) {
  Problem problem;
  problem.integer.shape = {1, 2, 2, false};
  problem.integer.factor = make_multiplier(1.0);
  problem.codes = {0, 0, -20000, -20000};  // The second row is nothing beside the first.
  EXPECT_EQ(kernel_spread(problem.codes, problem.integer), 79);
  for (const SinkhornForm form : {SinkhornForm::kKernel, SinkhornForm::kMatrix}) {
    problem.integer.settings = {1, 0.0, form};
    const auto fixed = problem.fixed();
    EXPECT_EQ(fixed.saturated, 1) << "the empty row's sum";
    EXPECT_EQ(fixed.k_q[2], 0);
  }
}

TEST(SinkhornHeldForms, HaveNoDampedUpdateAndNoWarmStart) {
  Problem problem;
  problem.integer.shape = {1, 1, 1, false};
  problem.codes = {0};
  problem.integer.settings = {1, 0.0, SinkhornForm::kKernel, SinkhornUpdate::kDamped};
  EXPECT_THROW(problem.fixed(), InvariantError);
  problem.integer.settings = {1, 0.0, SinkhornForm::kMatrix};
  EXPECT_THROW(problem.fixed({0}), InvariantError);
  EXPECT_THROW(problem.fixed({}, {0}), InvariantError);
}

TEST(SinkhornFormats, MostFractionBitsThatFit) {
  EXPECT_EQ(logit_fraction_bits(0.0), 14);
  EXPECT_EQ(logit_fraction_bits(1.999), 14);
  EXPECT_EQ(logit_fraction_bits(2.0), 13);
  EXPECT_EQ(logit_fraction_bits(4.0 / kLog2), 12);
  EXPECT_EQ(logit_fraction_bits(80.0 / kLog2), 8);
  EXPECT_EQ(logit_fraction_bits(1e6), 8);
  // The largest code reaches the chosen range without being clamped.
  std::mt19937_64 random(testbench::test_seed(712));
  for (int trial = 0; trial < 2000; ++trial) {
    const double octaves = std::exp2(portable_uniform(random, -3.0, 6.98));
    Problem problem = random_problem(random, {1, 1, 2, false}, octaves * kLog2, {1});
    problem.codes = {32767, -32767};
    EXPECT_EQ(problem.fixed().saturated, 0) << octaves;
  }
}

TEST(SinkhornFormats, CodesOfSettings) {
  EXPECT_EQ(sinkhorn_tolerance_code(1e-3), 65);
  EXPECT_EQ(sinkhorn_tolerance_code(1.0), 65536);
  EXPECT_EQ(sinkhorn_tolerance_code(1e-6), 0);
  EXPECT_EQ(sinkhorn_tolerance_code(1e9), 2147483647);
  EXPECT_EQ(sinkhorn_column_target({1, 8, 2, false}), 2 << 16);
  EXPECT_EQ(sinkhorn_column_target({1, 5, 5, false}), 0);
  EXPECT_EQ(sinkhorn_column_target({1, 1, 3, false}), -103872);  // -1.5849625 * 65536 = -103872.1
  EXPECT_EQ(sinkhorn_log_codes({1.0, 0.25, 3.0}), (std::vector<std::int32_t>{0, -131072, 103872}));
  EXPECT_THROW(sinkhorn_log_codes({0.0}), InvariantError);
}

// out is the exact sum, rounded once.
TEST(SinkhornApply, IsTheRoundedProduct) {
  std::mt19937_64 random(testbench::test_seed(713));
  const SinkhornShape shape{1, 9, 7, false};
  std::vector<std::int64_t> k(63);
  std::vector<std::int32_t> v(7 * 3);
  for (auto& code : k) code = static_cast<std::int64_t>(random() % (1U << 25));
  for (auto& code : v) code = static_cast<std::int32_t>(random() % (1U << 17)) - (1 << 16);
  std::int64_t saturated = 0;
  const auto out = sinkhorn_apply_fixed(k, v, shape, 3, saturated);
  ASSERT_EQ(out.size(), 27U);
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      long double sum = 0.0L;
      for (std::size_t j = 0; j < 7; ++j)
        sum += static_cast<long double>(k[i * 7 + j]) * v[j * 3 + c];
      EXPECT_EQ(out[i * 3 + c], static_cast<std::int64_t>(std::nearbyint(std::ldexp(sum, -16))));
    }
  EXPECT_EQ(saturated, 0);
  k.assign(63, std::int64_t{1} << 27);
  v.assign(7 * 3, 1 << 19);
  EXPECT_EQ(sinkhorn_apply_fixed(k, v, shape, 3, saturated)[0], 2147483647);
  EXPECT_EQ(saturated, 27);
}

}  // namespace
}  // namespace quadrille::model
