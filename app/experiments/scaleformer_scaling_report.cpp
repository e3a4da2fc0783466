// Tables, plots and figures of the scaling experiment.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "app/experiments/scaleformer_scaling.h"
#include "app/report/plot.h"
#include "hw/energy/energy.h"

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

// The stated goals.
constexpr double kGoalSlope = 1.0;
constexpr double kGoalSlopeMargin = 0.02;
constexpr double kGoalCrossover = 256.0;

double dram_bytes_of(const RunCost& cost) {
  return static_cast<double>(cost.traffic.dram_read_bytes + cost.traffic.dram_write_bytes);
}

double sram_bytes_of(const RunCost& cost) {
  return static_cast<double>(cost.traffic.sram_read.bytes + cost.traffic.sram_write.bytes);
}

/// Shorter ones are there for the search for crossovers only.
bool is_listed(const ScalingPlan& plan, const ScalingPoint& point) {
  return point.tokens >= std::int64_t{1} << plan.least_log2;
}

std::string scaling_csv(const std::vector<ScalingCurve>& curves) {
  std::string csv = fmt::format("variant,tokens,ran,{},local_cycles_slope,reason\n", kCostColumns);
  const std::string columns = kCostColumns;
  const std::string empty(static_cast<std::size_t>(std::count(columns.begin(), columns.end(), ',')),
                          ',');
  const Text to(csv);
  for (const ScalingCurve& curve : curves) {
    for (std::size_t i = 0; i < curve.points.size(); ++i) {
      const ScalingPoint& point = curve.points[i];
      const std::optional<double> slope = local_slope(curve, i);
      fmt::format_to(to, "{},{},{},{},{},{}\n", curve.variant.name, point.tokens,
                     point.cost.has_value(), point.cost ? cost_csv(*point.cost) : empty,
                     slope ? fmt::format("{:.4f}", *slope) : "",
                     point.reason.empty() ? "" : csv_quoted(point.reason));
    }
  }
  return csv;
}

/// Columns of a crossover, their names with this prefix.
std::string crossover_columns(const std::string& prefix) {
  return fmt::format("{0}_tokens,{0}_at_or_below,{0}_refused_from,{0}_not_up_to", prefix);
}

std::string crossover_csv(const Crossover& crossover) {
  const auto length = [](const std::optional<std::int64_t>& tokens) {
    return tokens ? std::to_string(*tokens) : "";
  };
  return fmt::format(
      "{},{},{},{}", crossover.tokens ? fmt::format("{:.2f}", *crossover.tokens) : "",
      crossover.from_the_start, length(crossover.refused_from), length(crossover.not_up_to));
}

std::string areas_csv(const std::vector<AreaPoint>& areas) {
  std::string csv = fmt::format(
      "linear_lanes,cim_macros,linear_um2,cim_um2,area_ratio,linear_peak_macs_per_cycle,"
      "cim_peak_macs_per_cycle,linear_peak_macs_at_most_cim,{},{}\n",
      crossover_columns("crossover"), crossover_columns("causal_crossover"));
  for (const AreaPoint& point : areas) {
    fmt::format_to(Text(csv), "{},{},{:.0f},{:.0f},{:.5g},{:.0f},{:.0f},{},{},{}\n",
                   point.linear_lanes, point.cim_macros, point.linear_um2, point.cim_um2,
                   point.area_ratio(), point.peak.linear, point.peak.cim,
                   point.peak.linear_has_no_more(), crossover_csv(point.crossover),
                   crossover_csv(point.causal_crossover));
  }
  return csv;
}

PlotSeries series_of(const ScalingPlan& plan, const ScalingCurve& curve, CostFigure figure) {
  PlotSeries series;
  series.name = curve.variant.title;
  for (const ScalingPoint& point : curve.points) {
    if (!point.cost || !is_listed(plan, point)) continue;
    series.x.push_back(static_cast<double>(point.tokens));
    series.y.push_back(figure(*point.cost));
  }
  return series;
}

