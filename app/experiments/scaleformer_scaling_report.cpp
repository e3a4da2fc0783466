// Tables, plots and figures of the scaling experiment.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

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

std::string scaling_csv(const std::vector<ScalingCurve>& curves) {
  std::string csv = fmt::format("variant,tokens,ran,{},reason\n", kCostColumns);
  const std::string columns = kCostColumns;
  const std::string empty(static_cast<std::size_t>(std::count(columns.begin(), columns.end(), ',')),
                          ',');
  const Text to(csv);
  for (const ScalingCurve& curve : curves) {
    for (const ScalingPoint& point : curve.points) {
      fmt::format_to(to, "{},{},{},{},{}\n", curve.variant.name, point.tokens,
                     point.cost.has_value(), point.cost ? cost_csv(*point.cost) : empty,
                     point.reason.empty() ? "" : csv_quoted(point.reason));
    }
  }
  return csv;
}

std::string tokens_text(const Crossover& crossover) {
  if (!crossover.tokens) return "";
  return fmt::format("{:.1f}", *crossover.tokens);
}

std::string areas_csv(const std::vector<AreaPoint>& areas) {
  std::string csv =
      "linear_lanes,cim_macros,linear_um2,cim_um2,area_ratio,crossover_tokens,"
      "faster_from_the_start,causal_crossover_tokens,causal_faster_from_the_start\n";
  for (const AreaPoint& point : areas) {
    fmt::format_to(Text(csv), "{},{},{:.0f},{:.0f},{:.5g},{},{},{},{}\n", point.linear_lanes,
                   point.cim_macros, point.linear_um2, point.cim_um2, point.area_ratio(),
                   tokens_text(point.crossover), point.crossover.from_the_start,
                   tokens_text(point.causal_crossover), point.causal_crossover.from_the_start);
  }
  return csv;
}

/// The curve's points, and its fit dashed over the lengths that the chip refused.
void add_curve(Plot& plot, const ScalingCurve& curve, const std::optional<Line>& fit,
               CostFigure figure) {
  PlotSeries series;
  series.name = curve.variant.title;
  PlotSeries beyond;
  beyond.dashed = true;
  beyond.markers = false;
  for (const ScalingPoint& point : curve.points) {
    const auto tokens = static_cast<double>(point.tokens);
    if (point.cost) {
      series.x.push_back(tokens);
      series.y.push_back(figure(*point.cost));
    } else if (fit) {
      if (beyond.x.empty() && !series.x.empty()) {
        beyond.x.push_back(series.x.back());
        beyond.y.push_back(std::exp2(fit->at(std::log2(series.x.back()))));
      }
      beyond.x.push_back(tokens);
      beyond.y.push_back(std::exp2(fit->at(std::log2(tokens))));
    }
  }
  plot.series.push_back(std::move(series));
  if (!beyond.x.empty()) plot.series.push_back(std::move(beyond));
}

std::string scaling_plot(const ScalingPlan& plan, const std::vector<ScalingCurve>& curves,
                         const std::string& what, bool energy) {
  Plot plot;
  plot.title = fmt::format("Attention of one head, d = {}, dv = {}, k = {}, without data",
                           plan.width, plan.value_width, plan.horizon);
  plot.x = {"sequence length L (tokens)", AxisScale::kLog2, std::nullopt, std::nullopt};
  plot.y = {what, energy ? AxisScale::kLog10 : AxisScale::kLog2, std::nullopt, std::nullopt};
  int style = 0;
  for (const ScalingCurve& curve : curves) {
    const std::size_t first = plot.series.size();
    add_curve(plot, curve, energy ? curve.energy_fit : curve.fit, energy ? energy_of : cycles_of);
    for (std::size_t i = first; i < plot.series.size(); ++i) plot.series[i].style = style;
    ++style;
  }
  return plot_svg(plot);
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
  return plot_svg(plot);
}

std::string crossover_text(const Crossover& crossover, const ScalingPlan& plan) {
  if (!crossover.tokens) return "none";
  if (crossover.from_the_start) return fmt::format("at or below {}", 1 << plan.least_log2);
  return fmt::format("{:.0f}", *crossover.tokens);
}

