// Tables, plots and figures of the heat-flow experiment.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

#include "app/experiments/heat_flow.h"
#include "app/report/plot.h"

namespace quadrille::app {
namespace {

using model::HeatFlow;
using model::HeatFlowStep;
using model::IntegerHeatFlow;
using Text = std::back_insert_iterator<std::string>;

// The stated goal and the conditions that it is stated for.
constexpr int kGoalParticles = 1000;
constexpr double kGoalEpsilon = 0.01;
constexpr double kGoalTime = 1.0;
constexpr double kGoalResidual = 1e-6;
constexpr double kGoalW2 = 0.012;

std::string levels_csv(const HeatFlowPlan& plan, const HeatFlowResults& results) {
  std::string csv = fmt::format(
      "level,particles,step,time,w2,residual,median_displacement,saturated,{}\n", kCostColumns);
  const std::string empty(static_cast<std::size_t>(std::count(
                              kCostColumns, kCostColumns + std::string(kCostColumns).size(), ',')),
                          ',');
  const Text to(csv);
  const auto put = [&](const char* level, int particles, std::size_t k, const HeatFlowStep& step,
                       const std::string& saturated, const std::string& cost) {
    fmt::format_to(to, "{},{},{},{:g},{:.6g},{},{:.6g},{},{}\n", level, particles, k + 1, step.time,
                   step.w2, step.residual < 0.0 ? "" : fmt::format("{:.3g}", step.residual),
                   step.displacement, saturated, cost);
  };
  for (const auto* flow : {&results.exact, &results.exact_small}) {
    for (std::size_t k = 0; k < flow->steps.size(); ++k)
      put("float", static_cast<int>(flow->particles.size()), k, flow->steps[k], "", empty);
  }
  for (std::size_t k = 0; k < results.fixed.steps.size(); ++k) {
    put("fixed", plan.integer.particles, k, results.fixed.steps[k].figures,
        std::to_string(results.fixed.steps[k].result.saturated), empty);
  }
  for (std::size_t k = 0; k < results.systemc.steps.size(); ++k) {
    // Its K is the level fixed's, bit for bit, and so is its residual.
    HeatFlowStep step = results.systemc.steps[k].figures;
    step.residual = results.fixed.steps[k].figures.residual;
    put("systemc", plan.integer.particles, k, step,
        std::to_string(results.systemc.steps[k].result.saturated), cost_csv(results.costs[k]));
  }
  return csv;
}

std::string budgets_csv(const HeatFlowResults& results) {
  std::string csv =
      "study,run,level,particles,epsilon,half_steps_at_most,warm,time_reached,w2,"
      "largest_residual\n";
  const Text to(csv);
  for (const EpsilonRun& run : results.epsilons) {
    fmt::format_to(to, "epsilon,\"epsilon {:g}\",{},{},{:g},{},true,{:g},{:.6g},{:.3g}\n",
                   run.epsilon, run.level, run.particles, run.epsilon, run.updates, run.time,
                   run.w2, run.residual);
  }
  for (const FloatRun& run : results.budgets) {
    const HeatFlowStep& last = run.flow.steps.back();
    fmt::format_to(to, "budget,{},float,{},{:g},{},{},{:g},{:.6g},{:.3g}\n", csv_quoted(run.name),
                   run.settings.particles, run.settings.epsilon, run.settings.half_steps,
                   run.settings.warm, last.time, last.w2, largest_residual(run.flow.steps));
  }
  return csv;
}

std::string word_lengths_csv(const HeatFlowResults& results) {
  std::string csv =
      "level,particles,position_fraction_bits,w2,last_median_displacement,stalled_steps_share,"
      "stalls\n";
  for (const WordLength& run : results.word_lengths) {
    fmt::format_to(Text(csv), "{},{},{},{:.6g},{:.6g},{:.4g},{}\n", run.level, run.particles,
                   run.bits, run.w2, run.displacement, run.stalled_share, run.stalls());
  }
  return csv;
}

PlotSeries distance_series(const std::string& name, const std::vector<HeatFlowStep>& steps) {
  PlotSeries series;
  series.name = name;
  series.markers = false;
  for (const HeatFlowStep& step : steps) {
    series.x.push_back(step.time);
    series.y.push_back(step.w2);
  }
  return series;
}

std::string distance_plot(const HeatFlowPlan& plan, const HeatFlowResults& results) {
  Plot plot;
  plot.title = fmt::format("Heat flow through doubly stochastic attention, epsilon = {:g}",
                           plan.exact.epsilon);
  plot.x.label = "time t";
  plot.y = {"W2 to the exact flow", AxisScale::kLog10, std::nullopt, std::nullopt};
  plot.series.push_back(
      distance_series(fmt::format("float, n = {}", plan.exact.particles), results.exact.steps));
  plot.series.push_back(distance_series(fmt::format("fixed, n = {}", plan.integer.particles),
                                        figures_of(results.fixed)));
  plot.series.push_back(distance_series(fmt::format("float, n = {}", plan.integer.particles),
                                        results.exact_small.steps));
  plot.series.back().dashed = true;
  // Every tenth step of the chip's as markers on the line of fixed.
  PlotSeries chip = distance_series("systemc (chip)", figures_of(results.systemc));
  PlotSeries markers = chip;
  markers.x.clear();
  markers.y.clear();
  for (std::size_t k = 4; k < chip.x.size(); k += 10) {
    markers.x.push_back(chip.x[k]);
    markers.y.push_back(chip.y[k]);
  }
  markers.line = false;
  markers.markers = true;
  plot.series.push_back(markers);
  if (!results.budgets.empty()) {
    plot.series.push_back(
        distance_series("float, 21 half-steps, cold", results.budgets.front().flow.steps));
    plot.series.back().dashed = true;
  }
  return plot_svg(plot);
}

std::string word_length_plot(const HeatFlowResults& results) {
  Plot plot;
  plot.title = "Word length of the particles' positions";
  plot.x.label = "fraction bits";
  plot.y = {"W2 to the exact flow at the end", AxisScale::kLog10, std::nullopt, std::nullopt};
  for (const char* level : {"float on the grid", "fixed"}) {
    PlotSeries series;
    for (const WordLength& run : results.word_lengths) {
      if (run.level != level) continue;
      series.name = fmt::format("{}, n = {}", level, run.particles);
      series.x.push_back(run.bits);
      series.y.push_back(run.w2);
    }
    plot.series.push_back(series);
  }
  const auto floor = [&](const std::string& name, double w2) {
    PlotSeries series;
    series.name = name;
    series.markers = false;
    series.dashed = true;
    series.style = static_cast<int>(plot.series.size()) - 2;
    series.x = plot.series.front().x;
    series.y.assign(series.x.size(), w2);
    plot.series.push_back(series);
  };
  floor("double precision", results.exact.steps.back().w2);
  floor("double precision", results.exact_small.steps.back().w2);
  return plot_svg(plot);
}

/// Series of a level with so many particles, in the order of the runs.
std::string epsilon_series_name(const EpsilonRun& run) {
  return fmt::format("{}, n = {}", run.level, run.particles);
}

std::string epsilon_plot(const HeatFlowPlan& plan, const HeatFlowResults& results) {
  Plot plot;
  plot.title = fmt::format("Step size of the heat flow, until t = {:g}", plan.exact.end_time);
  plot.x = {"epsilon, the time of a step", AxisScale::kLog10, std::nullopt, std::nullopt};
  plot.y = {"W2 to the exact flow at the end", AxisScale::kLog10, std::nullopt, std::nullopt};
  for (const EpsilonRun& run : results.epsilons) {
    const std::string name = epsilon_series_name(run);
    auto series = std::find_if(plot.series.begin(), plot.series.end(),
                               [&](const PlotSeries& other) { return other.name == name; });
    if (series == plot.series.end()) {
      plot.series.emplace_back();
      series = std::prev(plot.series.end());
      series->name = name;
      // The levels with the same particles nearly coincide: one shows below the other.
      series->dashed = run.level == "fixed";
    }
    series->x.push_back(run.epsilon);
    series->y.push_back(run.w2);
  }
  return plot_svg(plot);
}

// --- Text and figures -----------------------------------------------------------

RunCost total_cost(const std::vector<RunCost>& costs) {
  RunCost total;
  for (const RunCost& cost : costs) total += cost;
  return total;
}

std::string goal_verdict(const HeatFlowPlan& plan, const HeatFlow& converged) {
  const std::optional<bool> met = heat_flow_goal_met(plan.exact, converged);
  if (!met) return "does not apply: other particles, epsilon or end";
  return *met ? "met" : "not met";
}

void put_levels(Text to, const HeatFlowPlan& plan, const HeatFlowResults& results) {
  fmt::format_to(to, "  {:<10}{:>10}{:>10}{:>14}{:>18}\n", "level", "particles", "W2",
                 "largest res.", "saturated / step");
  const auto put = [&](const char* level, int particles, const std::vector<HeatFlowStep>& steps,
                       double residual, const std::string& saturated) {
    fmt::format_to(to, "  {:<10}{:>10}{:>10.4f}{:>14.2e}{:>18}\n", level, particles,
                   steps.back().w2, residual, saturated);
  };
  put("float", plan.exact.particles, results.exact.steps, largest_residual(results.exact.steps),
      "-");
  put("float", plan.integer.particles, results.exact_small.steps,
      largest_residual(results.exact_small.steps), "-");
  const double residual = largest_residual(figures_of(results.fixed));
  for (const auto& [name, flow] :
       {std::pair{"fixed", &results.fixed}, std::pair{"systemc", &results.systemc}}) {
    put(name, plan.integer.particles, figures_of(*flow), residual,
        std::to_string(flow->steps.back().result.saturated));
  }
  const RunCost cost = total_cost(results.costs);
  fmt::format_to(to,
                 "\n  saturated: logits of far pairs, clamped at the bottom of the unit's range,"
                 " in the last step\n  the chip: {} cycles per step, {:.3f} uJ per step\n",
                 cost.cycles / static_cast<std::int64_t>(results.costs.size()),
                 1e-6 * cost.total_pj() / static_cast<double>(results.costs.size()));
}

/// A line per word length: its levels side by side.
void put_word_lengths(Text to, const std::vector<WordLength>& runs) {
  fmt::format_to(to, "\n  {:<20}", "fraction bits");
  for (std::size_t i = 0; i < runs.size() && runs[i].bits == runs[0].bits; ++i)
    fmt::format_to(to, "{:>44}", fmt::format("{}, n = {}", runs[i].level, runs[i].particles));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i == 0 || runs[i].bits != runs[i - 1].bits) fmt::format_to(to, "\n  {:<20}", runs[i].bits);
    fmt::format_to(to, "{:>10.4f}{:>34}", runs[i].w2,
                   fmt::format("{}no move in {:.0f} % of steps", runs[i].stalls() ? "stalls, " : "",
                               100 * runs[i].stalled_share));
  }
  fmt::format_to(to, "\n\n  no move: the median particle's; stalls: not in the last step either\n");
}

