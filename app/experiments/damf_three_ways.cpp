// DAMF three ways: the first-order softmax (13) as it stands, its power-of-two
// form (15)-(17), and its collapse to prefix sums, that one on two engines.
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "app/config/choices.h"
#include "app/experiments/experiment.h"
#include "app/networks/operator.h"
#include "app/report/plot.h"
#include "app/simulation.h"
#include "app/workload/random_data.h"
#include "hw/energy/energy.h"
#include "model/attention/damf.h"

namespace quadrille::app {
namespace {

using model::DamfMode;
using Text = std::back_insert_iterator<std::string>;

constexpr const char* kKind = "damf-comparison";

struct Plan {
  int tokens = 128;
  int width = 64;  ///< h
  bool causal = false;
  std::uint64_t seed = 1;
};

Plan read_plan(const YamlNode& workload, const ExperimentSetup& setup) {
  read_head(workload, kKind);
  Plan plan;
  plan.tokens = static_cast<int>(workload.integer("tokens", 1, 1 << 16, plan.tokens));
  plan.width = static_cast<int>(workload.integer("head_width", 1, 4096, plan.width));
  plan.causal = workload.boolean("causal", plan.causal);
  plan.seed = static_cast<std::uint64_t>(
      workload.integer("seed", 0, std::numeric_limits<std::int64_t>::max(), 1));
  if (setup.seed) plan.seed = *setup.seed;
  workload.finish();
  return plan;
}

/// s, t ~ N(0, 1) and V ~ N(0, 1), in this order.
std::map<std::string, std::vector<double>> make_data(const Plan& plan) {
  RandomData random(plan.seed);
  const auto tokens = static_cast<std::size_t>(plan.tokens);
  std::map<std::string, std::vector<double>> data;
  data["s"] = random.normal(tokens, 1.0);
  data["t"] = random.normal(tokens, 1.0);
  data["V"] = random.normal(tokens * static_cast<std::size_t>(plan.width), 1.0);
  return data;
}

struct Way {
  std::string name;
  std::string title;
  DamfMode mode = DamfMode::kMaclaurin;
  bool linear_engine = false;
  RunCost cost;
  ErrorFigures error;  ///< Against formula (13) in double precision.
  std::optional<std::string> difference;
};

std::vector<Way> ways() {
  std::vector<Way> all(4);
  const auto set = [&](std::size_t i, const char* name, const char* title, DamfMode mode,
                       bool linear) {
    all[i].name = name;
    all[i].title = title;
    all[i].mode = mode;
    all[i].linear_engine = linear;
  };
  set(0, "maclaurin", "maclaurin (13), DAMF engine", DamfMode::kMaclaurin, false);
  set(1, "shift", "shift (15)-(17), DAMF engine", DamfMode::kShift, false);
  set(2, "collapsed", "collapsed, DAMF engine", DamfMode::kCollapsed, false);
  set(3, "collapsed_linear", "collapsed, linear engine", DamfMode::kCollapsed, true);
  return all;
}

model::DamfSettings settings_of(const Plan& plan, DamfMode mode) {
  model::DamfSettings settings;
  settings.mode = mode;
  settings.causal = plan.causal;
  return settings;
}

/// The way as the operator `damf`; null data: shapes alone.
Simulation simulation_of(const Plan& plan, const Way& way, const ExperimentSetup& setup,
                         const std::map<std::string, std::vector<double>>* data) {
  ShapedTensors::Draw draw;
  if (data != nullptr)
    draw = [data](const std::string& name, std::size_t) { return data->at(name); };
  const std::map<std::string, Shape> shapes = {
      {"s", {plan.tokens}}, {"t", {plan.tokens}}, {"V", {plan.tokens, plan.width}}};
  const std::map<std::string, std::string> settings = {
      {"mode", word_of(kDamfModeChoices, way.mode)},
      {"causal", plan.causal ? "true" : "false"},
      {"engine", way.linear_engine ? "linear" : "damf"}};
  return {operator_task("damf", ShapedTensors(kKind, shapes, draw), {kKind, settings}), setup.chip};
}

void run_way(const ExperimentSetup& setup, const std::vector<double>& exact, Simulation simulation,
             Way& way) {
  const ChipRun run = simulation.run({setup.chip.timing, {}, {}});
  way.cost = cost_of(setup, run.result);
  way.difference = simulation.difference("chip", run);
  way.error = error_figures(exact, simulation.result(run).reals.at("out").values);
}

std::string sqnr_text(const ErrorFigures& error) {
  return error.sqnr_db ? fmt::format("{:.2f}", *error.sqnr_db) : "";
}

std::string ways_csv(const std::vector<Way>& all) {
  std::string csv = fmt::format("way,engine,sqnr_db,max_abs_error,{}\n", kCostColumns);
  for (const Way& way : all) {
    fmt::format_to(Text(csv), "{},{},{},{:.6g},{}\n", way.name,
                   way.linear_engine ? "linear" : "damf", sqnr_text(way.error), way.error.max_abs,
                   cost_csv(way.cost));
  }
  return csv;
}

/// Error against cost: what each approximation buys.
std::string error_plot(const Plan& plan, const std::vector<Way>& all, bool energy) {
  Plot plot;
  plot.title = fmt::format("DAMF three ways, L = {}, h = {}{}", plan.tokens, plan.width,
                           plan.causal ? ", causal" : "");
  plot.x.label = energy ? "energy (nJ)" : "cycles";
  plot.x.scale = AxisScale::kLog10;
  plot.y.label = "SQNR against formula (13) in double precision (dB)";
  plot.y.least = 0.0;
  for (const Way& way : all) {
    PlotSeries series;
    series.name = way.title;
    series.line = false;
    if (way.error.sqnr_db) {
      series.x.push_back(energy ? 1e-3 * way.cost.total_pj()
                                : static_cast<double>(way.cost.cycles));
      series.y.push_back(*way.error.sqnr_db);
    }
    plot.series.push_back(std::move(series));
  }
  return plot_svg(plot);
}

std::string text_of(const Plan& plan, const std::vector<Way>& all, const ExperimentSetup& setup) {
  std::string text = fmt::format(
      "DAMF three ways, one head, L = {}, h = {}{}, s, t, V ~ N(0, 1), seed {}, cycles at {:.0f} "
      "MHz\n\n  {:<30}{:>9}{:>14}{:>13}{:>12}{:>10}{:>12}{:>13}{:>11}\n",
      plan.tokens, plan.width, plan.causal ? ", causal" : "", plan.seed, setup.chip.clock_hz / 1e6,
      "", "cycles", "dynamic MACs", "wasted MACs", "shift-adds", "compares", "reciprocals",
      "energy nJ", "SQNR dB");
  const Text to(text);
  for (const Way& way : all) {
    const hw::Activity& a = way.cost.activity;
    fmt::format_to(to, "  {:<30}{:>9}{:>14}{:>13}{:>12}{:>10}{:>12}{:>13.2f}{:>11}\n", way.title,
                   way.cost.cycles, a.macs_dynamic, a.macs_wasted, a.shift_adds, a.compares,
                   a.reciprocals, 1e-3 * way.cost.total_pj(), sqnr_text(way.error));
  }
  const hw::ByComponent area = hw::area_um2(setup.chip, setup.technology);
  fmt::format_to(to,
                 "\n  SQNR against formula (13) in double precision, on the values before they were"
                 " quantised\n  DAMF engine {:.0f} um2, linear engine {:.0f} um2\n",
                 area.at("damf"), area.at("linear"));
  return text;
}

}  // namespace

ExperimentReport run_damf_three_ways(const YamlNode& workload, const ExperimentSetup& setup) {
  const Plan plan = read_plan(workload, setup);
  std::vector<Way> all = ways();
  // What does not fit the chip is refused before any numbers are made.
  for (const Way& way : all) simulation_of(plan, way, setup, nullptr).require_room();
  const auto data = make_data(plan);
  const std::vector<double> exact =
      model::damf_float(data.at("s"), data.at("t"), data.at("V"), plan.width, 1.0,
                        settings_of(plan, DamfMode::kMaclaurin))
          .out;
  ExperimentReport report;
  report.chip_runs.emplace();
  for (Way& way : all) {
    run_way(setup, exact, simulation_of(plan, way, setup, &data), way);
    *report.chip_runs += way.cost;
    if (way.difference && !report.difference)
      report.difference = way.title + ": " + *way.difference;
    nlohmann::ordered_json& entry = report.figures["ways"][way.name];
    entry = cost_json(way.cost);
    entry["engine"] = way.linear_engine ? "linear" : "damf";
    entry["error"] = {{"sqnr_db", nullptr}, {"max_abs", way.error.max_abs}};
    if (way.error.sqnr_db) entry["error"]["sqnr_db"] = *way.error.sqnr_db;
  }
  report.figures["tokens"] = plan.tokens;
  report.figures["head_width"] = plan.width;
  report.figures["causal"] = plan.causal;
  report.figures["seed"] = plan.seed;
  report.text = text_of(plan, all, setup);
  report.files.emplace_back("damf.csv", ways_csv(all));
  report.files.emplace_back("damf_cycles.svg", error_plot(plan, all, false));
  report.files.emplace_back("damf_energy.svg", error_plot(plan, all, true));
  return report;
}

}  // namespace quadrille::app
