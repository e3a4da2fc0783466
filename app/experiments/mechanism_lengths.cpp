// What a layer costs with each mechanism against the length of its sequence: several
// layers, the same lengths, one figure; and at one length how accurate each is over seeds,
// against its own formula and against exact softmax.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/config/overrides.h"
#include "app/experiments/experiment.h"
#include "app/files/progress.h"
#include "app/files/shipped.h"
#include "app/networks/attention_layer.h"
#include "app/report/plot.h"
#include "app/simulation.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

constexpr const char* kKind = "mechanism-lengths";

/// A layer's output with one seed's numbers: the level `fixed`, whose bits the chip has.
struct Accuracy {
  std::string formula;
  ErrorFigures own;      ///< Against its own formula in double precision.
  ErrorFigures softmax;  ///< Against exact softmax of the same numbers.
};

/// A layer with one mechanism, at every length.
struct LengthCurve {
  std::string title;
  std::string file;
  std::vector<Override> settings;
  std::vector<std::optional<RunCost>> costs;
  std::vector<std::string> reasons;  ///< Why the chip refused, without a cost.
  std::vector<Accuracy> accuracies;  ///< By seed, from 1 on.
};

struct LengthPlan {
  std::vector<std::int64_t> tokens;
  std::vector<LengthCurve> curves;
  std::int64_t accuracy_tokens = 0;
  std::int64_t seeds = 0;  ///< 0: accuracy is not asked for.
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
  if (const auto accuracy = workload.optional_child("accuracy")) {
    plan.accuracy_tokens = accuracy->integer("tokens", 1, 4096);
    plan.seeds = accuracy->integer("seeds", 1, 1000);
  }
  workload.finish();
  if (plan.tokens.empty() || plan.curves.empty())
    workload.fail("expected at least one length in `tokens` and one layer in `layers`");
  return plan;
}

/// The layer of `curve` at this length.
Workload workload_of(const LengthCurve& curve, std::int64_t tokens) {
  std::vector<Override> settings = curve.settings;
  settings.push_back({"tokens", std::to_string(tokens), fmt::format("{}: tokens", kKind)});
  return read_workload_file(with_overrides(read_yaml(curve.file), settings));
}