Plot empty_plot(const ScalingPlan& plan, const std::string& what, AxisScale scale) {
  Plot plot;
  plot.title = fmt::format("Attention of one head, d = {}, dv = {}, k = {}, without data",
                           plan.width, plan.value_width, plan.horizon);
  plot.x = {"sequence length L (tokens)", AxisScale::kLog2, std::nullopt, std::nullopt};
  plot.y = {what, scale, std::nullopt, std::nullopt};
  return plot;
}

std::string scaling_plot(const ScalingPlan& plan, const std::vector<ScalingCurve>& curves,
                         const std::string& what, AxisScale scale, CostFigure figure) {
  Plot plot = empty_plot(plan, what, scale);
  for (const ScalingCurve& curve : curves) {
    plot.series.push_back(series_of(plan, curve, figure));
    plot.series.back().dashed = curve.variant.enlarged;
  }
  return plot_svg(plot);
}

/// Without the causal variants, which move nearly the same bytes.
std::string traffic_plot(const ScalingPlan& plan, const std::vector<ScalingCurve>& curves) {
  Plot plot = empty_plot(plan, "bytes read and written", AxisScale::kLog10);
  int style = 0;
  for (const ScalingCurve& curve : curves) {
    if (curve.variant.causal) continue;
    for (const bool sram : {false, true}) {
      plot.series.push_back(series_of(plan, curve, sram ? sram_bytes_of : dram_bytes_of));
      plot.series.back().name += sram ? ", SRAM" : ", DRAM";
      plot.series.back().dashed = sram;
      plot.series.back().style = style;
    }
    ++style;
  }
  return plot_svg(plot);
}

/// Markers upon the points of chips that break the goal's condition.
PlotSeries unfair_points(const std::vector<AreaPoint>& areas) {
  PlotSeries series;
  series.name = "more peak MACs than CIM";
  series.line = false;
  for (const AreaPoint& point : areas) {
    if (point.peak.linear_has_no_more()) continue;
    for (const Crossover* crossover : {&point.crossover, &point.causal_crossover}) {
      if (!crossover->tokens) continue;
      series.x.push_back(point.area_ratio());
      series.y.push_back(*crossover->tokens);
    }
  }
  return series;
}

std::string crossover_plot(const std::vector<AreaPoint>& areas) {
  Plot plot;
  plot.title = "Length from which linear attention takes fewer cycles than softmax";
  plot.x = {"area of the linear engine over area of the CIM bank", AxisScale::kLog10, std::nullopt,
            std::nullopt};
  plot.y = {"crossover (tokens)", AxisScale::kLog2, std::nullopt, std::nullopt};
  std::vector<int> lanes;
  for (const AreaPoint& point : areas) {
    if (lanes.empty() || lanes.back() != point.linear_lanes) lanes.push_back(point.linear_lanes);
  }
  for (const bool causal : {false, true}) {
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      PlotSeries series;
      series.name = fmt::format("{} lanes{}", lanes[i], causal ? ", causal" : "");
      series.dashed = causal;
      series.style = static_cast<int>(i);
      for (const AreaPoint& point : areas) {
        const Crossover& crossover = causal ? point.causal_crossover : point.crossover;
        if (point.linear_lanes != lanes[i] || !crossover.tokens) continue;
        series.x.push_back(point.area_ratio());
        series.y.push_back(*crossover.tokens);
      }
      plot.series.push_back(std::move(series));
    }
  }
  plot.series.push_back(unfair_points(areas));
  plot.series.back().style = static_cast<int>(lanes.size());
  if (plot.series.back().x.empty()) plot.series.pop_back();
  return plot_svg(plot);
}

std::string crossover_text(const Crossover& crossover, const ScalingPlan& plan) {
  if (crossover.refused_from) return fmt::format("refused from {}", *crossover.refused_from);
  if (!crossover.tokens) return fmt::format("not up to {}", crossover.not_up_to.value_or(0));
  if (crossover.from_the_start)
    return fmt::format("at or below {}", 1 << plan.crossover_least_log2);
  return fmt::format("{:.0f}", *crossover.tokens);
}

constexpr int kColumn = 19;

