// Level `float` of Sinkhorn against the slides' definition, evaluated here in
// long double: K^0 = exp(C), then N_R and N_C in turn on the matrix itself; and
// what the slides say of K^l.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/attention/sinkhorn.h"
#include "model/attention/softmax.h"
#include "testbench/common/environment.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

using Reals = std::vector<double>;

std::size_t size(const SinkhornShape& shape) {
  return static_cast<std::size_t>(shape.batch * shape.elements());
}

Reals uniform(std::mt19937_64& random, std::size_t count, double from, double to) {
  Reals values(count);
  for (double& value : values) value = portable_uniform(random, from, to);
  return values;
}

std::string describe(const SinkhornShape& shape, const SinkhornSettings& settings) {
  return std::to_string(shape.batch) + " x " + std::to_string(shape.rows) + " x " +
         std::to_string(shape.columns) + (shape.causal ? " causal" : "") +
         (settings.update == SinkhornUpdate::kDamped ? " damped" : "") + " after " +
         std::to_string(settings.half_steps);
}

// One matrix of the definition.
class Definition {
 public:
  Definition(const double* logits, const SinkhornShape& shape)
      : rows_(shape.rows), columns_(shape.columns), k_(size({1, shape.rows, shape.columns})) {
    for (int i = 0; i < rows_; ++i)
      for (int j = 0; j < columns_; ++j) {
        const bool seen = !shape.causal || j <= i;
        const long double logit = logits[i * columns_ + j];
        at(i, j) = seen ? std::exp(logit) : 0.0L;
      }
  }
  long double& at(int i, int j) { return k_[static_cast<std::size_t>(i * columns_ + j)]; }
  long double target() const { return static_cast<long double>(rows_) / columns_; }
  long double row_sum(int i) {
    long double sum = 0.0L;
    for (int j = 0; j < columns_; ++j) sum += at(i, j);
    return sum;
  }
  long double column_sum(int j) {
    long double sum = 0.0L;
    for (int i = 0; i < rows_; ++i) sum += at(i, j);
    return sum;
  }
  void scale_row(int i, long double factor) {
    for (int j = 0; j < columns_; ++j) at(i, j) *= factor;
  }
  void scale_column(int j, long double factor) {
    for (int i = 0; i < rows_; ++i) at(i, j) *= factor;
  }
  void alternate(int half_steps) {
    for (int l = 0; l < half_steps; ++l) {
      if (l % 2 == 0) {
        for (int i = 0; i < rows_; ++i) scale_row(i, 1.0L / row_sum(i));
      } else {
        for (int j = 0; j < columns_; ++j)
          if (column_sum(j) > 0.0L) scale_column(j, target() / column_sum(j));
      }
    }
  }
  // The square root of each normalisation, both of the same matrix.
  void damped(int updates) {
    for (int l = 0; l < updates; ++l) {
      std::vector<long double> row_sums;
      std::vector<long double> column_sums;
      for (int i = 0; i < rows_; ++i) row_sums.push_back(row_sum(i));
      for (int j = 0; j < columns_; ++j) column_sums.push_back(column_sum(j));
      for (int i = 0; i < rows_; ++i)
        scale_row(i, std::sqrt(1.0L / row_sums[static_cast<std::size_t>(i)]));
      for (int j = 0; j < columns_; ++j) {
        const long double sum = column_sums[static_cast<std::size_t>(j)];
        if (sum > 0.0L) scale_column(j, std::sqrt(target() / sum));
      }
    }
  }

 private:
  int rows_;
  int columns_;
  std::vector<long double> k_;
};

Reals definition(const Reals& logits, const SinkhornShape& shape, const SinkhornSettings& settings,
                 const Reals& c0 = {}, const Reals& r0 = {}) {
  Reals result;
  for (int b = 0; b < shape.batch; ++b) {
    Definition matrix(logits.data() + b * shape.elements(), shape);
    const bool damped = settings.update == SinkhornUpdate::kDamped;
    for (int j = 0; j < shape.columns && !c0.empty(); ++j) {
      const long double c = c0[static_cast<std::size_t>(b * shape.columns + j)];
      matrix.scale_column(j, c);
      if (damped && r0.empty() && shape.rows == shape.columns) matrix.scale_row(j, c);
    }
    for (int i = 0; i < shape.rows && !r0.empty(); ++i)
      matrix.scale_row(i, r0[static_cast<std::size_t>(b * shape.rows + i)]);
    if (damped) {
      matrix.damped(settings.half_steps);
    } else {
      matrix.alternate(settings.half_steps);
    }
    for (int i = 0; i < shape.rows; ++i)
      for (int j = 0; j < shape.columns; ++j)
        result.push_back(static_cast<double>(matrix.at(i, j)));
  }
  return result;
}