void put_budgets(Text to, const HeatFlowPlan& plan, const HeatFlowResults& results) {
  if (results.budgets.empty()) return;
  fmt::format_to(to, "\n  {:<46}{:>10}{:>10}{:>14}\n",
                 "float, n = " + std::to_string(plan.exact.particles), "at most", "W2",
                 "largest res.");
  for (const FloatRun& run : results.budgets) {
    fmt::format_to(to, "  {:<46}{:>10}{:>10.4f}{:>14.2e}\n", run.name, run.settings.half_steps,
                   run.flow.steps.back().w2, largest_residual(run.flow.steps));
  }
  fmt::format_to(to,
                 "  goal, W2 at most {:g} at a residual of at most {:g} (n = {}, epsilon = {:g}, "
                 "t = {:g}): {}\n",
                 kGoalW2, kGoalResidual, kGoalParticles, kGoalEpsilon, kGoalTime,
                 goal_verdict(plan, results.budgets.back().flow));
}

void put_epsilons(Text to, const std::vector<EpsilonRun>& runs) {
  if (runs.empty()) return;
  fmt::format_to(to, "\n  {:<46}{:>10}{:>10}{:>14}\n", "step size", "t reached", "W2",
                 "largest res.");
  for (const EpsilonRun& run : runs) {
    fmt::format_to(to, "  {:<46}{:>10g}{:>10.4f}{:>14.2e}\n",
                   fmt::format("epsilon {:g}, {}", run.epsilon, epsilon_series_name(run)), run.time,
                   run.w2, run.residual);
  }
}