/// The mechanism above, what is special about it below.
void put_heading(Text to, const std::string& what, const std::vector<ScalingCurve>& curves) {
  fmt::format_to(to, "  {:>8}", what);
  for (const ScalingCurve& curve : curves) {
    const std::string& title = curve.variant.title;
    fmt::format_to(to, "{:>{}}", title.substr(0, title.find(", ")), kColumn);
  }
  fmt::format_to(to, "\n  {:>8}", "tokens");
  for (const ScalingCurve& curve : curves) {
    const std::string& title = curve.variant.title;
    const std::size_t comma = title.find(", ");
    fmt::format_to(to, "{:>{}}", comma == std::string::npos ? "" : title.substr(comma + 2),
                   kColumn);
  }
  fmt::format_to(to, "\n");
}

/// A line per length, a column per variant; `cell` of a curve's point that ran.
template <typename Cell>
void put_table(Text to, const ScalingPlan& plan, const std::string& what,
               const std::vector<ScalingCurve>& curves, const Cell& cell) {
  put_heading(to, what, curves);
  const std::vector<ScalingPoint>& lengths = curves.front().points;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (!is_listed(plan, lengths[i])) continue;
    fmt::format_to(to, "  {:>8}", lengths[i].tokens);
    for (const ScalingCurve& curve : curves)
      fmt::format_to(to, "{:>{}}", curve.points[i].cost ? cell(curve, i) : "refused", kColumn);
    fmt::format_to(to, "\n");
  }
}

std::string cycles_cell(const ScalingCurve& curve, std::size_t point) {
  std::string cycles = std::to_string(curve.points[point].cost->cycles);
  const std::optional<double> slope = local_slope(curve, point);
  if (curve.variant.linear || !slope) return cycles;
  return fmt::format("{} ({:.2f})", cycles, *slope);
}

void put_slopes(Text to, const char* what, const std::vector<ScalingCurve>& curves,
                std::optional<Line> ScalingCurve::*fit) {
  fmt::format_to(to, "  {:>8}", what);
  for (const ScalingCurve& curve : curves) {
    const std::optional<Line>& line = curve.*fit;
    fmt::format_to(to, "{:>{}}", line ? fmt::format("{:.4f}", line->slope) : "-", kColumn);
  }
  fmt::format_to(to, "\n");
}

void put_tables(Text to, const ScalingPlan& plan, const std::vector<ScalingCurve>& curves) {
  put_table(to, plan, "cycles", curves, cycles_cell);
  put_slopes(to, "slope", curves, &ScalingCurve::fit);
  put_slopes(to, "energy", curves, &ScalingCurve::energy_fit);
  for (const auto& [name, figure] :
       {std::pair{"DRAM B", &dram_bytes_of}, std::pair{"SRAM B", &sram_bytes_of}}) {
    fmt::format_to(to, "\n");
    put_table(to, plan, name, curves, [figure = figure](const ScalingCurve& curve, std::size_t i) {
      return fmt::format("{:.0f}", figure(*curve.points[i].cost));
    });
  }
  fmt::format_to(to, "\n");
  for (const ScalingCurve& curve : curves) {
    for (const ScalingPoint& point : curve.points) {
      if (point.cost) continue;
      fmt::format_to(to, "  {} refused from {} tokens: {}\n", curve.variant.title, point.tokens,
                     point.reason);
      break;
    }
  }
  if (plan.enlarged) {
    fmt::format_to(to,
                   "  enlarged: a chip of other capacity only, {} KiB of scratchpad, {} macros, "
                   "softmax.max_keys {}\n",
                   plan.enlarged->scratchpad_bytes / 1024, plan.enlarged->macros,
                   plan.enlarged->max_keys);
  }
}

/// Areas, and what the engines can do at most.
struct Engines {
  double linear_um2 = 0.0, cim_um2 = 0.0, softmax_um2 = 0.0;
  PeakMacs peak;
};

Engines engines_of(const ExperimentSetup& setup) {
  const hw::ByComponent area = hw::area_um2(setup.chip, setup.technology);
  Engines engines;
  engines.linear_um2 = area.at("linear");
  engines.cim_um2 = area.at("cim");
  engines.softmax_um2 = area.at("softmax");
  engines.peak = peak_macs(setup.chip);
  return engines;
}