void put_cycles(Text to, const std::vector<ScalingCurve>& curves) {
  fmt::format_to(to, "  {:>8}", "tokens");
  for (const ScalingCurve& curve : curves) fmt::format_to(to, "{:>27}", curve.variant.title);
  fmt::format_to(to, "\n");
  for (std::size_t i = 0; i < curves.front().points.size(); ++i) {
    fmt::format_to(to, "  {:>8}", curves.front().points[i].tokens);
    for (const ScalingCurve& curve : curves) {
      const ScalingPoint& point = curve.points[i];
      fmt::format_to(to, "{:>27}", point.cost ? std::to_string(point.cost->cycles) : "refused");
    }
    fmt::format_to(to, "\n");
  }
  fmt::format_to(to, "  {:>8}", "slope");
  for (const ScalingCurve& curve : curves)
    fmt::format_to(to, "{:>27}", curve.fit ? fmt::format("{:.4f}", curve.fit->slope) : "-");
  fmt::format_to(to, "\n  {:>8}", "energy");
  for (const ScalingCurve& curve : curves) {
    fmt::format_to(to, "{:>27}",
                   curve.energy_fit ? fmt::format("{:.4f}", curve.energy_fit->slope) : "-");
  }
  fmt::format_to(to, "\n\n");
  for (const ScalingCurve& curve : curves) {
    for (const ScalingPoint& point : curve.points) {
      if (point.cost) continue;
      fmt::format_to(to, "  {} refused from {} tokens: {}\n", curve.variant.title, point.tokens,
                     point.reason);
      break;
    }
  }
}

/// Products of 8-bit operands per cycle at best, and areas.
struct Engines {
  double linear_um2 = 0.0, cim_um2 = 0.0, softmax_um2 = 0.0;
  double linear_macs = 0.0, cim_macs = 0.0;
};

/// The linear engine: the outer products and the readout, lanes x lanes each, and
/// the scores and weighted values of a chunk and of the horizon. The CIM bank: one
/// product per weight in as many cycles as the inputs have bits.
Engines engines_of(const ExperimentSetup& setup) {
  const hw::ByComponent area = hw::area_um2(setup.chip, setup.technology);
  const hw::LinearConfig& linear = setup.chip.linear;
  const hw::CimConfig& cim = setup.chip.cim;
  Engines engines;
  engines.linear_um2 = area.at("linear");
  engines.cim_um2 = area.at("cim");
  engines.softmax_um2 = area.at("softmax");
  engines.linear_macs =
      2.0 * linear.lanes * (linear.lanes + linear.chunk_tokens + 2.0 * linear.max_horizon + 1.0);
  engines.cim_macs = 1.0 * cim.macros * cim.rows * cim.columns / cim.input_bits;
  return engines;
}

bool slope_met(const ScalingCurve& curve) {
  return curve.fit && std::fabs(curve.fit->slope - kGoalSlope) <= kGoalSlopeMargin;
}

bool crossover_met(const Crossover& crossover) {
  return crossover.tokens && *crossover.tokens <= kGoalCrossover;
}

void put_areas(Text to, const ScalingPlan& plan, const std::vector<AreaPoint>& areas) {
  if (areas.empty()) return;
  fmt::format_to(to, "\n  {:>12}{:>12}{:>14}{:>16}{:>18}\n", "linear lanes", "CIM macros",
                 "area ratio", "crossover", "causal crossover");
  for (const AreaPoint& point : areas) {
    fmt::format_to(to, "  {:>12}{:>12}{:>14.4f}{:>16}{:>18}\n", point.linear_lanes,
                   point.cim_macros, point.area_ratio(), crossover_text(point.crossover, plan),
                   crossover_text(point.causal_crossover, plan));
  }
}

