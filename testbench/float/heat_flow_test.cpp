// The heat flow through doubly stochastic attention against closed forms, the
// exact flow, and the numbers measured with other code (SEED notes).
#include "model/dynamics/heat_flow.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/dynamics/symmetric_kernel.h"

namespace quadrille::model {
namespace {

/// A density on a uniform grid, as masses. For smooth densities the trapezoid
/// rule with a step well below sqrt(epsilon) is exact to rounding.
struct Grid {
  std::vector<double> x, mass;
};

template <typename Density>
Grid grid_of(double end, double step, Density density) {
  Grid grid;
  for (double x = -end; x <= end; x += step) {
    grid.x.push_back(x);
    grid.mass.push_back(density(x) * step);
  }
  return grid;
}

double normal_density(double x, double mean, double variance) {
  return std::exp(-(x - mean) * (x - mean) / (2.0 * variance)) / std::sqrt(2.0 * M_PI * variance);
}

std::vector<double> projection(const Grid& grid, double epsilon) {
  const SymmetricKernel kernel(grid.x, 1, epsilon);
  const SymmetricScaling scaling = symmetric_scaling(kernel, {}, 200, 1e-12, grid.mass);
  EXPECT_LE(scaling.residual, 1e-12);
  return barycentre(kernel, scaling.r, grid.x, grid.mass);
}

TEST(HeatFlowFloat, GaussianSelfCouplingHasItsClosedForm) {
  for (const double epsilon : {0.3, 0.1}) {
    const double variance = 0.8;
    const Grid grid = grid_of(7.0, 0.1 * std::sqrt(epsilon),
                              [&](double x) { return normal_density(x, 0.0, variance); });
    const std::vector<double> b = projection(grid, epsilon);
    const double c = gaussian_self_correlation(variance, epsilon);
    EXPECT_NEAR(c / (variance * (1.0 - c * c)), 1.0 / epsilon, 1e-12 / epsilon);
    for (std::size_t i = 0; i < b.size(); ++i) {
      if (std::fabs(grid.x[i]) > 3.0) continue;
      EXPECT_NEAR(b[i], c * grid.x[i], 1e-9) << grid.x[i];
    }
  }
}

// Only the kernel exp(-|x - y|^2 / (2 eps)), not / eps, gives the variance 1 + t.
TEST(HeatFlowFloat, TheClockAddsEpsilonOfVariancePerStep) {
  const auto variance_after = [](double kernel_epsilon, double epsilon) {
    double variance = 1.0;
    for (int k = 0; k < heat_flow_steps(epsilon, 1.0); ++k) {
      const double factor = 2.0 - gaussian_self_correlation(variance, kernel_epsilon);
      variance *= factor * factor;
    }
    return variance;
  };
  // A step makes s^2 (1 + eps / (2 s^2) - eps^2 / (8 s^4) + ...)^2 = s^2 + eps +
  // O(eps^3 / s^4): the eps^2 terms cancel, so the sum is off by O(eps^2).
  EXPECT_NEAR(variance_after(0.01, 0.01), 2.0, 0.01 * 0.01);
  EXPECT_NEAR(variance_after(0.005, 0.01), 1.5, 0.01 * 0.01);
}

// Result 2: (B(x) - x) / eps tends to half the score, with an error of O(eps).
TEST(HeatFlowFloat, OneStepApproachesTheScoreAtFirstOrder) {
  const auto error = [](double epsilon) {
    const Grid grid = grid_of(9.0, 0.2 * std::sqrt(epsilon), [](double x) {
      return 0.5 * (normal_density(x, -2.0, 1.0) + normal_density(x, 2.0, 1.0));
    });
    const std::vector<double> b = projection(grid, epsilon);
    double worst = 0.0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      if (std::fabs(grid.x[i]) > 4.0) continue;
      const double velocity = (b[i] - grid.x[i]) / epsilon;
      worst = std::max(worst, std::fabs(velocity - 0.5 * mixture_score(grid.x[i], 1.0)));
    }
    return worst;
  };
  double before = error(0.04);
  for (const double epsilon : {0.02, 0.01}) {
    const double now = error(epsilon);
    // Halving eps halves a first-order error, up to its eps^2 part: a relative
    // change of the order of eps times the next coefficient.
    EXPECT_GT(before / now, 1.8) << epsilon;
    EXPECT_LT(before / now, 2.2) << epsilon;
    before = now;
  }
  EXPECT_LT(before, 0.01 * 1.0);  // It has the order of eps, the score's own scale being 1.
}

TEST(HeatFlowFloat, ScoreIsTheDerivativeOfTheLogDensity) {
  const auto log_density = [](double x) {
    return std::log(normal_density(x, -2.0, 1.5) + normal_density(x, 2.0, 1.5));
  };
  for (const double x : {-5.0, -1.3, 0.0, 0.7, 2.0, 6.0}) {
    const double h = 1e-5;
    EXPECT_NEAR(mixture_score(x, 1.5), (log_density(x + h) - log_density(x - h)) / (2 * h), 1e-8);
  }
}

TEST(HeatFlowFloat, QuantilesInvertTheDistribution) {
  const auto share_below = [](double x) {
    const double s = std::sqrt(2.0 * 1.7);
    return 0.25 * (std::erfc(-(x + 2.0) / s) + std::erfc(-(x - 2.0) / s));
  };
  const std::vector<double> q = mixture_quantiles(101, 1.7);
  for (std::size_t i = 0; i < q.size(); ++i)
    EXPECT_NEAR(share_below(q[i]), (static_cast<double>(i) + 0.5) / 101.0, 1e-12);
  EXPECT_NEAR(q[50], 0.0, 1e-12);
}

TEST(HeatFlowFloat, WassersteinMatchesInOrder) {
  EXPECT_DOUBLE_EQ(wasserstein2({3.0, 1.0}, {2.0, 4.0}), 1.0);
  EXPECT_DOUBLE_EQ(wasserstein2({0.0, 0.0, 3.0}, {0.0, 0.0, 0.0}), std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(median_displacement({0.0, 1.0, 2.0}, {0.0, 1.5, 9.0}), 0.5);
}

// The stated goal, and what each iteration budget gives: four ways measured with
// independent code, to the digits that it printed.
TEST(HeatFlowFloat, ReachesTheExactFlowWithConvergedScalings) {
  HeatFlowSettings settings;
  settings.half_steps = 200;
  settings.tolerance = 1e-6;
  const HeatFlow flow = heat_flow_float(settings);
  ASSERT_EQ(flow.steps.size(), 100u);
  for (const HeatFlowStep& step : flow.steps) EXPECT_LE(step.residual, 1e-6);
  EXPECT_LE(flow.steps.back().w2, 0.012);
  EXPECT_NEAR(flow.steps.back().w2, 0.0106, 0.5e-4);
}

TEST(HeatFlowFloat, BudgetsGiveTheMeasuredDistances) {
  const auto w2 = [](SinkhornUpdate update, int half_steps, bool warm) {
    HeatFlowSettings settings;
    settings.update = update;
    settings.half_steps = half_steps;
    settings.warm = warm;
    return heat_flow_float(settings).steps.back().w2;
  };
  EXPECT_NEAR(w2(SinkhornUpdate::kAlternate, 21, false), 0.194, 0.5e-3);
  EXPECT_NEAR(w2(SinkhornUpdate::kAlternate, 101, true), 0.0110, 0.5e-4);
  EXPECT_NEAR(w2(SinkhornUpdate::kDamped, 20, true), 0.0106, 0.5e-4);
}

// The kernel is positive semi-definite, so near the limit every damped update
// at least halves the error; far from it too, within the factor of the bound
// |exp(e) - 1| against |e| that 0.1 allows.
TEST(HeatFlowFloat, DampedUpdatesHalveTheResidual) {
  const SymmetricKernel kernel(mixture_quantiles(200, 1.0), 1, 0.02);
  SymmetricScaling scaling = symmetric_scaling(kernel, {}, 8, 0.0);
  ASSERT_LT(scaling.residual, 0.1);
  for (int k = 0; k < 12; ++k) {
    const SymmetricScaling next = symmetric_scaling(kernel, scaling.r, 1, 0.0);
    EXPECT_LE(next.residual, 0.55 * scaling.residual) << k;
    scaling = next;
  }
}

TEST(HeatFlowFloat, CoarseGridsStallTheFlow) {
  const auto run = [](int bits) {
    HeatFlowSettings settings;
    settings.particles = 300;
    settings.fraction_bits = bits;
    return heat_flow_float(settings).steps;
  };
  const auto exact = run(-1);
  // A particle moves by eps/2 * |score| = 0.005 |score|, which rounds to nothing
  // below 2^-5: up to |score| = 6, which the bulk never sees.
  for (const HeatFlowStep& step : run(4)) EXPECT_EQ(step.displacement, 0.0);
  for (const HeatFlowStep& step : run(12)) EXPECT_GT(step.displacement, 0.0);
  EXPECT_NEAR(run(12).back().w2, exact.back().w2, 1e-3);
  EXPECT_GT(run(4).back().w2, 0.3);
}

}  // namespace
}  // namespace quadrille::model