double largest_relative_difference(const Reals& found, const Reals& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double largest = 0.0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const double difference = std::fabs(found[k] - expected[k]);
    // A part that underflows in double need not be found.
    if (difference > 1e-300) largest = std::max(largest, difference / std::fabs(expected[k]));
  }
  return largest;
}

const std::vector<SinkhornShape> kShapes = {
    {1, 1, 1, false},  {1, 1, 7, false},   {1, 7, 1, false}, {1, 2, 3, false},   {1, 13, 5, false},
    {3, 5, 13, false}, {1, 31, 31, false}, {4, 4, 4, false}, {1, 17, 64, false}, {1, 1, 1, true},
    {2, 4, 4, true},   {1, 13, 13, true},  {1, 11, 6, true}, {1, 6, 11, true}};

class Settings : public testing::TestWithParam<SinkhornUpdate> {};
INSTANTIATE_TEST_SUITE_P(Sinkhorn, Settings,
                         testing::Values(SinkhornUpdate::kAlternate, SinkhornUpdate::kDamped));

TEST_P(Settings, FollowTheDefinition) {
  std::mt19937_64 random(testbench::test_seed(601));
  for (const SinkhornShape& shape : kShapes) {
    for (const int half_steps : {0, 1, 2, 3, 8, 21}) {
      const SinkhornSettings settings{half_steps, 0.0, SinkhornForm::kScaling, GetParam()};
      const Reals logits = uniform(random, size(shape), -4.0, 4.0);
      const auto c0 =
          uniform(random, static_cast<std::size_t>(shape.batch * shape.columns), 0.1, 9.0);
      const auto r0 = uniform(random, static_cast<std::size_t>(shape.batch * shape.rows), 0.1, 9.0);
      const auto check = [&](const Reals& c, const Reals& r, const char* start) {
        const auto found = sinkhorn_float(logits, shape, settings, c, r);
        EXPECT_LE(largest_relative_difference(found.k, definition(logits, shape, settings, c, r)),
                  1e-12)
            << describe(shape, settings) << start;
        EXPECT_EQ(found.iterations,
                  std::vector<int>(static_cast<std::size_t>(shape.batch), half_steps));
        EXPECT_EQ(found.residuals.size(), static_cast<std::size_t>(half_steps));
      };
      check({}, {}, ", cold");
      check(c0, {}, ", from c0");
      if (GetParam() == SinkhornUpdate::kDamped) check(c0, r0, ", from c0 and r0");
    }
  }
}

// Sums of logits and scalings near 3 |C| are rounded at every half-step, and no
// half-step enlarges an earlier error: 4 roundings of 3 |C| per half-step.
TEST_P(Settings, TakeLogitsOfAnySize) {
  std::mt19937_64 random(testbench::test_seed(602));
  for (const double largest : {80.0, 600.0, 2500.0}) {
    for (const SinkhornShape& shape : kShapes) {
      const SinkhornSettings settings{21, 0.0, SinkhornForm::kScaling, GetParam()};
      const Reals logits = uniform(random, size(shape), -largest, largest);
      const auto found = sinkhorn_float(logits, shape, settings);
      const double bound = 21 * 2 * 4 * 3 * largest * std::ldexp(1.0, -53);
      EXPECT_LE(largest_relative_difference(found.k, definition(logits, shape, settings)), bound)
          << describe(shape, settings) << " logits to " << largest;
      for (const double k : found.k) ASSERT_TRUE(std::isfinite(k));
    }
  }
}

