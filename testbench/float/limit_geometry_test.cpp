// The limit-geometry table: the rescaled softmax dynamics against the plain token
// dynamics that it rescales, and where both systems end.
#include "model/dynamics/limit_geometry.h"

#include <gtest/gtest.h>

#include <cmath>

namespace quadrille::model {
namespace {

const LimitSystem& row(const std::string& name) {
  for (const LimitSystem& system : limit_systems()) {
    if (system.name == name) return system;
  }
  throw std::runtime_error("no row " + name);
}

std::vector<double> mean_of(const std::vector<double>& points, std::size_t dimensions) {
  std::vector<double> mean(dimensions, 0.0);
  for (std::size_t i = 0; i < points.size(); ++i)
    mean[i % dimensions] +=
        points[i] * static_cast<double>(dimensions) / static_cast<double>(points.size());
  return mean;
}

// V = -I, so that e^{-tV} is a number: x' = sum_j P_ij V x_j with P = softmax of
// <A x_i, x_j>, written out, gives z = e^t x. Both are Euler rules, whose error
// is of the order of the time step.
TEST(LimitGeometry, RescaledDynamicsAreTheTokenDynamicsRescaled) {
  LimitSystem system = row("negative");
  system.end_time = 1.0;
  LimitSettings settings;
  settings.tokens = 12;
  settings.time_step = 1e-3;
  const std::vector<double> initial = initial_tokens(system, settings);
  const std::vector<double> z = rescaled_softmax_limit(system, settings, initial);
  const std::vector<double> a = rotated_diagonal(system.attention_eigenvalues);
  std::vector<double> x = initial;
  const std::size_t n = x.size() / 2;
  for (int k = 0; k < 1000; ++k) {
    std::vector<double> next = x;
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0.0, along[2] = {0.0, 0.0};
      for (std::size_t j = 0; j < n; ++j) {
        double logit = 0.0;
        for (std::size_t c = 0; c < 2; ++c)
          logit += (a[2 * c] * x[2 * i] + a[2 * c + 1] * x[2 * i + 1]) * x[2 * j + c];
        sum += std::exp(logit);
        for (std::size_t c = 0; c < 2; ++c) along[c] += std::exp(logit) * x[2 * j + c];
      }
      for (std::size_t c = 0; c < 2; ++c) next[2 * i + c] -= 1e-3 * along[c] / sum;
    }
    x = next;
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(z[i], std::exp(1.0) * x[i], 20 * settings.time_step) << i;
}

TEST(LimitGeometry, TheTableHoldsForTheRescaledSoftmaxDynamics) {
  for (const unsigned seed : {1u, 2u, 3u, 4u}) {
    LimitSettings settings;
    settings.seed = seed;
    for (const LimitSystem& system : limit_systems()) {
      const std::vector<double> initial = initial_tokens(system, settings);
      const LimitFigures figures =
          limit_figures(system, initial, rescaled_softmax_limit(system, settings, initial));
      EXPECT_TRUE(claim_holds(system, settings, figures)) << system.name << " seed " << seed;
      EXPECT_EQ(consensus_of(figures), "none") << system.name << " seed " << seed;
    }
  }
}

TEST(LimitGeometry, TheFixedEpsilonMapWithIdentityReachesConsensusAtTheMean) {
  const LimitSystem& system = row("identity");
  const LimitSettings settings;
  const std::vector<double> initial = initial_tokens(system, settings);
  const std::vector<double> end = fixed_epsilon_limit(system, settings, initial);
  const LimitFigures figures = limit_figures(system, initial, end);
  EXPECT_EQ(consensus_of(figures), "everywhere");
  EXPECT_FALSE(claim_holds(system, settings, figures));
  const std::vector<double> mean = mean_of(initial, 2);
  for (std::size_t i = 0; i < end.size(); ++i) EXPECT_NEAR(end[i], mean[i % 2], 1e-6);
}

// One value along the leading axis is agreement, not the table's hyperplanes.
TEST(LimitGeometry, TheFixedEpsilonMapHasNoHyperplanes) {
  const LimitSystem& system = row("hyperplanes");
  const LimitSettings settings;
  const std::vector<double> initial = initial_tokens(system, settings);
  const LimitFigures figures =
      limit_figures(system, initial, fixed_epsilon_limit(system, settings, initial));
  EXPECT_EQ(consensus_of(figures), "in the leading plane");
  EXPECT_FALSE(claim_holds(system, settings, figures));
}

// Columns of K sum to 1 (to the scalings' residual of 1e-10), so (K - I) moves
// no mean, whatever V.
TEST(LimitGeometry, TheFixedEpsilonMapKeepsTheMean) {
  LimitSettings settings;
  settings.map_steps = 20;
  for (const LimitSystem& system : limit_systems()) {
    const std::vector<double> initial = initial_tokens(system, settings);
    const std::vector<double> before = mean_of(initial, system.dimensions);
    const std::vector<double> after =
        mean_of(fixed_epsilon_limit(system, settings, initial), system.dimensions);
    for (std::size_t c = 0; c < before.size(); ++c)
      EXPECT_NEAR(after[c], before[c], 1e-6) << system.name;
  }
}

TEST(LimitGeometry, ClustersAreCountedBySingleLinkage) {
  // A chain of three 0.9 apart is one cluster at 1, three at 0.8.
  const std::vector<double> points = {0, 0, 0.9, 0, 1.8, 0, 5, 5};
  EXPECT_EQ(count_clusters(points, 2, 1.0), 2);
  EXPECT_EQ(count_clusters(points, 2, 0.8), 4);
  EXPECT_EQ(count_clusters(points, 2, 10.0), 1);
  EXPECT_EQ(count_clusters({0.0, 1.0, 1.01}, 1, 0.1), 2);
}

TEST(LimitGeometry, DistanceToVerticesSeesPointsInsideAndOnEdges) {
  // A square: its centre is half a diagonal away from every vertex, the middle of
  // an edge half a side. Rotations leave both as they are.
  std::vector<double> square = {0, 0, 2, 0, 2, 2, 0, 2};
  EXPECT_NEAR(distance_to_vertices(square, 2), 0.0, 1e-12);
  std::vector<double> with_centre = square;
  with_centre.insert(with_centre.end(), {1, 1});
  EXPECT_NEAR(distance_to_vertices(with_centre, 2), std::sqrt(2.0), 1e-12);
  square.insert(square.end(), {1.2, 0.3});
  EXPECT_NEAR(distance_to_vertices(square, 2), std::hypot(0.8, 0.3), 1e-12);
}

TEST(LimitGeometry, RotationKeepsEigenvalues) {
  const std::vector<double> v = rotated_diagonal({3.0, 1.0, -2.0});
  EXPECT_NEAR(v[0] + v[4] + v[8], 2.0, 1e-12);
  double squares = 0.0;
  for (const double entry : v) squares += entry * entry;
  EXPECT_NEAR(squares, 9.0 + 1.0 + 4.0, 1e-12);
  EXPECT_GT(std::fabs(v[1]), 0.1);
}

}  // namespace
}  // namespace quadrille::model
