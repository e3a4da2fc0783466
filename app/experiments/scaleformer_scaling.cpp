#include "app/experiments/scaleformer_scaling.h"

#include <fmt/format.h>

#include <cmath>

#include "app/files/progress.h"
#include "hw/energy/energy.h"
#include "hw/mapper/mapping.h"
#include "model/analytic/attention_counts.h"
#include "model/analytic/linear_counts.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

constexpr const char* kKind = "scaleformer-scaling";

std::vector<int> read_counts(const YamlNode& node, const char* key, int largest) {
  std::vector<int> counts;
  for (const YamlNode& item : node.sequence(key))
    counts.push_back(static_cast<int>(item.as_integer(1, largest)));
  return counts;
}

ScalingPlan read_plan(const YamlNode& workload, const ExperimentSetup& setup) {
  read_head(workload, kKind);
  refuse_seed(setup, kKind);
  ScalingPlan plan;
  plan.width = static_cast<int>(workload.integer("width", 1, 4096, plan.width));
  plan.value_width = static_cast<int>(workload.integer("value_width", 1, 4096, plan.value_width));
  plan.horizon = static_cast<int>(workload.integer("horizon", 0, 4096, plan.horizon));
  plan.least_log2 = static_cast<int>(workload.integer("least_log2", 0, 20, plan.least_log2));
  plan.largest_log2 = static_cast<int>(
      workload.integer("largest_log2", plan.least_log2 + 1, 20, plan.largest_log2));
  plan.fitted_doublings =
      static_cast<int>(workload.integer("fitted_doublings", 1, 20, plan.fitted_doublings));
  plan.fitted_doublings_quadratic = static_cast<int>(
      workload.integer("fitted_doublings_quadratic", 1, 20, plan.fitted_doublings_quadratic));
  if (const auto areas = workload.optional_child("areas")) {
    plan.linear_lanes = read_counts(*areas, "linear_lanes", 1 << 16);
    plan.cim_macros = read_counts(*areas, "cim_macros", 1 << 16);
  }
  workload.finish();
  return plan;
}

const std::vector<ScalingVariant>& variants() {
  static const std::vector<ScalingVariant> all = {
      {"softmax", "softmax (quadratic)", false, false, false},
      {"softmax_causal", "softmax, causal", false, true, false},
      {"linear", "linear", true, false, false},
      {"linear_causal", "linear, causal", true, true, false},
      {"linear_positions", "linear, positions", true, false, true},
      {"linear_causal_positions", "linear, causal, positions", true, true, true}};
  return all;
}

ChipJob softmax_job(const hw::ChipConfig& chip, const ScalingPlan& plan, int tokens, bool causal) {
  const model::SoftmaxShape shape{tokens, tokens, plan.width, plan.value_width, causal};
  ChipJob job;
  job.mapping = hw::map_softmax(chip, shape, {}, false);
  job.expected =
      hw::ExpectedWork{0, model::visible_pairs(tokens, causal) * (plan.width + plan.value_width)};
  return job;
}

ChipJob linear_job(const hw::ChipConfig& chip, const ScalingPlan& plan, int tokens,
                   const ScalingVariant& variant) {
  hw::LinearProblem problem;
  problem.shape = {tokens,           tokens,         plan.width,
                   plan.value_width, variant.causal, variant.positions ? plan.horizon : -1};
  ChipJob job;
  job.mapping = hw::map_linear(chip, problem);
  const model::LinearCounts counts =
      model::linear_counts(problem.shape, chip.linear.chunk_tokens, chip.linear.lanes);
  job.expected = hw::ExpectedWork{counts.macs_static, counts.macs_dynamic};
  return job;
}

ScalingPoint measure(const ExperimentSetup& setup, const ScalingPlan& plan,
                     const ScalingVariant& variant, std::int64_t tokens) {
  ScalingPoint point;
  point.tokens = tokens;
  // A refusal is a result here: it names the chip, not where its file lies.
  hw::ChipConfig chip = setup.chip;
  chip.name = setup.chip_name;
  try {
    const int length = static_cast<int>(tokens);
    const ChipJob job = variant.linear ? linear_job(chip, plan, length, variant)
                                       : softmax_job(chip, plan, length, variant.causal);
    point.cost = cost_of(setup, run_on_chip(chip, {}, job, false).result);
  } catch (const InputError& refusal) {
    point.reason = refusal.what();
  }
  return point;
}

