#include "model/dynamics/heat_flow_fixed.h"

#include <algorithm>
#include <cmath>

#include "model/errors.h"
#include "model/numerics/constants.h"
#include "model/numerics/rounding.h"

namespace quadrille::model {
namespace {

constexpr double kFarthest = 16.0;  ///< Positions lie within +-8.
constexpr int kMostCodeBits = 20;

SinkhornShape square(int particles) {
  SinkhornShape shape;
  shape.rows = shape.columns = particles;
  return shape;
}

std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& codes) {
  std::vector<std::int32_t> result;
  result.reserve(codes.size());
  for (const std::int64_t code : codes) result.push_back(static_cast<std::int32_t>(code));
  return result;
}

std::vector<double> reals(const std::vector<std::int32_t>& positions, int bits) {
  std::vector<double> result;
  result.reserve(positions.size());
  for (const std::int32_t code : positions) result.push_back(std::ldexp(code, -bits));
  return result;
}

std::vector<std::int32_t> moved(const std::vector<std::int32_t>& positions,
                                const std::vector<std::int64_t>& out) {
  std::vector<std::int32_t> result;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::int64_t twice =
        std::int64_t{positions[i]} * (1 << (kSinkhornOutputFractionBits + 1));
    const std::int64_t code = round_shift(twice - out[i], kSinkhornOutputFractionBits);
    if (code != saturate(code, kPositionBits)) {
      throw RunawayFlow("particle " + std::to_string(i) + " moves to the code " +
                        std::to_string(code) + ", beyond " + std::to_string(kPositionBits) +
                        " bits");
    }
    result.push_back(static_cast<std::int32_t>(code));
  }
  return result;
}

}  // namespace

int heat_flow_code_bits(double epsilon) {
  const double octaves = kFarthest * kFarthest * kLog2E / (2.0 * epsilon);
  const int bits = static_cast<int>(std::floor(30.99 - std::log2(octaves)));
  return std::min(bits, kMostCodeBits);
}

SinkhornInteger heat_flow_problem(const IntegerHeatFlowSettings& settings) {
  SinkhornInteger problem;
  problem.shape = square(settings.particles);
  problem.settings.update = SinkhornUpdate::kDamped;
  problem.settings.half_steps = settings.updates;
  problem.fraction_bits = settings.logit_fraction_bits;
  problem.factor = make_multiplier(
      std::ldexp(1.0, settings.logit_fraction_bits - heat_flow_code_bits(settings.epsilon)));
  return problem;
}

std::vector<std::int32_t> heat_flow_codes(const std::vector<std::int32_t>& positions,
                                          const IntegerHeatFlowSettings& settings) {
  // Codes differ by less than 2^20, so their square is an integer that double holds.
  const double factor =
      std::ldexp(kLog2E / (2.0 * settings.epsilon),
                 heat_flow_code_bits(settings.epsilon) - 2 * settings.position_bits);
  std::vector<std::int32_t> codes;
  codes.reserve(positions.size() * positions.size());
  for (const std::int32_t a : positions) {
    for (const std::int32_t b : positions) {
      const double difference = a - b;
      codes.push_back(static_cast<std::int32_t>(std::nearbyint(-difference * difference * factor)));
    }
  }
  return codes;
}

HeatFlowUnit fixed_heat_flow_unit(const IntegerHeatFlowSettings& settings) {
  return [problem = heat_flow_problem(settings)](const HeatFlowPass& pass) {
    const SinkhornFixedResult found =
        sinkhorn_fixed(pass.codes, problem, pass.scalings, pass.scalings);
    HeatFlowPassResult result;
    result.f_q = found.f_q;
    result.g_q = found.g_q;
    result.saturated = found.saturated;
    result.out_q =
        sinkhorn_apply_fixed(found.k_q, pass.positions, problem.shape, 1, result.saturated);
    std::vector<double> k;
    k.reserve(found.k_q.size());
    for (const std::int64_t code : found.k_q)
      k.push_back(std::ldexp(static_cast<double>(code), -kKernelFractionBits));
    const SinkhornResidual residual = sinkhorn_residual(k, problem.shape);
    result.residual = std::max(residual.row, residual.column);
    return result;
  };
}

IntegerHeatFlow heat_flow_integer(const IntegerHeatFlowSettings& settings,
                                  const HeatFlowUnit& unit) {
  IntegerHeatFlow flow;
  for (const double z : mixture_quantiles(settings.particles, 1.0)) {
    flow.positions.push_back(
        static_cast<std::int32_t>(std::nearbyint(std::ldexp(z, settings.position_bits))));
  }
  std::vector<std::int32_t> scalings(flow.positions.size(), 0);
  const int steps = heat_flow_steps(settings.epsilon, settings.end_time);
  for (int k = 1; k <= steps; ++k) {
    IntegerHeatFlowStep step;
    const std::vector<std::int32_t> before = flow.positions;
    step.result = unit({heat_flow_codes(before, settings), scalings, before});
    flow.positions = moved(before, step.result.out_q);
    scalings = narrow(step.result.f_q);
    const std::vector<double> after = reals(flow.positions, settings.position_bits);
    step.figures.time = k * settings.epsilon;
    step.figures.w2 = distance_to_heat_flow(after, step.figures.time);
    step.figures.residual = step.result.residual;
    step.figures.half_steps = settings.updates;
    step.figures.displacement = median_displacement(reals(before, settings.position_bits), after);
    flow.steps.push_back(std::move(step));
  }
  return flow;
}

std::string first_difference(const IntegerHeatFlow& a, const IntegerHeatFlow& b) {
  if (a.steps.size() != b.steps.size()) return "trajectories of different lengths";
  for (std::size_t k = 0; k < a.steps.size(); ++k) {
    const HeatFlowPassResult& x = a.steps[k].result;
    const HeatFlowPassResult& y = b.steps[k].result;
    const auto compare = [&](const char* name, const std::vector<std::int64_t>& left,
                             const std::vector<std::int64_t>& right) -> std::string {
      if (left.size() != right.size())
        return "step " + std::to_string(k + 1) + ", " + name + " of different sizes";
      for (std::size_t i = 0; i < left.size(); ++i) {
        if (left[i] == right[i]) continue;
        return "step " + std::to_string(k + 1) + ", " + name + "[" + std::to_string(i) +
               "]: " + std::to_string(left[i]) + " and " + std::to_string(right[i]);
      }
      return "";
    };
    for (const std::string& difference : {compare("f", x.f_q, y.f_q), compare("g", x.g_q, y.g_q),
                                          compare("out", x.out_q, y.out_q)}) {
      if (!difference.empty()) return difference;
    }
    std::string difference = compare("saturated", {x.saturated}, {y.saturated});
    if (!difference.empty()) return difference;
  }
  return a.positions == b.positions ? "" : "positions at the end";
}

}  // namespace quadrille::model