TEST_P(Settings, TreatMatricesOfABatchAlone) {
  std::mt19937_64 random(testbench::test_seed(603));
  const SinkhornShape shape{5, 6, 6, false};
  const SinkhornShape one{1, 6, 6, false};
  const SinkhornSettings settings{60, 1e-3, SinkhornForm::kScaling, GetParam()};
  Reals logits;
  for (const double spread : {0.1, 3.0, 1.0, 5.0, 0.5}) {
    const Reals matrix = uniform(random, size(one), -spread, spread);
    logits.insert(logits.end(), matrix.begin(), matrix.end());
  }
  const auto found = sinkhorn_float(logits, shape, settings);
  std::vector<SinkhornResidual> largest;
  std::vector<int> iterations;
  for (std::size_t b = 0; b < 5; ++b) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(b * 36);
    const auto alone = sinkhorn_float(Reals(first, first + 36), one, settings);
    EXPECT_TRUE(std::equal(alone.k.begin(), alone.k.end(),
                           found.k.begin() + static_cast<std::ptrdiff_t>(b * 36)))
        << b;
    iterations.push_back(alone.iterations[0]);
    for (std::size_t l = 0; l < alone.residuals.size(); ++l) {
      if (largest.size() <= l) largest.emplace_back();
      largest[l].row = std::max(largest[l].row, alone.residuals[l].row);
      largest[l].column = std::max(largest[l].column, alone.residuals[l].column);
    }
  }
  EXPECT_EQ(found.iterations, iterations);
  EXPECT_NE(*std::min_element(iterations.begin(), iterations.end()),
            *std::max_element(iterations.begin(), iterations.end()));
  ASSERT_EQ(found.residuals.size(), largest.size());
  for (std::size_t l = 0; l < largest.size(); ++l) {
    EXPECT_EQ(found.residuals[l].row, largest[l].row) << l;
    EXPECT_EQ(found.residuals[l].column, largest[l].column) << l;
  }
}

TEST_P(Settings, ReportTheResidualsOfEveryState) {
  std::mt19937_64 random(testbench::test_seed(604));
  for (const SinkhornShape& shape : kShapes) {
    const Reals logits = uniform(random, size(shape), -4.0, 4.0);
    SinkhornSettings settings{12, 0.0, SinkhornForm::kScaling, GetParam()};
    const auto all = sinkhorn_float(logits, shape, settings).residuals;
    ASSERT_EQ(all.size(), 12U);
    for (int l = 1; l <= 12; ++l) {
      settings.half_steps = l;
      const auto state = sinkhorn_float(logits, shape, settings);
      const SinkhornResidual plain = sinkhorn_residual(state.k, shape);
      for (const SinkhornResidual& found :
           {all[static_cast<std::size_t>(l - 1)], state.residuals.back()}) {
        EXPECT_NEAR(found.row, plain.row, 1e-12 * (1.0 + plain.row)) << describe(shape, settings);
        EXPECT_NEAR(found.column, plain.column, 1e-12 * (1.0 + plain.column))
            << describe(shape, settings);
      }
    }
  }
}

TEST_P(Settings, StopAtTheFirstStateWithinTheTolerance) {
  std::mt19937_64 random(testbench::test_seed(605));
  const SinkhornShape shape{1, 9, 9, false};
  for (int trial = 0; trial < 10; ++trial) {
    const Reals logits = uniform(random, size(shape), -2.0, 2.0);
    SinkhornSettings settings{40, 0.0, SinkhornForm::kScaling, GetParam()};
    const auto all = sinkhorn_float(logits, shape, settings).residuals;
    for (const double tolerance : {1e9, 0.5, 0.1, 1e-3, 1e-6, 1e-300}) {
      int expected = settings.half_steps;
      for (int l = settings.half_steps; l >= 1; --l) {
        const SinkhornResidual& state = all[static_cast<std::size_t>(l - 1)];
        if (std::max(state.row, state.column) <= tolerance) expected = l;
      }
      settings.tolerance = tolerance;
      const auto found = sinkhorn_float(logits, shape, settings);
      EXPECT_EQ(found.iterations[0], expected) << tolerance;
      EXPECT_EQ(found.residuals.size(), static_cast<std::size_t>(expected));
      SinkhornSettings exactly{expected, 0.0, SinkhornForm::kScaling, GetParam()};
      EXPECT_EQ(found.k, sinkhorn_float(logits, shape, exactly).k);
    }
  }
}

TEST(SinkhornFloat, StopsWhereTheResidualEqualsTheTolerance) {
  std::mt19937_64 random(testbench::test_seed(606));
  const SinkhornShape shape{1, 5, 5, false};
  const Reals logits = uniform(random, size(shape), -2.0, 2.0);
  const auto all = sinkhorn_float(logits, shape, {9}).residuals;
  const double sixth = std::max(all[5].row, all[5].column);
  ASSERT_LT(sixth, std::max(all[4].row, all[4].column));
  EXPECT_EQ(sinkhorn_float(logits, shape, {9, sixth}).iterations[0], 6);
  EXPECT_EQ(sinkhorn_float(logits, shape, {9, std::nextafter(sixth, 0.0)}).iterations[0], 7);
}