std::string text_of(const HeatFlowPlan& plan, const HeatFlowResults& results, bool equal) {
  std::string text =
      fmt::format("Heat flow, epsilon = {:g}, t = {:g}, W2 to the exact flow at the end\n\n",
                  plan.exact.epsilon, results.exact.steps.back().time);
  const Text to(text);
  put_levels(to, plan, results);
  if (equal) {
    fmt::format_to(to, "  systemc equals fixed in every bit of f, g and out of all {} steps\n",
                   results.fixed.steps.size());
  }
  put_budgets(to, plan, results);
  put_epsilons(to, results.epsilons);
  put_word_lengths(to, results.word_lengths);
  return text;
}

nlohmann::ordered_json converged_json(const HeatFlowPlan& plan, const HeatFlow& converged) {
  nlohmann::ordered_json json = {{"w2", converged.steps.back().w2},
                                 {"largest_residual", largest_residual(converged.steps)},
                                 {"goal",
                                  {{"particles", kGoalParticles},
                                   {"epsilon", kGoalEpsilon},
                                   {"time", kGoalTime},
                                   {"largest_residual", kGoalResidual},
                                   {"w2", kGoalW2}}},
                                 {"goal_met", nullptr}};
  if (const std::optional<bool> met = heat_flow_goal_met(plan.exact, converged))
    json["goal_met"] = *met;
  return json;
}

