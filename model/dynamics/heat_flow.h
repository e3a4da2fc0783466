// The heat flow of "Heat Flow through Doubly-Stochastic Self-Attention":
// particles of rho_0 = 1/2 N(-2, 1) + 1/2 N(2, 1) under z <- 2 z - K^inf z
// (W_K^T W_Q = I, W_V = -I), against the exact flow.
//
// Clock. One step moves a particle by z - B(z) = -(eps / 2) grad log rho + O(eps^2)
// (Result 2), the velocity -1/2 grad log rho of d rho = 1/2 Laplacian rho, when K
// comes from C = x y / eps, that is from the Gaussian kernel
// exp(-(x - y)^2 / (2 eps)). For N(0, s^2) exactly: B(x) = c x with
// c / (s^2 (1 - c^2)) = 1 / eps, so c = 1 - eps / (2 s^2) + O(eps^2), and t / eps
// steps take the variance from s^2 to s^2 + t. (The kernel exp(-(x - y)^2 / eps)
// is this one at eps / 2, and runs at half speed.) So rho_t is the mixture of
// N(-+2, 1 + t); the slides write the equation without the 1/2.
#pragma once

#include <cstddef>
#include <vector>

#include "model/attention/sinkhorn.h"

namespace quadrille::model {

/// Quantiles (i + 1/2) / n of 1/2 N(-2, variance) + 1/2 N(2, variance), rising.
std::vector<double> mixture_quantiles(int count, double variance);

/// d/dx log of that mixture's density.
double mixture_score(double x, double variance);

/// Distance of two sets of as many particles on a line: matched in order.
double wasserstein2(std::vector<double> a, std::vector<double> b);

/// W2 of the particles to the exact flow's quantiles at `time`.
double distance_to_heat_flow(const std::vector<double>& particles, double time);

/// Median of |after - before|.
double median_displacement(const std::vector<double>& before, const std::vector<double>& after);

/// Correlation c of the self-coupling of N(0, variance), B(x) = c x.
double gaussian_self_correlation(double variance, double epsilon);

struct HeatFlowSettings {
  int particles = 1000;
  double epsilon = 0.01;  ///< It is the time of a step, too.
  double end_time = 1.0;
  SinkhornUpdate update = SinkhornUpdate::kDamped;
  /// Largest number per step; alternating ones start with rows and should be odd,
  /// so that rows come last.
  int half_steps = 20;
  double tolerance = 0.0;  ///< Residual that ends a damped step early; 0: none.
  bool warm = true;        ///< Start from the scalings of the step before.
  /// Positions lie on a grid of 2^-bits; negative: double.
  int fraction_bits = -1;
};

struct HeatFlowStep {
  double time = 0.0;      ///< Time after the step.
  double w2 = 0.0;        ///< Distance to the exact flow.
  double residual = 0.0;  ///< max |line sum - 1| of the step's K (rows or columns).
  int half_steps = 0;
  double displacement = 0.0;  ///< Median of the particles' moves.
};

struct HeatFlow {
  std::vector<HeatFlowStep> steps;
  std::vector<double> particles;  ///< Positions at the end.
};

/// Steps of length epsilon, as many as end nearest `end_time`; none when epsilon
/// is more than twice of it.
int heat_flow_steps(double epsilon, double end_time);
HeatFlow heat_flow_float(const HeatFlowSettings& settings);

}  // namespace quadrille::model