/// Least squares over the last doublings that ran.
std::optional<Line> fit(const ScalingCurve& curve, int doublings, CostFigure figure) {
  std::vector<double> x, y;
  for (const ScalingPoint& point : curve.points) {
    if (!point.cost) continue;
    x.push_back(std::log2(static_cast<double>(point.tokens)));
    y.push_back(std::log2(figure(*point.cost)));
  }
  const std::size_t wanted = std::min(x.size(), static_cast<std::size_t>(doublings) + 1);
  if (wanted < 2) return std::nullopt;
  const auto tail = [&](const std::vector<double>& all) {
    return std::vector<double>(all.end() - static_cast<std::ptrdiff_t>(wanted), all.end());
  };
  return fitted_line(tail(x), tail(y));
}

ScalingCurve measure_curve(const ExperimentSetup& setup, const ScalingPlan& plan,
                           const ScalingVariant& variant, Progress& progress) {
  ScalingCurve curve;
  curve.variant = variant;
  for (int log2 = plan.least_log2; log2 <= plan.largest_log2; ++log2) {
    progress.show(fmt::format("scaling: {}, 2^{} tokens", variant.title, log2));
    curve.points.push_back(measure(setup, plan, variant, std::int64_t{1} << log2));
  }
  const int doublings = variant.linear ? plan.fitted_doublings : plan.fitted_doublings_quadratic;
  curve.fit = fit(curve, doublings, cycles_of);
  curve.energy_fit = fit(curve, doublings, energy_of);
  return curve;
}

/// The crossovers of a chip that differs in its lanes and macros.
AreaPoint measure_areas(const ExperimentSetup& setup, const ScalingPlan& plan, int lanes,
                        int macros, Progress& progress) {
  ExperimentSetup other = setup;
  other.chip.linear.lanes = lanes;
  other.chip.cim.macros = macros;
  hw::validate(other.chip, setup.chip.name);
  AreaPoint point;
  point.linear_lanes = lanes;
  point.cim_macros = macros;
  const hw::ByComponent area = hw::area_um2(other.chip, other.technology);
  point.linear_um2 = area.at("linear");
  point.cim_um2 = area.at("cim");
  std::vector<ScalingCurve> curves;
  for (std::size_t i = 0; i < 4; ++i)
    curves.push_back(measure_curve(other, plan, variants()[i], progress));
  point.crossover = crossover_of(curves[0], curves[2]);
  point.causal_crossover = crossover_of(curves[1], curves[3]);
  return point;
}

/// Impossible chips of the study are the workload's fault: found before the runs.
void check_areas(const ExperimentSetup& setup, const ScalingPlan& plan) {
  for (const int lanes : plan.linear_lanes) {
    hw::ChipConfig chip = setup.chip;
    chip.linear.lanes = lanes;
    hw::validate(chip, setup.chip.name + " with areas.linear_lanes " + std::to_string(lanes));
  }
  for (const int macros : plan.cim_macros) {
    hw::ChipConfig chip = setup.chip;
    chip.cim.macros = macros;
    hw::validate(chip, setup.chip.name + " with areas.cim_macros " + std::to_string(macros));
  }
}

}  // namespace

double cycles_of(const RunCost& cost) { return static_cast<double>(cost.cycles); }
double energy_of(const RunCost& cost) { return cost.total_pj(); }

Crossover crossover_of(const ScalingCurve& quadratic, const ScalingCurve& linear,
                       CostFigure figure) {
  Crossover result;
  double before = 0.0;
  for (std::size_t i = 0; i < quadratic.points.size(); ++i) {
    const ScalingPoint& slow = quadratic.points[i];
    const ScalingPoint& fast = linear.points[i];
    if (!slow.cost || !fast.cost) break;
    const double log_tokens = std::log2(static_cast<double>(slow.tokens));
    const double lead = std::log2(figure(*slow.cost)) - std::log2(figure(*fast.cost));
    if (lead >= 0.0) {
      result.from_the_start = i == 0;
      // A straight line in log-log between the two lengths around it.
      const double share = i == 0 ? 1.0 : -before / (lead - before);
      result.tokens = std::exp2(log_tokens - 1.0 + share);
      return result;
    }
    before = lead;
  }
  return result;
}

ExperimentReport run_scaleformer_scaling(const YamlNode& workload, const ExperimentSetup& setup) {
  const ScalingPlan plan = read_plan(workload, setup);
  check_areas(setup, plan);
  Progress progress;
  ScalingResults results;
  for (const ScalingVariant& variant : variants())
    results.curves.push_back(measure_curve(setup, plan, variant, progress));
  // The study needs no lengths beyond the crossover's.
  ScalingPlan reach = plan;
  reach.largest_log2 = std::min(plan.largest_log2, 12);
  if (reach.largest_log2 > reach.least_log2) {
    for (const int lanes : plan.linear_lanes) {
      for (const int macros : plan.cim_macros)
        results.areas.push_back(measure_areas(setup, reach, lanes, macros, progress));
    }
  }
  progress.clear();
  return scaling_report(plan, results, setup);
}

}  // namespace quadrille::app