/// A refusal by the chip is a result.
void measure(LengthCurve& curve, std::int64_t tokens, const ExperimentSetup& setup) {
  const Workload workload = workload_of(curve, tokens);
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

/// What exact softmax makes of the layer's numbers, in double precision.
std::vector<double> exact_softmax(const Workload& workload, AttentionLayerWorkload layer) {
  layer.mechanism = Mechanism::kSoftmax;
  layer.relative_positions = false;
  layer.scales.clear();
  const Task task = attention_layer_task(workload.path, layer, true);
  return real_result(task, model::evaluate(task.graph, task.values)).reals.at(task.judged).values;
}

Accuracy accuracy_of(const LengthCurve& curve, const LengthPlan& plan, std::int64_t seed,
                     const ExperimentSetup& setup) {
  Workload workload = workload_of(curve, plan.accuracy_tokens);
  workload.reseed(seed);
  const auto* layer = std::get_if<AttentionLayerWorkload>(&workload.what);
  if (layer == nullptr) {
    throw InputError(workload.path, "kind",
                     "expected an attention-layer, whose accuracy can be held against softmax");
  }
  Simulation simulation(make_task(workload, true), setup.chip);
  const Task& task = simulation.task();
  const std::vector<double> found =
      integer_result(task, simulation.quantised(), simulation.fixed().tensors)
          .reals.at(task.judged)
          .values;
  const std::vector<double> own =
      real_result(task, simulation.values()).reals.at(task.judged).values;
  return {formula_of(task.graph), error_figures(own, found),
          error_figures(exact_softmax(workload, *layer), found)};
}

/// "27.3 (15.3 to 32.0)", of the seeds' dB.
std::string median_text(const std::vector<Accuracy>& accuracies, ErrorFigures Accuracy::*which) {
  std::vector<double> decibels;
  for (const Accuracy& each : accuracies) {
    const ErrorFigures& figures = each.*which;
    if (!figures.sqnr_db) return figures.max_abs > 0.0 ? "beyond measure" : "no error";
    decibels.push_back(*figures.sqnr_db);
  }
  std::sort(decibels.begin(), decibels.end());
  const std::size_t middle = decibels.size() / 2;
  const double median =
      decibels.size() % 2 == 1 ? decibels[middle] : 0.5 * (decibels[middle - 1] + decibels[middle]);
  return fmt::format("{:.1f} ({:.1f} to {:.1f})", median, decibels.front(), decibels.back());
}

std::string accuracy_text(const LengthPlan& plan) {
  if (plan.seeds == 0) return "";
  std::string text = fmt::format(
      "\n\nSQNR of the output at L = {}, dB: median (least to most) of seeds 1 to {}\n"
      "{:<24}{:>24}{:>24}",
      plan.accuracy_tokens, plan.seeds, "", "its own formula", "exact softmax");
  for (const LengthCurve& curve : plan.curves) {
    text += fmt::format("\n{:<24}{:>24}{:>24}", curve.title,
                        median_text(curve.accuracies, &Accuracy::own),
                        median_text(curve.accuracies, &Accuracy::softmax));
  }
  return text +
         "\nDecibels against different formulas are no comparison; those against exact softmax "
         "are, of an output with random weights.";
}

nlohmann::ordered_json decibels_json(const ErrorFigures& figures) {
  return figures.sqnr_db ? nlohmann::ordered_json(*figures.sqnr_db)
                         : nlohmann::ordered_json(nullptr);
}

std::string accuracy_csv(const LengthPlan& plan) {
  std::string csv =
      "layer,tokens,seed,formula,sqnr_db,max_abs,exact_softmax_sqnr_db,exact_softmax_max_abs\n";
  const auto decibels = [](const ErrorFigures& figures) {
    return figures.sqnr_db ? fmt::format("{}", *figures.sqnr_db) : std::string();
  };
  for (const LengthCurve& curve : plan.curves) {
    for (std::size_t i = 0; i < curve.accuracies.size(); ++i) {
      const Accuracy& each = curve.accuracies[i];
      csv += fmt::format("{},{},{},{},{},{},{},{}\n", csv_quoted(curve.title), plan.accuracy_tokens,
                         i + 1, csv_quoted(each.formula), decibels(each.own), each.own.max_abs,
                         decibels(each.softmax), each.softmax.max_abs);
    }
  }
  return csv;
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
    for (std::size_t i = 0; i < curve.accuracies.size(); ++i) {
      const Accuracy& each = curve.accuracies[i];
      layers.back()["accuracy"].push_back({{"seed", i + 1},
                                           {"formula", each.formula},
                                           {"sqnr_db", decibels_json(each.own)},
                                           {"exact_softmax_sqnr_db", decibels_json(each.softmax)}});
    }
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
  for (LengthCurve& curve : plan.curves) {
    for (std::int64_t seed = 1; seed <= plan.seeds; ++seed) {
      progress.show(fmt::format("{}, seed {}", curve.title, seed));
      curve.accuracies.push_back(accuracy_of(curve, plan, seed, setup));
    }
  }
  progress.clear();
  const std::string& chip = setup.chip.name;
  report.text = lengths_text(plan, chip) + accuracy_text(plan);
  report.files = {{"lengths.csv", lengths_csv(plan)},
                  {"lengths_cycles.svg", lengths_plot(plan, chip, "cycles", cycles)},
                  {"lengths_energy.svg", lengths_plot(plan, chip, "energy (µJ)", energy_uj)}};
  if (plan.seeds > 0) report.files.emplace_back("accuracy.csv", accuracy_csv(plan));
  report.figures = lengths_json(plan);
  return report;
}

}  // namespace quadrille::app