bool slope_met(const ScalingCurve& curve) {
  return curve.fit && std::fabs(curve.fit->slope - kGoalSlope) <= kGoalSlopeMargin;
}

/// Fewer cycles from a short length on, and not by more multipliers.
bool crossover_met(const Crossover& crossover, const PeakMacs& peak) {
  return crossover.tokens && *crossover.tokens <= kGoalCrossover && peak.linear_has_no_more();
}

void put_areas(Text to, const ScalingPlan& plan, const std::vector<AreaPoint>& areas) {
  if (areas.empty()) return;
  fmt::format_to(to, "\n  {:>12}{:>12}{:>12}{:>14}{:>12}{:>20}{:>20}\n", "linear lanes",
                 "CIM macros", "area ratio", "linear MACs", "CIM MACs", "crossover",
                 "causal crossover");
  for (const AreaPoint& point : areas) {
    fmt::format_to(to, "  {:>12}{:>12}{:>12.4f}{:>14.0f}{:>12.0f}{:>20}{:>20}{}\n",
                   point.linear_lanes, point.cim_macros, point.area_ratio(), point.peak.linear,
                   point.peak.cim, crossover_text(point.crossover, plan),
                   crossover_text(point.causal_crossover, plan),
                   point.peak.linear_has_no_more() ? "" : "  linear has more MACs");
  }
}

/// The two curves that a crossover compares.
std::pair<const ScalingCurve*, const ScalingCurve*> compared(const ScalingResults& results,
                                                             bool causal) {
  const std::string mask = causal ? "_causal" : "";
  return {&results.curve("softmax" + mask), &results.curve("linear" + mask)};
}

void put_goals(Text to, const ScalingPlan& plan, const ScalingResults& results,
               const Engines& engines) {
  for (const ScalingCurve& curve : results.curves) {
    if (curve.variant.linear && curve.fit)
      fmt::format_to(to, "  goal {:.2f} +- {:.2f}: {:<27}{:.4f}  {}\n", kGoalSlope,
                     kGoalSlopeMargin, curve.variant.title, curve.fit->slope,
                     slope_met(curve) ? "met" : "not met");
  }
  for (const bool causal : {false, true}) {
    const auto [slow, fast] = compared(results, causal);
    const Crossover crossover = crossover_of(*slow, *fast);
    fmt::format_to(to, "  crossover{}: {} tokens in cycles, {} in energy; goal {}\n",
                   causal ? ", causal" : "", crossover_text(crossover, plan),
                   crossover_text(crossover_of(*slow, *fast, energy_of), plan),
                   crossover_met(crossover, engines.peak) ? "met" : "not met");
  }
  fmt::format_to(to,
                 "  goal of the crossover: at most {:.0f} tokens in cycles, and no more MACs per "
                 "cycle at best than the CIM bank:\n  linear engine {:.0f}, CIM bank {:.0f}: {}\n",
                 kGoalCrossover, engines.peak.linear, engines.peak.cim,
                 engines.peak.linear_has_no_more() ? "holds" : "does not hold");
}

std::string text_of(const ScalingPlan& plan, const ScalingResults& results, const Engines& engines,
                    const ExperimentSetup& setup) {
  std::string text = fmt::format(
      "Scaling of one attention head, d = {}, dv = {}, k = {}: cycles at {:.0f} MHz, no data\n\n",
      plan.width, plan.value_width, plan.horizon, setup.chip.clock_hz / 1e6);
  const Text to(text);
  put_tables(to, plan, results.curves);
  fmt::format_to(to,
                 "  slope, energy: of log2 cycles and energy over log2 tokens, least squares over "
                 "the last {} doublings that ran;\n  in brackets: between a length and the one "
                 "before, where the chip's capacity ends within the lengths\n",
                 plan.fitted_doublings);
  put_goals(to, plan, results, engines);
  fmt::format_to(to,
                 "  linear engine {:.0f} um2, CIM bank {:.0f} um2, softmax engine {:.0f} um2; "
                 "linear over CIM bank {:.3f}\n",
                 engines.linear_um2, engines.cim_um2, engines.softmax_um2,
                 engines.linear_um2 / engines.cim_um2);
  put_areas(to, plan, results.areas);
  return text;
}

