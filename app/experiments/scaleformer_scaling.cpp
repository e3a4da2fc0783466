#include "app/experiments/scaleformer_scaling.h"

#include <fmt/format.h>

#include <cmath>

#include "app/files/progress.h"
#include "app/networks/operator.h"
#include "app/simulation.h"
#include "hw/energy/energy.h"
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
  plan.crossover_least_log2 = static_cast<int>(
      workload.integer("crossover_least_log2", 0, plan.least_log2, plan.least_log2));
  plan.largest_log2 = static_cast<int>(
      workload.integer("largest_log2", plan.least_log2 + 1, 20, plan.largest_log2));
  plan.fitted_doublings =
      static_cast<int>(workload.integer("fitted_doublings", 1, 20, plan.fitted_doublings));
  if (const auto enlarged = workload.optional_child("enlarged")) {
    plan.enlarged = EnlargedChip{enlarged->integer("scratchpad_kib", 1, 1 << 24) * 1024,
                                 static_cast<int>(enlarged->integer("macros", 1, 1 << 16)),
                                 static_cast<int>(enlarged->integer("max_keys", 1, 1 << 20))};
  }
  if (const auto areas = workload.optional_child("areas")) {
    plan.linear_lanes = read_counts(*areas, "linear_lanes", 1 << 16);
    plan.cim_macros = read_counts(*areas, "cim_macros", 1 << 16);
  }
  workload.finish();
  return plan;
}

const std::vector<ScalingVariant>& variants() {
  static const std::vector<ScalingVariant> all = {
      {"softmax", "softmax", false, false, false, false},
      {"softmax_causal", "softmax, causal", false, true, false, false},
      {"softmax_enlarged", "softmax, enlarged", false, false, false, true},
      {"softmax_enlarged_causal", "softmax, enlarged, causal", false, true, false, true},
      {"linear", "linear", true, false, false, false},
      {"linear_causal", "linear, causal", true, true, false, false},
      {"linear_positions", "linear, positions", true, false, true, false},
      {"linear_causal_positions", "linear, causal, positions", true, true, true, false}};
  return all;
}

/// One head of the variant's attention, without data.
Task task_of(const ScalingPlan& plan, const ScalingVariant& variant, std::int64_t tokens) {
  std::map<std::string, Shape> shapes = {
      {"Q", {tokens, plan.width}}, {"K", {tokens, plan.width}}, {"V", {tokens, plan.value_width}}};
  if (variant.positions) shapes["RP"] = {2 * plan.horizon + 1, plan.width};
  OperatorOptions options;
  options.result_only = true;
  return operator_task(variant.linear ? "linear" : "softmax", ShapedTensors(kKind, shapes),
                       {kKind, {{"causal", variant.causal ? "true" : "false"}}}, options);
}

/// The chip that a variant runs on. A refusal is a result here: it names the
/// chip, not where its file lies.
ExperimentSetup setup_of(const ExperimentSetup& setup, const ScalingPlan& plan,
                         const ScalingVariant& variant) {
  ExperimentSetup own = setup;
  own.chip = setup.chip.with(
      [&](hw::ChipValues& chip) {
        chip.file.clear();
        if (!variant.enlarged) return;
        chip.name += " enlarged";
        chip.scratchpad.capacity_bytes = plan.enlarged->scratchpad_bytes;
        chip.cim.macros = plan.enlarged->macros;
        chip.softmax.max_keys = plan.enlarged->max_keys;
      },
      variant.enlarged ? " with enlarged" : "");
  return own;
}

ScalingPoint measure(const ExperimentSetup& setup, const ScalingPlan& plan,
                     const ScalingVariant& variant, std::int64_t tokens) {
  ScalingPoint point;
  point.tokens = tokens;
  const ExperimentSetup own = setup_of(setup, plan, variant);
  try {
    Simulation simulation(task_of(plan, variant, tokens), own.chip);
    point.cost = cost_of(own, simulation.run({own.chip.timing, {}, {}}).result);
  } catch (const InputError& refusal) {
    point.reason = refusal.what();
  }
  return point;
}

/// Least squares over the last doublings that ran.
std::optional<Line> fit(const ScalingCurve& curve, const ScalingPlan& plan, CostFigure figure) {
  std::vector<double> x, y;
  for (const ScalingPoint& point : curve.points) {
    if (!point.cost || point.tokens < std::int64_t{1} << plan.least_log2) continue;
    x.push_back(std::log2(static_cast<double>(point.tokens)));
    y.push_back(std::log2(figure(*point.cost)));
  }
  const std::size_t wanted =
      std::min(x.size(), static_cast<std::size_t>(plan.fitted_doublings) + 1);
  if (wanted < 2) return std::nullopt;
  const auto tail = [&](const std::vector<double>& all) {
    return std::vector<double>(all.end() - static_cast<std::ptrdiff_t>(wanted), all.end());
  };
  return fitted_line(tail(x), tail(y));
}

