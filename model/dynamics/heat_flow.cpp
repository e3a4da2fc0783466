#include "model/dynamics/heat_flow.h"

#include <algorithm>
#include <cmath>

#include "model/dynamics/symmetric_kernel.h"

namespace quadrille::model {
namespace {

constexpr double kCentre = 2.0;  ///< The components lie at -2 and 2.

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double mixture_cdf(double x, double deviation) {
  return 0.5 * (normal_cdf((x + kCentre) / deviation) + normal_cdf((x - kCentre) / deviation));
}

double on_grid(double x, int fraction_bits) {
  return fraction_bits < 0
             ? x
             : std::ldexp(std::nearbyint(std::ldexp(x, fraction_bits)), -fraction_bits);
}

/// Scalings of one step: r of the rows, c of the columns; equal when damped.
struct Scalings {
  std::vector<double> r, c;
};

/// Half-steps of the slides: rows, columns, ... and rows last.
double alternate(const SymmetricKernel& kernel, int half_steps, Scalings& scalings) {
  for (int step = 0; step < half_steps; ++step) {
    std::vector<double>& changed = step % 2 == 0 ? scalings.r : scalings.c;
    changed = kernel.multiply(step % 2 == 0 ? scalings.c : scalings.r);
    for (double& value : changed) value = 1.0 / value;
  }
  double residual = 0.0;
  for (const bool rows : {true, false}) {
    const std::vector<double>& own = rows ? scalings.r : scalings.c;
    const std::vector<double> sums = kernel.multiply(rows ? scalings.c : scalings.r);
    for (std::size_t i = 0; i < sums.size(); ++i)
      residual = std::max(residual, std::fabs(own[i] * sums[i] - 1.0));
  }
  return residual;
}

/// Finds the scalings for these particles and gives B of each.
std::vector<double> project(const HeatFlowSettings& settings, const std::vector<double>& particles,
                            Scalings& scalings, HeatFlowStep& step) {
  const SymmetricKernel kernel(particles, 1, settings.epsilon);
  if (!settings.warm || scalings.c.empty())
    scalings.r = scalings.c = std::vector<double>(particles.size(), 1.0);
  if (settings.update == SinkhornUpdate::kAlternate) {
    step.residual = alternate(kernel, settings.half_steps, scalings);
    step.half_steps = settings.half_steps;
  } else {
    const SymmetricScaling found =
        symmetric_scaling(kernel, scalings.r, settings.half_steps, settings.tolerance);
    scalings.r = scalings.c = found.r;
    step.residual = found.residual;
    step.half_steps = found.updates;
  }
  return barycentre(kernel, scalings.c, particles);
}

}  // namespace

std::vector<double> mixture_quantiles(int count, double variance) {
  const double deviation = std::sqrt(variance);
  std::vector<double> quantiles;
  for (int i = 0; i < count; ++i) {
    const double share = (i + 0.5) / count;
    double low = -kCentre - 40.0 * deviation;
    double high = kCentre + 40.0 * deviation;
    for (int bisection = 0; bisection < 62; ++bisection) {
      const double middle = 0.5 * (low + high);
      (mixture_cdf(middle, deviation) < share ? low : high) = middle;
    }
    quantiles.push_back(0.5 * (low + high));
  }
  return quantiles;
}

double mixture_score(double x, double variance) {
  // The components' shares of the density at x: exp(+-2x / variance) apart.
  return (kCentre * std::tanh(kCentre * x / variance) - x) / variance;
}

double wasserstein2(std::vector<double> a, std::vector<double> b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

double distance_to_heat_flow(const std::vector<double>& particles, double time) {
  return wasserstein2(particles, mixture_quantiles(static_cast<int>(particles.size()), 1.0 + time));
}

double median_displacement(const std::vector<double>& before, const std::vector<double>& after) {
  std::vector<double> moves(before.size());
  for (std::size_t i = 0; i < moves.size(); ++i) moves[i] = std::fabs(after[i] - before[i]);
  const auto middle = moves.begin() + static_cast<std::ptrdiff_t>(moves.size() / 2);
  std::nth_element(moves.begin(), middle, moves.end());
  return *middle;
}

double gaussian_self_correlation(double variance, double epsilon) {
  return (std::sqrt(epsilon * epsilon + 4.0 * variance * variance) - epsilon) / (2.0 * variance);
}

int heat_flow_steps(double epsilon, double end_time) {
  return static_cast<int>(std::lround(end_time / epsilon));
}

HeatFlow heat_flow_float(const HeatFlowSettings& settings) {
  HeatFlow flow;
  flow.particles = mixture_quantiles(settings.particles, 1.0);
  for (double& z : flow.particles) z = on_grid(z, settings.fraction_bits);
  Scalings scalings;
  const int steps = heat_flow_steps(settings.epsilon, settings.end_time);
  for (int k = 1; k <= steps; ++k) {
    HeatFlowStep step;
    const std::vector<double> before = flow.particles;
    const std::vector<double> projected = project(settings, before, scalings, step);
    for (std::size_t i = 0; i < before.size(); ++i)
      flow.particles[i] = on_grid(2.0 * before[i] - projected[i], settings.fraction_bits);
    step.time = k * settings.epsilon;
    step.w2 = distance_to_heat_flow(flow.particles, step.time);
    step.displacement = median_displacement(before, flow.particles);
    flow.steps.push_back(step);
  }
  return flow;
}

}  // namespace quadrille::model