// Slides, "K^1 = Softmax(C)".
TEST(SinkhornFloat, FirstHalfStepIsSoftmax) {
  std::mt19937_64 random(testbench::test_seed(607));
  for (const bool causal : {false, true}) {
    const SinkhornShape shape{1, 19, 19, causal};
    const Reals q = uniform(random, 19 * 3, -2.0, 2.0);
    const Reals k = uniform(random, 19 * 3, -2.0, 2.0);
    Reals logits(size(shape), 0.0);
    for (std::size_t i = 0; i < 19; ++i)
      for (std::size_t j = 0; j < 19; ++j)
        for (std::size_t c = 0; c < 3; ++c) logits[i * 19 + j] += q[i * 3 + c] * k[j * 3 + c];
    const auto softmax = softmax_float(q, k, Reals(19, 0.0), {19, 19, 3, 1, causal}, 1.0);
    const auto found = sinkhorn_float(logits, shape, {1});
    for (std::size_t e = 0; e < found.k.size(); ++e)
      EXPECT_NEAR(found.k[e], softmax.weights[e], 1e-14);
  }
}

// Odd counts end on N_R, even ones on N_C; columns sum to n / m.
TEST(SinkhornFloat, EndsOnRowsOrColumnsByTheCount) {
  std::mt19937_64 random(testbench::test_seed(608));
  for (const SinkhornShape& shape : kShapes) {
    const Reals logits = uniform(random, size(shape), -3.0, 3.0);
    for (const int half_steps : {1, 2, 7, 8}) {
      const auto found = sinkhorn_float(logits, shape, {half_steps});
      const SinkhornResidual residual = sinkhorn_residual(found.k, shape);
      EXPECT_LE(half_steps % 2 == 1 ? residual.row : residual.column, 1e-13)
          << describe(shape, {half_steps});
    }
  }
}

TEST(SinkhornFloat, ScalingsMakeTheKernel) {
  std::mt19937_64 random(testbench::test_seed(609));
  const SinkhornShape shape{2, 5, 8, false};
  const Reals logits = uniform(random, size(shape), -3.0, 3.0);
  const auto found = sinkhorn_float(logits, shape, {9});
  for (std::size_t b = 0; b < 2; ++b)
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 8; ++j) {
        const std::size_t e = (b * 5 + i) * 8 + j;
        EXPECT_NEAR(found.k[e],
                    std::exp(logits[e] + found.log_r[b * 5 + i] + found.log_c[b * 8 + j]), 1e-14);
      }
}

// A run continues where another one's column scalings left off.
TEST(SinkhornFloat, ContinuesFromItsColumnScalings) {
  std::mt19937_64 random(testbench::test_seed(610));
  const SinkhornShape shape{2, 7, 5, false};
  const Reals logits = uniform(random, size(shape), -4.0, 4.0);
  Reals c0 = sinkhorn_float(logits, shape, {6}).log_c;
  for (double& c : c0) c = std::exp(c);
  EXPECT_LE(largest_relative_difference(sinkhorn_float(logits, shape, {5}, c0).k,
                                        sinkhorn_float(logits, shape, {11}).k),
            1e-12);
}

// Both sides of a symmetric matrix stay equal to the bit with one scaling per
// token (f = g), which is what lets one side be evaluated for two.
TEST(SinkhornFloat, DampedUpdatesKeepASymmetricMatrixSymmetric) {
  std::mt19937_64 random(testbench::test_seed(611));
  const SinkhornShape shape{1, 40, 40, false};
  const Reals x = uniform(random, 40, -2.0, 2.0);
  Reals logits;
  for (const double a : x)
    for (const double b : x) logits.push_back(-(a - b) * (a - b) / 0.02);
  const SinkhornSettings damped{20, 0.0, SinkhornForm::kScaling, SinkhornUpdate::kDamped};
  const auto found = sinkhorn_float(logits, shape, damped);
  EXPECT_EQ(found.log_r, found.log_c);
  // 20 updates are nearer to the limit than 100 half-steps that keep f and g apart.
  const auto alternate = sinkhorn_float(logits, shape, {100});
  EXPECT_LT(found.residuals.back().row, alternate.residuals.back().row);
  // A matrix that just misses symmetry goes the general way.
  Reals lopsided = logits;
  lopsided[1] += 1e-13;
  EXPECT_LE(largest_relative_difference(sinkhorn_float(lopsided, shape, damped).k, found.k), 1e-11);
}