ScalingCurve measure_curve(const ExperimentSetup& setup, const ScalingPlan& plan,
                           const ScalingVariant& variant, RunCost& chip_runs, Progress& progress) {
  ScalingCurve curve;
  curve.variant = variant;
  for (int log2 = plan.crossover_least_log2; log2 <= plan.largest_log2; ++log2) {
    progress.show(fmt::format("scaling: {}, 2^{} tokens", variant.title, log2));
    curve.points.push_back(measure(setup, plan, variant, std::int64_t{1} << log2));
    if (curve.points.back().cost) chip_runs += *curve.points.back().cost;
  }
  if (!variant.fitted()) return curve;
  curve.fit = fit(curve, plan, cycles_of);
  curve.energy_fit = fit(curve, plan, energy_of);
  return curve;
}

/// The crossovers of a chip that differs in its lanes and macros.
AreaPoint measure_areas(const ExperimentSetup& setup, const ScalingPlan& plan, int lanes,
                        int macros, RunCost& chip_runs, Progress& progress) {
  ExperimentSetup other = setup;
  other.chip = setup.chip.with([&](hw::ChipValues& chip) {
    chip.linear.lanes = lanes;
    chip.cim.macros = macros;
  });
  AreaPoint point;
  point.linear_lanes = lanes;
  point.cim_macros = macros;
  const hw::ByComponent area = hw::area_um2(other.chip, other.technology);
  point.linear_um2 = area.at("linear");
  point.cim_um2 = area.at("cim");
  point.peak = peak_macs(other.chip);
  ScalingResults results;
  for (const ScalingVariant& variant : variants()) {
    if (!variant.enlarged && !variant.positions)
      results.curves.push_back(measure_curve(other, plan, variant, chip_runs, progress));
  }
  point.crossover = crossover_of(results.curve("softmax"), results.curve("linear"));
  point.causal_crossover =
      crossover_of(results.curve("softmax_causal"), results.curve("linear_causal"));
  return point;
}

/// Impossible chips of the study are the workload's fault: found before the runs.
void check_chips(const ExperimentSetup& setup, const ScalingPlan& plan) {
  if (plan.enlarged) {
    ScalingVariant variant;
    variant.enlarged = true;
    setup_of(setup, plan, variant);
  }
  for (const int lanes : plan.linear_lanes) {
    setup.chip.with([&](hw::ChipValues& chip) { chip.linear.lanes = lanes; },
                    " with areas.linear_lanes " + std::to_string(lanes));
  }
  for (const int macros : plan.cim_macros) {
    setup.chip.with([&](hw::ChipValues& chip) { chip.cim.macros = macros; },
                    " with areas.cim_macros " + std::to_string(macros));
  }
}

}  // namespace

double cycles_of(const RunCost& cost) { return static_cast<double>(cost.cycles); }
double energy_of(const RunCost& cost) { return cost.total_pj(); }

PeakMacs peak_macs(const hw::ChipConfig& chip) {
  const hw::LinearConfig& linear = chip.linear;
  const hw::CimConfig& cim = chip.cim;
  PeakMacs peak;
  peak.linear =
      2.0 * linear.lanes * (linear.lanes + linear.chunk_tokens + 2.0 * linear.max_horizon + 1.0);
  peak.cim = 1.0 * cim.macros * cim.rows * cim.columns / cim.input_bits;
  return peak;
}

const ScalingCurve& ScalingResults::curve(const std::string& variant) const {
  for (const ScalingCurve& curve : curves) {
    if (curve.variant.name == variant) return curve;
  }
  throw InvariantError("no curve of variant " + variant);
}

std::optional<double> local_slope(const ScalingCurve& curve, std::size_t point) {
  if (point == 0 || !curve.points[point].cost || !curve.points[point - 1].cost) return std::nullopt;
  const ScalingPoint& here = curve.points[point];
  const ScalingPoint& before = curve.points[point - 1];
  return std::log2(cycles_of(*here.cost) / cycles_of(*before.cost)) /
         std::log2(static_cast<double>(here.tokens) / static_cast<double>(before.tokens));
}

Crossover crossover_of(const ScalingCurve& quadratic, const ScalingCurve& linear,
                       CostFigure figure) {
  Crossover result;
  double before = 0.0;
  for (std::size_t i = 0; i < quadratic.points.size(); ++i) {
    const ScalingPoint& slow = quadratic.points[i];
    const ScalingPoint& fast = linear.points[i];
    if (!slow.cost || !fast.cost) {
      result.refused_from = slow.tokens;
      return result;
    }
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
  if (!quadratic.points.empty()) result.not_up_to = quadratic.points.back().tokens;
  return result;
}

ExperimentReport run_scaleformer_scaling(const YamlNode& workload, const ExperimentSetup& setup) {
  const ScalingPlan plan = read_plan(workload, setup);
  check_chips(setup, plan);
  Progress progress;
  ScalingResults results;
  for (const ScalingVariant& variant : variants()) {
    if (variant.enlarged && !plan.enlarged) continue;
    results.curves.push_back(measure_curve(setup, plan, variant, results.chip_runs, progress));
  }
  // The study needs no lengths beyond the crossover's.
  ScalingPlan reach = plan;
  reach.largest_log2 = std::min(plan.largest_log2, 12);
  reach.least_log2 = reach.crossover_least_log2;
  if (reach.largest_log2 > reach.least_log2) {
    for (const int lanes : plan.linear_lanes) {
      for (const int macros : plan.cim_macros)
        results.areas.push_back(
            measure_areas(setup, reach, lanes, macros, results.chip_runs, progress));
    }
  }
  progress.clear();
  return scaling_report(plan, results, setup);
}

}  // namespace quadrille::app