nlohmann::ordered_json figures_json(const HeatFlowPlan& plan, const HeatFlowResults& results) {
  nlohmann::ordered_json json;
  json["epsilon"] = plan.exact.epsilon;
  json["end_time"] = plan.exact.end_time;
  json["time_reached"] = results.exact.steps.back().time;
  json["float"] = {{"particles", plan.exact.particles},
                   {"w2", results.exact.steps.back().w2},
                   {"largest_residual", largest_residual(results.exact.steps)}};
  json["float_with_integer_particles"] = {{"particles", plan.integer.particles},
                                          {"w2", results.exact_small.steps.back().w2}};
  const auto integer = [&](const IntegerHeatFlow& flow) {
    return nlohmann::ordered_json{{"particles", plan.integer.particles},
                                  {"w2", flow.steps.back().figures.w2},
                                  {"saturated_last_step", flow.steps.back().result.saturated}};
  };
  json["fixed"] = integer(results.fixed);
  json["fixed"]["largest_residual"] = largest_residual(figures_of(results.fixed));
  json["systemc"] = integer(results.systemc);
  json["systemc"]["run"] = cost_json(total_cost(results.costs));
  json["epsilons"] = nlohmann::ordered_json::array();
  for (const EpsilonRun& run : results.epsilons) {
    json["epsilons"].push_back({{"epsilon", run.epsilon},
                                {"level", run.level},
                                {"particles", run.particles},
                                {"time_reached", run.time},
                                {"w2", run.w2}});
  }
  if (!results.budgets.empty())
    json["converged"] = converged_json(plan, results.budgets.back().flow);
  for (const WordLength& run : results.word_lengths) {
    json["word_lengths"].push_back({{"level", run.level},
                                    {"fraction_bits", run.bits},
                                    {"w2", run.w2},
                                    {"stalls", run.stalls()}});
  }
  return json;
}

}  // namespace

std::optional<bool> heat_flow_goal_met(const model::HeatFlowSettings& settings,
                                       const HeatFlow& converged) {
  const HeatFlowStep& last = converged.steps.back();
  const bool applies = settings.particles == kGoalParticles && settings.epsilon == kGoalEpsilon &&
                       std::fabs(last.time - kGoalTime) < 1e-9;
  if (!applies) return std::nullopt;
  return largest_residual(converged.steps) <= kGoalResidual && last.w2 <= kGoalW2;
}

ExperimentReport heat_flow_report(const HeatFlowPlan& plan, const HeatFlowResults& results,
                                  const std::string& difference) {
  ExperimentReport report;
  report.chip_runs = total_cost(results.costs);
  if (!difference.empty()) report.difference = difference;
  report.text = text_of(plan, results, difference.empty());
  report.files.emplace_back("heat_flow.csv", levels_csv(plan, results));
  report.files.emplace_back("budgets.csv", budgets_csv(results));
  if (!results.epsilons.empty())
    report.files.emplace_back("epsilons.svg", epsilon_plot(plan, results));
  report.files.emplace_back("word_lengths.csv", word_lengths_csv(results));
  report.files.emplace_back("heat_flow.svg", distance_plot(plan, results));
  report.files.emplace_back("word_lengths.svg", word_length_plot(results));
  report.figures = figures_json(plan, results);
  return report;
}

}  // namespace quadrille::app