// The only doubly stochastic lower triangular matrix is the identity; under a
// causal mask the distance to it falls like 1 / l.
TEST(SinkhornFloat, CausalLimitIsTheIdentityReachedLikeOneOverL) {
  std::mt19937_64 random(testbench::test_seed(612));
  const SinkhornShape shape{1, 6, 6, true};
  const Reals logits = uniform(random, size(shape), -1.0, 1.0);
  const auto distance = [&](int half_steps) {
    const auto found = sinkhorn_float(logits, shape, {half_steps});
    double largest = 0.0;
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t j = 0; j < 6; ++j)
        largest = std::max(largest, std::fabs(found.k[i * 6 + j] - (i == j ? 1.0 : 0.0)));
    return largest;
  };
  EXPECT_NEAR(distance(4001) / distance(8001), 2.0, 0.05);
  EXPECT_NEAR(distance(8001) / distance(16001), 2.0, 0.025);
  // 2 x 2, all logits equal: N_C and N_R take the last row's a = K_10 to a / (1 + a)
  // beside 1, then to a / (1 + 2 a); 1 / a grows by 2 from the softmax's 2.
  for (const int t : {0, 1, 2, 10, 1000}) {
    const auto two = sinkhorn_float({0.0, 0.0, 0.0, 0.0}, {1, 2, 2, true}, {2 * t + 1});
    EXPECT_NEAR(two.k[2], 1.0 / (2 * t + 2), 1e-12) << t;
    EXPECT_EQ(two.k[1], 0.0);
  }
}

TEST(SinkhornFloat, HidesTheFutureAndLeavesEmptyColumnsAlone) {
  std::mt19937_64 random(testbench::test_seed(613));
  const SinkhornShape shape{1, 4, 6, true};
  Reals logits = uniform(random, size(shape), -1.0, 1.0);
  const auto before = sinkhorn_float(logits, shape, {8});
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = i + 1; j < 6; ++j) {
      logits[i * 6 + j] = 700.0;
      EXPECT_EQ(before.k[i * 6 + j], 0.0);
    }
  EXPECT_EQ(sinkhorn_float(logits, shape, {8}).k, before.k);
  EXPECT_EQ(before.log_c[4], 0.0);
  EXPECT_EQ(before.log_c[5], 0.0);
}

Reals limit(const Reals& logits, int n) {
  return sinkhorn_float(logits, {1, n, n, false}, {20000, 1e-13}).k;
}

// exp(xy / eps) and exp(-|x - y|^2 / (2 eps)) differ by a row and a column
// factor: one limit (slides, the step from attention to the heat kernel).
TEST(SinkhornFloat, LimitForgetsRowAndColumnFactors) {
  std::mt19937_64 random(testbench::test_seed(614));
  const Reals x = uniform(random, 9, -2.0, 2.0);
  Reals product;
  Reals gaussian;
  for (const double a : x)
    for (const double b : x) {
      product.push_back(a * b / 0.5);
      gaussian.push_back(-(a - b) * (a - b) / (2 * 0.5));
    }
  const Reals k = limit(product, 9);
  EXPECT_LE(largest_relative_difference(limit(gaussian, 9), k), 1e-9);
  // Symmetric logits, symmetric limit; and z <- 2 z - K z keeps the mean.
  double mean_before = 0.0;
  double mean_after = 0.0;
  for (std::size_t i = 0; i < 9; ++i) {
    mean_before += x[i];
    mean_after += 2 * x[i];
    for (std::size_t j = 0; j < 9; ++j) {
      EXPECT_NEAR(k[i * 9 + j], k[j * 9 + i], 1e-10);
      mean_after -= k[i * 9 + j] * x[j];
    }
  }
  EXPECT_NEAR(mean_after, mean_before, 1e-10);
}

TEST(SinkhornResidualOfAMatrix, IsTheLargestOfTheBatch) {
  const SinkhornShape shape{2, 2, 1, false};  // Rows to 1, the column to 2.
  const SinkhornResidual residual = sinkhorn_residual({1.0, 1.0, 0.75, 1.5}, shape);
  EXPECT_DOUBLE_EQ(residual.row, 0.5);
  EXPECT_DOUBLE_EQ(residual.column, 0.125);
}

}  // namespace
}  // namespace quadrille::model
