// What a layer costs with each mechanism against the length of its sequence: several
// layers, the same lengths, one figure.
#include <fmt/format.h>

#include <cmath>

#include "app/config/overrides.h"
#include "app/experiments/experiment.h"
#include "app/files/progress.h"
#include "app/files/shipped.h"
#include "app/report/plot.h"
#include "app/simulation.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

constexpr const char* kKind = "mechanism-lengths";

/// A layer with one mechanism, at every length.
struct LengthCurve {
  std::string title;
  std::string file;
  std::vector<Override> settings;
  std::vector<std::optional<RunCost>> costs;
  std::vector<std::string> reasons;  ///< Why the chip refused, without a cost.
};

struct LengthPlan {
  std::vector<std::int64_t> tokens;
  std::vector<LengthCurve> curves;
};

LengthPlan read_plan(const YamlNode& workload, const ExperimentSetup& setup) {
  read_head(workload, kKind);
  refuse_seed(setup, kKind);
  LengthPlan plan;
  for (const YamlNode& item : workload.sequence("tokens"))
    plan.tokens.push_back(item.as_integer(1, 1 << 20));
  for (const YamlNode& item : workload.sequence("layers")) {
    LengthCurve curve;
    curve.title = item.text("title");
    curve.file = find_file(fmt::format("{}: {}.workload", item.file(), item.path()), "workloads",
                           item.text("workload"));
    if (const auto set = item.optional_child("set")) {
      for (const std::string& key : set->keys())
        curve.settings.push_back(
            {key, set->text(key), fmt::format("{}: {}.{}", set->file(), set->path(), key)});
    }
    plan.curves.push_back(std::move(curve));
  }
  workload.finish();
  if (plan.tokens.empty() || plan.curves.empty())
    workload.fail("expected at least one length in `tokens` and one layer in `layers`");
  return plan;
}

/// The layer of `curve` at this length. A refusal by the chip is a result.
void measure(LengthCurve& curve, std::int64_t tokens, const ExperimentSetup& setup) {
  std::vector<Override> settings = curve.settings;
  settings.push_back({"tokens", std::to_string(tokens), fmt::format("{}: tokens", kKind)});
  const Workload workload = read_workload_file(with_overrides(read_yaml(curve.file), settings));
  Task task = make_task(workload, false);
  try {
    Simulation simulation(std::move(task), setup.chip);
    curve.costs.emplace_back(cost_of(setup, simulation.run({setup.chip.timing, {}, {}}).result));
    curve.reasons.emplace_back();
  } catch (const InputError& refusal) {
    curve.costs.emplace_back();
    curve.reasons.emplace_back(refusal.what());
  }
}

std::string lengths_csv(const LengthPlan& plan) {
  std::string csv = fmt::format("layer,tokens,ran,{},reason\n", kCostColumns);
  const std::string columns = kCostColumns;
  const std::string empty(static_cast<std::size_t>(std::count(columns.begin(), columns.end(), ',')),
                          ',');
  for (const LengthCurve& curve : plan.curves) {
    for (std::size_t i = 0; i < plan.tokens.size(); ++i) {
      const auto& cost = curve.costs[i];
      csv +=
          fmt::format("{},{},{},{},{}\n", csv_quoted(curve.title), plan.tokens[i], cost.has_value(),
                      cost ? cost_csv(*cost) : empty, cost ? "" : csv_quoted(curve.reasons[i]));
    }
  }
  return csv;
}

std::string lengths_plot(const LengthPlan& plan, const std::string& chip, const std::string& what,
                         double (*figure)(const RunCost&)) {
  Plot plot;
  plot.title = fmt::format("One layer on chip {}, without data", chip);
  plot.x = {"sequence length L (tokens)", AxisScale::kLog2, std::nullopt, std::nullopt};
  plot.y = {what, AxisScale::kLog10, std::nullopt, std::nullopt};
  for (const LengthCurve& curve : plan.curves) {
    PlotSeries series;
    series.name = curve.title;
    for (std::size_t i = 0; i < plan.tokens.size(); ++i) {
      if (!curve.costs[i]) continue;
      series.x.push_back(static_cast<double>(plan.tokens[i]));
      series.y.push_back(figure(*curve.costs[i]));
    }
    plot.series.push_back(std::move(series));
  }
  return plot_svg(plot);
}

double cycles(const RunCost& cost) { return static_cast<double>(cost.cycles); }
double energy_uj(const RunCost& cost) { return 1e-6 * cost.total_pj(); }

/// Cycles by length, one line per layer, and what became of refused lengths.
std::string lengths_text(const LengthPlan& plan, const std::string& chip) {
  std::string text = fmt::format("{:<24}", "cycles, L =");
  for (const std::int64_t tokens : plan.tokens) text += fmt::format("{:>12}", tokens);
  std::string refusals;
  for (const LengthCurve& curve : plan.curves) {
    text += fmt::format("\n{:<24}", curve.title);
    for (std::size_t i = 0; i < plan.tokens.size(); ++i) {
      text += curve.costs[i] ? fmt::format("{:>12}", curve.costs[i]->cycles)
                             : fmt::format("{:>12}", "-");
      if (!curve.costs[i])
        refusals +=
            fmt::format("\n  {}, L = {}: {}", curve.title, plan.tokens[i], curve.reasons[i]);
    }
  }
  return fmt::format("Layers by length on chip {}, without data\n{}{}", chip, text, refusals);
}

nlohmann::ordered_json lengths_json(const LengthPlan& plan) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LengthCurve& curve : plan.curves) {
    nlohmann::ordered_json points = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < plan.tokens.size(); ++i) {
      nlohmann::ordered_json point = {{"tokens", plan.tokens[i]}};
      if (curve.costs[i]) {
        point.update(cost_json(*curve.costs[i]));
      } else {
        point["refused"] = curve.reasons[i];
      }
      points.push_back(std::move(point));
    }
    layers.push_back({{"title", curve.title}, {"points", std::move(points)}});
  }
  return {{"layers", std::move(layers)}};
}

}  // namespace

ExperimentReport run_mechanism_lengths(const YamlNode& workload, const ExperimentSetup& setup) {
  LengthPlan plan = read_plan(workload, setup);
  Progress progress;
  ExperimentReport report;
  for (LengthCurve& curve : plan.curves) {
    for (const std::int64_t tokens : plan.tokens) {
      progress.show(fmt::format("{}, {} tokens", curve.title, tokens));
      measure(curve, tokens, setup);
      if (!curve.costs.back()) continue;
      if (!report.chip_runs) report.chip_runs = RunCost{};
      *report.chip_runs += *curve.costs.back();
    }
  }
  progress.clear();
  const std::string& chip = setup.chip.name;
  report.text = lengths_text(plan, chip);
  report.files = {{"lengths.csv", lengths_csv(plan)},
                  {"lengths_cycles.svg", lengths_plot(plan, chip, "cycles", cycles)},
                  {"lengths_energy.svg", lengths_plot(plan, chip, "energy (µJ)", energy_uj)}};
  report.figures = lengths_json(plan);
  return report;
}

}  // namespace quadrille::app