std::string text_of(const ScalingPlan& plan, const ScalingResults& results, const Engines& engines,
                    const ExperimentSetup& setup) {
  std::string text = fmt::format(
      "Scaling of one attention head, d = {}, dv = {}, k = {}: cycles at {:.0f} MHz, no data\n\n",
      plan.width, plan.value_width, plan.horizon, setup.chip.clock_hz / 1e6);
  const Text to(text);
  put_cycles(to, results.curves);
  fmt::format_to(to,
                 "\n  slope of log2 cycles (and energy) over log2 tokens, least squares over the"
                 " last {} doublings that ran (softmax: {})\n",
                 plan.fitted_doublings, plan.fitted_doublings_quadratic);
  for (const ScalingCurve& curve : results.curves) {
    if (curve.variant.linear && curve.fit)
      fmt::format_to(to, "  goal {:.2f} +- {:.2f}: {:<27}{:.4f}  {}\n", kGoalSlope,
                     kGoalSlopeMargin, curve.variant.title, curve.fit->slope,
                     slope_met(curve) ? "met" : "not met");
  }
  for (const bool causal : {false, true}) {
    const ScalingCurve& slow = results.curves[causal ? 1 : 0];
    const ScalingCurve& fast = results.curves[causal ? 3 : 2];
    const Crossover crossover = crossover_of(slow, fast);
    fmt::format_to(to,
                   "  crossover{}: {} tokens in cycles (goal at most {:.0f}: {}), {} in energy\n",
                   causal ? ", causal" : "", crossover_text(crossover, plan), kGoalCrossover,
                   crossover_met(crossover) ? "met" : "not met",
                   crossover_text(crossover_of(slow, fast, energy_of), plan));
  }
  fmt::format_to(
      to,
      "\n  linear engine {:.0f} um2, at most {:.0f} MACs per cycle; CIM bank {:.0f} um2, "
      "at most {:.0f};\n  softmax engine {:.0f} um2; linear over CIM bank {:.3f}\n",
      engines.linear_um2, engines.linear_macs, engines.cim_um2, engines.cim_macs,
      engines.softmax_um2, engines.linear_um2 / engines.cim_um2);
  put_areas(to, plan, results.areas);
  return text;
}

nlohmann::ordered_json crossover_json(const Crossover& crossover) {
  nlohmann::ordered_json json = {{"tokens", nullptr},
                                 {"faster_from_the_start", crossover.from_the_start},
                                 {"goal_met", crossover_met(crossover)}};
  if (crossover.tokens) json["tokens"] = *crossover.tokens;
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
    entry["longest_tokens"] = nullptr;
    for (const ScalingPoint& point : curve.points) {
      if (!point.cost) continue;
      entry["longest_tokens"] = point.tokens;
      entry["longest_cycles"] = point.cost->cycles;
    }
  }
  const auto& curves = results.curves;
  json["crossover"] = crossover_json(crossover_of(curves[0], curves[2]));
  json["causal_crossover"] = crossover_json(crossover_of(curves[1], curves[3]));
  for (const auto& [name, slow, fast] :
       {std::tuple{"crossover", 0, 2}, std::tuple{"causal_crossover", 1, 3}}) {
    const Crossover energy = crossover_of(curves[static_cast<std::size_t>(slow)],
                                          curves[static_cast<std::size_t>(fast)], energy_of);
    json[name]["energy_tokens"] = nullptr;
    if (energy.tokens) json[name]["energy_tokens"] = *energy.tokens;
  }
  json["linear_area_um2"] = engines.linear_um2;
  json["cim_area_um2"] = engines.cim_um2;
  json["softmax_area_um2"] = engines.softmax_um2;
  json["linear_peak_macs_per_cycle"] = engines.linear_macs;
  json["cim_peak_macs_per_cycle"] = engines.cim_macs;
  return json;
}

}  // namespace

ExperimentReport scaling_report(const ScalingPlan& plan, const ScalingResults& results,
                                const ExperimentSetup& setup) {
  const Engines engines = engines_of(setup);
  ExperimentReport report;
  report.text = text_of(plan, results, engines, setup);
  report.files.emplace_back("scaling.csv", scaling_csv(results.curves));
  report.files.emplace_back("cycles.svg", scaling_plot(plan, results.curves, "cycles", false));
  report.files.emplace_back("energy.svg", scaling_plot(plan, results.curves, "energy (pJ)", true));
  if (!results.areas.empty()) {
    report.files.emplace_back("crossover.csv", areas_csv(results.areas));
    report.files.emplace_back("crossover.svg", crossover_plot(results.areas));
  }
  report.figures = figures_json(plan, results, engines);
  return report;
}

}  // namespace quadrille::app