nlohmann::ordered_json crossover_json(const ScalingResults& results, bool causal,
                                      const PeakMacs& peak) {
  const auto [slow, fast] = compared(results, causal);
  const Crossover crossover = crossover_of(*slow, *fast);
  const Crossover energy = crossover_of(*slow, *fast, energy_of);
  nlohmann::ordered_json json = {{"tokens", nullptr},
                                 {"faster_from_the_start", crossover.from_the_start},
                                 {"refused_from_tokens", nullptr},
                                 {"not_up_to_tokens", nullptr},
                                 {"linear_peak_macs_at_most_cim", peak.linear_has_no_more()},
                                 {"goal_met", crossover_met(crossover, peak)},
                                 {"energy_tokens", nullptr}};
  if (crossover.tokens) json["tokens"] = *crossover.tokens;
  if (crossover.refused_from) json["refused_from_tokens"] = *crossover.refused_from;
  if (crossover.not_up_to) json["not_up_to_tokens"] = *crossover.not_up_to;
  if (energy.tokens) json["energy_tokens"] = *energy.tokens;
  return json;
}

nlohmann::ordered_json figures_json(const ScalingPlan& plan, const ScalingResults& results,
                                    const Engines& engines) {
  nlohmann::ordered_json json;
  json["width"] = plan.width;
  json["value_width"] = plan.value_width;
  json["horizon"] = plan.horizon;
  for (const ScalingCurve& curve : results.curves) {
    nlohmann::ordered_json& entry = json["variants"][curve.variant.name];
    entry["cycles_slope"] = nullptr;
    entry["energy_slope"] = nullptr;
    if (curve.fit) entry["cycles_slope"] = curve.fit->slope;
    if (curve.energy_fit) entry["energy_slope"] = curve.energy_fit->slope;
    if (curve.variant.linear) entry["slope_goal_met"] = slope_met(curve);
    entry["local_cycles_slopes"] = nlohmann::ordered_json::array();
    entry["longest_tokens"] = nullptr;
    for (std::size_t i = 0; i < curve.points.size(); ++i) {
      const ScalingPoint& point = curve.points[i];
      if (!point.cost) continue;
      entry["longest_tokens"] = point.tokens;
      entry["longest_cycles"] = point.cost->cycles;
      if (const std::optional<double> slope = local_slope(curve, i);
          slope && is_listed(plan, point))
        entry["local_cycles_slopes"].push_back({{"tokens", point.tokens}, {"slope", *slope}});
    }
  }
  json["crossover"] = crossover_json(results, false, engines.peak);
  json["causal_crossover"] = crossover_json(results, true, engines.peak);
  json["linear_area_um2"] = engines.linear_um2;
  json["cim_area_um2"] = engines.cim_um2;
  json["softmax_area_um2"] = engines.softmax_um2;
  json["linear_peak_macs_per_cycle"] = engines.peak.linear;
  json["cim_peak_macs_per_cycle"] = engines.peak.cim;
  return json;
}

}  // namespace

ExperimentReport scaling_report(const ScalingPlan& plan, const ScalingResults& results,
                                const ExperimentSetup& setup) {
  const Engines engines = engines_of(setup);
  ExperimentReport report;
  report.chip_runs = results.chip_runs;
  report.text = text_of(plan, results, engines, setup);
  report.files.emplace_back("scaling.csv", scaling_csv(results.curves));
  report.files.emplace_back(
      "cycles.svg", scaling_plot(plan, results.curves, "cycles", AxisScale::kLog2, cycles_of));
  report.files.emplace_back("energy.svg", scaling_plot(plan, results.curves, "energy (pJ)",
                                                       AxisScale::kLog10, energy_of));
  report.files.emplace_back("traffic.svg", traffic_plot(plan, results.curves));
  if (!results.areas.empty()) {
    report.files.emplace_back("crossover.csv", areas_csv(results.areas));
    report.files.emplace_back("crossover.svg", crossover_plot(results.areas));
  }
  report.figures = figures_json(plan, results, engines);
  return report;
}

}  // namespace quadrille::app
