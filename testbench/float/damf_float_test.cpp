// DAMF at level `float`: formulas (6)-(8), (13), (15)-(17), written out again
// over whole matrices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/attention/damf.h"
#include "testbench/common/portable_random.h"

namespace quadrille::model {
namespace {

using Matrix = std::vector<std::vector<double>>;

// Nearest power of two by its definition: the closer of the two neighbours.
double nearest_power(double x, PowerRounding rounding) {
  double below = 1.0;
  while (below > x) below /= 2.0;
  while (2.0 * below <= x) below *= 2.0;
  const double above = 2.0 * below;
  switch (rounding) {
    case PowerRounding::kLinear:
      return above - x <= x - below ? above : below;
    case PowerRounding::kLog:
      return std::log2(above) - std::log2(x) <= std::log2(x) - std::log2(below) ? above : below;
    case PowerRounding::kFloor:
      return below;
  }
  return below;
}

// Attention matrix of the settings; rows without a positive maximum or
// denominator are uniform.
Matrix attention(const std::vector<double>& s, const std::vector<double>& t, double sigma,
                 const DamfSettings& settings, std::int64_t& uniform_rows) {
  const std::size_t length = s.size();
  const auto visible = [&](std::size_t m, std::size_t n) { return !settings.causal || n <= m; };
  Matrix scores(length, std::vector<double>(length));
  for (std::size_t m = 0; m < length; ++m) {
    for (std::size_t n = 0; n < length; ++n)
      scores[m][n] = (settings.keep_sigma ? sigma : 1.0) * s[m] * t[n];
  }
  Matrix weights(length, std::vector<double>(length, 0.0));
  for (std::size_t m = 0; m < length; ++m) {
    double largest = -INFINITY;
    const bool per_row = settings.maximum == DamfMaximum::kRow;
    // Global: over every score; under a mask over those made so far.
    for (std::size_t i = per_row ? m : 0; i < (settings.causal || per_row ? m + 1 : length); ++i) {
      for (std::size_t n = 0; n < length; ++n) {
        if (!visible(i, n)) continue;
        const double score = scores[i][n];
        largest =
            std::max(largest, settings.maximum == DamfMaximum::kAbs ? std::fabs(score) : score);
      }
    }
    double keys = 0.0;
    double sum = 0.0;
    for (std::size_t n = 0; n < length; ++n) {
      if (!visible(m, n)) continue;
      if (settings.negative == DamfNegative::kClamp) scores[m][n] = std::max(scores[m][n], 0.0);
    }
    for (std::size_t n = 0; n < length; ++n) {
      if (!visible(m, n)) continue;
      keys += 1.0;
      sum += largest + scores[m][n];
    }
    const bool uniform = largest <= 0.0 || sum <= 0.0;
    uniform_rows += uniform ? 1 : 0;
    for (std::size_t n = 0; n < length; ++n) {
      if (!visible(m, n)) continue;
      const double score = scores[m][n];
      if (uniform) {
        weights[m][n] = 1.0 / keys;
      } else if (settings.mode == DamfMode::kShift) {
        const double power =
            score == 0.0 ? 0.0 : nearest_power(std::fabs(score), settings.rounding);
        weights[m][n] = (nearest_power(largest, settings.rounding) + (score < 0 ? -power : power)) /
                        nearest_power(sum, settings.rounding);
      } else {
        weights[m][n] = (largest + score) / sum;
      }
    }
    // Restored: a later causal row looks at the unclamped scores.
    for (std::size_t n = 0; n < length; ++n)
      scores[m][n] = (settings.keep_sigma ? sigma : 1.0) * s[m] * t[n];
  }
  return weights;
}

TEST(DamfFloat, EqualsTheFormulasOverWholeMatrices) {
  std::mt19937_64 random(21);
  int compared = 0;
  std::int64_t uniform_seen = 0;
  for (const int length : {1, 2, 7, 33}) {
    for (int code = 0; code < 3 * 3 * 3 * 2 * 2 * 2; ++code) {
      DamfSettings settings;
      settings.mode = static_cast<DamfMode>(code % 3);
      settings.rounding = static_cast<PowerRounding>(code / 3 % 3);
      settings.maximum = static_cast<DamfMaximum>(code / 9 % 3);
      settings.negative = static_cast<DamfNegative>(code / 27 % 2);
      settings.causal = code / 54 % 2 != 0;
      settings.keep_sigma = code / 108 % 2 != 0;
      const std::size_t width = 5;
      std::vector<double> s(static_cast<std::size_t>(length));
      std::vector<double> t(s.size());
      std::vector<double> v(s.size() * width);
      for (auto* tensor : {&s, &t, &v}) {
        for (double& x : *tensor) x = portable_normal(random);
      }
      if (code % 4 == 0) s[s.size() / 2] = 0.0;  // A zero token.
      const double sigma = 3.7;
      const DamfResult actual = damf_float(s, t, v, static_cast<int>(width), sigma, settings);
      std::int64_t uniform_rows = 0;
      const Matrix weights = attention(s, t, sigma, settings, uniform_rows);
      EXPECT_EQ(actual.uniform_rows, uniform_rows);
      uniform_seen += uniform_rows;
      for (std::size_t m = 0; m < s.size(); ++m) {
        for (std::size_t c = 0; c < width; ++c) {
          double expected = 0.0;
          double magnitude = 1.0;
          for (std::size_t n = 0; n < s.size(); ++n) {
            expected += weights[m][n] * v[n * width + c];
            magnitude += std::fabs(weights[m][n] * v[n * width + c]);
          }
          ASSERT_NEAR(actual.out[m * width + c], expected, 1e-12 * magnitude)
              << "L " << length << " settings " << code << " row " << m;
          ++compared;
        }
      }
    }
  }
  EXPECT_EQ(compared, 216 * 5 * (1 + 2 + 7 + 33));
  EXPECT_GT(uniform_seen, 0);
}

TEST(DamfFloat, OneTokenIsItsOwnValue) {
  for (const double s : {-1.0, 0.0, 2.0}) {
    for (const DamfMode mode : {DamfMode::kMaclaurin, DamfMode::kShift, DamfMode::kCollapsed}) {
      DamfSettings settings;
      settings.mode = mode;
      EXPECT_DOUBLE_EQ(damf_float({s}, {0.7}, {3.25}, 1, 1.0, settings).out[0], 3.25);
    }
  }
}

// u^T M v = sigma, M v = sigma u, M^T u = sigma v, and no direction is
// stretched more: power iteration on M^T M ends at sigma^2.
TEST(LeadingSingularTriple, IsTheLeadingTripleOfTheProduct) {
  std::mt19937_64 random(22);
  for (const auto& [rows, columns] : {std::pair{1, 1}, {6, 2}, {3, 8}, {40, 16}, {64, 64}}) {
    const auto d = static_cast<std::size_t>(rows);
    const auto h = static_cast<std::size_t>(columns);
    std::vector<double> wq(d * h);
    std::vector<double> wk(d * h);
    for (double& x : wq) x = portable_normal(random);
    for (double& x : wk) x = portable_normal(random);
    Matrix product(d, std::vector<double>(d, 0.0));
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        for (std::size_t k = 0; k < h; ++k) product[i][j] += wq[i * h + k] * wk[j * h + k];
      }
    }
    const SingularTriple triple = leading_singular_triple(wq, wk, rows, columns);
    ASSERT_EQ(triple.u.size(), d);
    ASSERT_EQ(triple.v.size(), d);
    const double tolerance = 1e-10 * triple.sigma;
    double u_norm = 0.0;
    double v_norm = 0.0;
    double peak = 0.0;
    for (std::size_t i = 0; i < d; ++i) {
      double right = 0.0;
      double left = 0.0;
      for (std::size_t j = 0; j < d; ++j) {
        right += product[i][j] * triple.v[j];
        left += product[j][i] * triple.u[j];
      }
      EXPECT_NEAR(right, triple.sigma * triple.u[i], tolerance);
      EXPECT_NEAR(left, triple.sigma * triple.v[i], tolerance);
      u_norm += triple.u[i] * triple.u[i];
      v_norm += triple.v[i] * triple.v[i];
      if (std::fabs(triple.u[i]) > std::fabs(peak)) peak = triple.u[i];
    }
    EXPECT_NEAR(u_norm, 1.0, 1e-12);
    EXPECT_NEAR(v_norm, 1.0, 1e-12);
    EXPECT_GT(peak, 0.0);
    std::vector<double> x(d, 1.0);
    double stretch = 0.0;
    for (int step = 0; step < 3000; ++step) {
      std::vector<double> y(d, 0.0);
      std::vector<double> z(d, 0.0);
      for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j < d; ++j) y[i] += product[i][j] * x[j];
      }
      for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j < d; ++j) z[j] += product[i][j] * y[i];
      }
      double norm = 0.0;
      for (const double value : z) norm += value * value;
      stretch = std::sqrt(norm);
      for (std::size_t i = 0; i < d; ++i) x[i] = z[i] / stretch;
    }
    EXPECT_NEAR(std::sqrt(stretch), triple.sigma, 1e-6 * triple.sigma);
  }
}

// No leading direction: every score is zero and every row uniform, with sigma
// kept or omitted.
TEST(DamfFloat, ZeroWeightsGiveAZeroTriple) {
  const auto triple =
      leading_singular_triple(std::vector<double>(6, 0.0), {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, 3, 2);
  EXPECT_EQ(triple.sigma, 0.0);
  EXPECT_EQ(triple.u, std::vector<double>(3, 0.0));
  EXPECT_EQ(triple.v, std::vector<double>(3, 0.0));
}

}  // namespace
}  // namespace quadrille::model
