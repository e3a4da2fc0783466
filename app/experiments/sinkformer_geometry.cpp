// The limit-geometry table of the Sinkformer slides, in the dynamics where it is
// a theorem and under the map that the slides iterate.
#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <limits>

#include "app/experiments/experiment.h"
#include "app/report/plot.h"
#include "model/dynamics/limit_geometry.h"

namespace quadrille::app {
namespace {

using model::LimitFigures;
using model::LimitSystem;
using Text = std::back_insert_iterator<std::string>;

constexpr const char* kKind = "sinkformer-geometry";
constexpr const char* kTheorem = "rescaled softmax dynamics (the theorem)";
constexpr const char* kMap = "fixed-epsilon map with doubly stochastic K";

model::LimitSettings read_settings(const YamlNode& workload, const ExperimentSetup& setup) {
  read_head(workload, kKind);
  model::LimitSettings settings;
  settings.tokens = static_cast<int>(workload.integer("tokens", 8, 200, settings.tokens));
  settings.seed = static_cast<std::uint64_t>(
      workload.integer("seed", 0, std::numeric_limits<std::int64_t>::max(), 4));
  if (setup.seed) settings.seed = *setup.seed;
  settings.time_step = workload.number("time_step", 1e-4, 0.1, settings.time_step);
  settings.epsilon = workload.number("epsilon", 1e-2, 1e2, settings.epsilon);
  settings.map_steps =
      static_cast<int>(workload.integer("map_steps", 1, 10000, settings.map_steps));
  workload.finish();
  return settings;
}

/// One row of the table in both systems.
struct Row {
  const LimitSystem* system = nullptr;
  std::vector<double> initial, softmax, map;
  LimitFigures softmax_figures, map_figures;
  bool claim_holds = false;
  bool map_claim_holds = false;
};

Row make_row(const LimitSystem& system, const model::LimitSettings& settings) {
  Row row;
  row.system = &system;
  row.initial = model::initial_tokens(system, settings);
  row.softmax = model::rescaled_softmax_limit(system, settings, row.initial);
  row.map = model::fixed_epsilon_limit(system, settings, row.initial);
  row.softmax_figures = model::limit_figures(system, row.initial, row.softmax);
  row.map_figures = model::limit_figures(system, row.initial, row.map);
  row.claim_holds = model::claim_holds(system, settings, row.softmax_figures);
  row.map_claim_holds = model::claim_holds(system, settings, row.map_figures);
  return row;
}

/// What became of the tokens under the map, in words.
std::string map_outcome(const Row& row) {
  const std::string where = model::consensus_of(row.map_figures);
  if (where != "none") return "consensus " + where;
  return fmt::format("spreads, radius x {:.1f}", row.map_figures.radius_growth);
}

std::string positions_plot(const Row& row) {
  Plot plot;
  plot.title = fmt::format("Limit geometry, {}: {}", row.system->name, row.system->claim);
  plot.x.label = "coordinate along the leading axis of W_V";
  plot.y.label = "coordinate along the last axis of W_V";
  const auto add = [&](const std::string& name, const std::vector<double>& points) {
    PlotSeries series;
    series.name = name;
    series.line = false;
    series.x = model::rotated_coordinate(points, row.system->dimensions, 0);
    series.y =
        model::rotated_coordinate(points, row.system->dimensions, row.system->dimensions - 1);
    plot.series.push_back(std::move(series));
  };
  add("tokens at the start", row.initial);
  // Tokens that diverge would hide the start: their plot ends with the map.
  if (row.softmax_figures.radius_growth < 1000.0) add("rescaled softmax", row.softmax);
  add("fixed-epsilon map", row.map);
  return plot_svg(plot);
}

std::string positions_csv(const std::vector<Row>& rows) {
  std::string csv = "row,token,coordinate,initial,rescaled_softmax,fixed_epsilon_map\n";
  const Text to(csv);
  for (const Row& row : rows) {
    const std::size_t d = row.system->dimensions;
    for (std::size_t i = 0; i < row.initial.size(); ++i) {
      fmt::format_to(to, "{},{},{},{:.9g},{:.9g},{:.9g}\n", row.system->name, i / d, i % d,
                     row.initial[i], row.softmax[i], row.map[i]);
    }
  }
  return csv;
}

std::string figures_csv(const std::vector<Row>& rows) {
  std::string csv =
      "row,claim,system,claim_holds,consensus,clusters,leading_axis_values,"
      "leading_plane_clusters,"
      "distance_to_vertices,last_axis_spread,radius_growth\n";
  const Text to(csv);
  const auto put = [&](const Row& row, const char* system, bool holds, const LimitFigures& f) {
    fmt::format_to(to, "{},{},{},{},{},{},{},{},{:.6g},{:.6g},{:.6g}\n", row.system->name,
                   row.system->claim, system, holds, model::consensus_of(f), f.clusters,
                   f.leading_values, f.leading_plane_clusters, f.vertex_distance,
                   f.last_axis_spread, f.radius_growth);
  };
  for (const Row& row : rows) {
    put(row, "rescaled_softmax", row.claim_holds, row.softmax_figures);
    put(row, "fixed_epsilon_map", row.map_claim_holds, row.map_figures);
  }
  return csv;
}

std::string table(const std::vector<Row>& rows, const model::LimitSettings& settings) {
  std::string text = fmt::format(
      "Limit geometry, {} tokens, seed {} (clusters joined within {:.0f} % of the initial radius)\n"
      "\n  left:  {}\n  right: {}, epsilon {:g}, {} steps\n\n"
      "  {:<12}{:<27}|{:>9}{:>8}{:>10}{:>9}{:>7} |{:>9}{:>9}{:>10}{:>9}{:>7}  {}\n",
      settings.tokens, settings.seed, 100 * model::kLinkageShare, kTheorem, kMap, settings.epsilon,
      settings.map_steps, "row", "claim", "clusters", "leading", "in plane", "radius", "holds",
      "clusters", "leading", "in plane", "radius", "holds", "outcome");
  const Text to(text);
  for (const Row& row : rows) {
    const LimitFigures& a = row.softmax_figures;
    const LimitFigures& b = row.map_figures;
    fmt::format_to(
        to, "  {:<12}{:<27}|{:>9}{:>8}{:>10}{:>9.3g}{:>7} |{:>9}{:>9}{:>10}{:>9.3g}{:>7}  {}\n",
        row.system->name, row.system->claim, a.clusters, a.leading_values, a.leading_plane_clusters,
        a.radius_growth, row.claim_holds ? "yes" : "no", b.clusters, b.leading_values,
        b.leading_plane_clusters, b.radius_growth, row.map_claim_holds ? "yes" : "no",
        map_outcome(row));
  }
  fmt::format_to(
      to,
      "\n  leading: distinct coordinates along W_V's leading axis (parallel hyperplanes);"
      "\n  in plane: clusters in its first two axes; radius: final over initial\n");
  return text;
}

nlohmann::ordered_json figures_json(const LimitFigures& figures) {
  return {{"consensus", model::consensus_of(figures)},
          {"clusters", figures.clusters},
          {"leading_axis_values", figures.leading_values},
          {"leading_plane_clusters", figures.leading_plane_clusters},
          {"distance_to_vertices", figures.vertex_distance},
          {"last_axis_spread", figures.last_axis_spread},
          {"radius_growth", figures.radius_growth}};
}

}  // namespace

ExperimentReport run_sinkformer_geometry(const YamlNode& workload, const ExperimentSetup& setup) {
  const model::LimitSettings settings = read_settings(workload, setup);
  std::vector<Row> rows;
  for (const LimitSystem& system : model::limit_systems())
    rows.push_back(make_row(system, settings));
  ExperimentReport report;
  report.text = table(rows, settings);
  report.files = {{"geometry.csv", figures_csv(rows)}, {"positions.csv", positions_csv(rows)}};
  report.figures["seed"] = settings.seed;
  report.figures["tokens"] = settings.tokens;
  for (const Row& row : rows) {
    report.files.emplace_back("geometry_" + row.system->name + ".svg", positions_plot(row));
    report.figures["rows"][row.system->name] = {
        {"claim", row.system->claim},
        {"rescaled_softmax", figures_json(row.softmax_figures)},
        {"rescaled_softmax_claim_holds", row.claim_holds},
        {"fixed_epsilon_map", figures_json(row.map_figures)},
        {"fixed_epsilon_map_claim_holds", row.map_claim_holds}};
  }
  return report;
}

}  // namespace quadrille::app
