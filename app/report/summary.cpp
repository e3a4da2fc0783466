#include "app/report/summary.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "app/config/choices.h"
#include "app/report/counter_columns.h"
#include "app/version.h"
#include "hw/counters/counter_table.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;

Json activity_json(const hw::Activity& activity, std::string_view group) {
  Json json = Json::object();
  for (const hw::ActivityCounter& row : hw::kActivityCounters) {
    if (row.info.group == group) json[row.info.name] = activity.*row.count;
  }
  return json;
}

Json memory_json(const hw::Traffic& traffic) {
  Json json = Json::object();
  for (const hw::TrafficCounter& row : hw::kTrafficCounters)
    json[memory_level(row)][row.info.name] = row.count(traffic);
  return json;
}

Json cycles_json(const hw::OccupancyTotals& occupancy, std::string_view group) {
  Json json = Json::object();
  for (const hw::OccupancyCounter& row : hw::kOccupancyCounters) {
    if (row.info.group == group) json[row.info.name] = row.count(occupancy);
  }
  return json;
}

Json occupancy_json(const hw::OccupancyTotals& occupancy) { return cycles_json(occupancy, ""); }
Json stalls_json(const hw::OccupancyTotals& occupancy) { return cycles_json(occupancy, "stalls"); }

Json components_json(const hw::ByComponent& parts) {
  Json json = Json::object();
  for (const auto& [name, value] : parts) json[name] = value;
  return json;
}

Json energy_json(const EnergyFigures& energy) {
  Json components = Json::object();
  for (const auto& [name, picojoules] : energy.dynamic_pj) {
    const auto leakage = energy.static_pj.find(name);
    components[name] = picojoules + (leakage == energy.static_pj.end() ? 0.0 : leakage->second);
  }
  for (const auto& [name, picojoules] : energy.static_pj) {
    if (energy.dynamic_pj.count(name) == 0) components[name] = picojoules;
  }
  const double dynamic = energy.total_dynamic_pj();
  const double leakage = energy.total_static_pj();
  return {{"total", dynamic + leakage},
          {"dynamic", dynamic},
          {"static", leakage},
          {"by_component", std::move(components)},
          {"leakage_by_component", components_json(energy.static_pj)}};
}

void put_figures(Json& to, const ErrorFigures& figures) {
  to["sqnr_db"] = figures.sqnr_db ? Json(*figures.sqnr_db) : Json(nullptr);
  to["max_abs"] = figures.max_abs;
}

Json error_json(const RunOutcome& outcome) {
  Json error = {{"sqnr_db", nullptr},
                {"max_abs", nullptr},
                {"formula", nullptr},
                {"outputs", Json::object()},
                {"heads", Json::array()}};
  if (!outcome.error) return error;
  put_figures(error, *outcome.error);
  error["formula"] = outcome.formula;
  for (const auto& [name, figures] : outcome.output_errors)
    put_figures(error["outputs"][name], figures);
  for (const HeadError& head : outcome.head_errors) {
    Json json = {{"node", head.node}, {"batch", head.batch}, {"head", head.head}};
    put_figures(json, head.figures);
    error["heads"].push_back(std::move(json));
  }
  return error;
}

Json value_counters(const hw::ChipTotals& totals) {
  Json values = Json::object();
  for (const hw::EngineTotals& engine : totals.engines) {
    Json& entry = values[engine.name];
    entry = activity_json(engine.activity, "values");
    if (engine.has_values) continue;
    for (auto& value : entry) value = nullptr;
  }
  return values;
}

/// What binds the run, and how near it came.
void add_rates(Json& json, const RunReport& report) {
  const hw::Bounds& bounds = report.outcome.bounds;
  const RateFigures& rates = report.rates;
  json["macs"]["peak_per_cycle"] = bounds.peak_macs_per_cycle;
  json["macs"]["achieved_per_cycle"] = rates.achieved_macs_per_cycle;
  json["utilisation"] = rates.utilisation;
  json["bounds"] = Json::object();
  for (const hw::ResourceBound& bound : bounds.resources)
    json["bounds"][bound.resource + "_cycles"] = bound.cycles;
  json["bound_by"] = bounds.largest().resource;
  json["cycles_over_bound"] = rates.cycles_over_bound;
  json["power_w"] = {{"mean", rates.mean_power_w}, {"peak", nullptr}};
  json["tops"] = rates.tops;
  json["tops_per_w"] = rates.tops_per_w;
}

/// The keys that the run and each of its layers share.
void add_measures(Json& json, const RunReport& report) {
  const hw::ChipTotals& totals = report.outcome.chip.totals;
  const hw::Activity activity = totals.activity();
  Json engines = Json::object();
  Json stalls = Json::object();
  const auto put = [&](const hw::EngineTotals& engine) {
    engines[engine.name] = occupancy_json(engine.occupancy);
    stalls[engine.name] = stalls_json(engine.occupancy);
  };
  for (const hw::EngineTotals& engine : totals.engines) put(engine);
  put(totals.dma);
  json["cycles"] = report.outcome.chip.cycles;
  json["clock_hz"] = report.request.chip.clock_hz;
  json["macs"] = activity_json(activity, "macs");
  json["ops"] = activity_json(activity, "ops");
  json["memory"] = memory_json(totals.traffic);
  json["energy_pj"] = energy_json(report.energy);
  json["area_um2"] = report.energy.total_area_um2();
  json["area_by_component_um2"] = components_json(report.energy.area_um2);
  add_rates(json, report);
  json["error"] = error_json(report.outcome);
  json["engines"] = std::move(engines);
  json["stalls"] = std::move(stalls);
}

Json dynamic_json(const DynamicOperands& figures) {
  return {{"macs_share", figures.macs_share},
          {"cycles_share", figures.cycles_share},
          {"product_cycles_share", figures.product_cycles_share},
          {"write_cycles_share", figures.write_cycles_share},
          {"energy_share", figures.energy_share},
          {"product_energy_share", figures.product_energy_share},
          {"write_energy_share", figures.write_energy_share}};
}

Json figures_json(const CommandFigures& figures) {
  return {{"name", figures.name},
          {"commands", figures.commands},
          {"cycles", figures.cycles},
          {"span_cycles", figures.span_cycles},
          {"busy_cycles", figures.busy_cycles},
          {"macs", activity_json(figures.activity, "macs")},
          {"ops", activity_json(figures.activity, "ops")},
          {"memory", memory_json(figures.traffic)},
          {"energy_pj",
           {{"dynamic", figures.total_dynamic_pj()},
            {"dynamic_by_component", components_json(figures.dynamic_pj)}}}};
}

Json layers_json(const RunReport& report) {
  Json layers = Json::array();
  for (const CommandFigures& layer : report.layers) layers.push_back(figures_json(layer));
  return layers;
}

/// Useful MACs of some commands over what the CIM bank's peak does while they run.
double utilisation(const CommandFigures& figures, const hw::Bounds& bounds) {
  const auto macs =
      static_cast<double>(figures.activity.macs_static + figures.activity.macs_dynamic);
  const double peak = bounds.peak_macs_per_cycle * static_cast<double>(figures.span_cycles);
  return peak > 0.0 ? macs / peak : 0.0;
}

Json nodes_json(const RunReport& report) {
  Json nodes = Json::array();
  for (const NodeFigures& node : report.nodes) {
    Json json = figures_json(node.all);
    json["layer"] = node.layer;
    json["utilisation"] = utilisation(node.all, report.outcome.bounds);
    json["steps"] = Json::array();
    for (const CommandFigures& step : node.steps) json["steps"].push_back(figures_json(step));
    nodes.push_back(std::move(json));
  }
  return nodes;
}

Json sinkhorn_json(const std::optional<SinkhornFigures>& sinkhorn) {
  if (!sinkhorn) return nullptr;
  Json json = {{"half_steps", sinkhorn->half_steps},
               {"row_residual", nullptr},
               {"column_residual", nullptr},
               {"row_residuals", Json::array()},
               {"column_residuals", Json::array()}};
  if (sinkhorn->final_residual) {
    json["row_residual"] = sinkhorn->final_residual->row;
    json["column_residual"] = sinkhorn->final_residual->column;
  }
  for (const model::SinkhornResidual& residual : sinkhorn->residuals) {
    json["row_residuals"].push_back(residual.row);
    json["column_residuals"].push_back(residual.column);
  }
  return json;
}

}  // namespace

Json summary(const RunReport& report) {
  const RunRequest& request = report.request;
  const RunOutcome& outcome = report.outcome;
  Json json;
  json["schema_version"] = kSummarySchemaVersion;
  json["version"] = version();
  json["workload"] = request.workload.name;
  json["chip"] = request.chip.name;
  json["technology"] = request.chip.technology;
  json["timing"] = word_of(kTimingChoices, outcome.timing);
  json["data"] = request.data;
  json["check"] = request.data ? Json(word_of(kCheckChoices, request.check)) : Json(nullptr);
  json["rtl"] = outcome.ran_in_rtl;
  json["seed"] =
      request.workload.random() == nullptr ? Json(nullptr) : Json(request.workload.random()->seed);
  json["inputs"] = Json::array();
  for (const InputFile& input : report.inputs) {
    json["inputs"].push_back(
        {{"role", input.role}, {"name", input.name}, {"fnv1a_64", input.fnv1a_64}});
  }
  json["settings"] = report.settings;
  add_measures(json, report);
  json["values"] = value_counters(outcome.chip.totals);
  json["values"]["input"] = {
      {"saturated", request.data ? Json(outcome.saturated_inputs) : Json(nullptr)}};
  json["loss"] = nullptr;
  if (outcome.loss) {
    json["loss"] = {{"unit", "nats per token"},
                    {"float", outcome.loss->with_float},
                    {"chip", outcome.loss->with_chip},
                    {"predictions", outcome.loss->predictions}};
  }
  json["sinkhorn"] = sinkhorn_json(outcome.sinkhorn);
  json["scratchpad_bytes"] = outcome.scratchpad_bytes;
  json["mapping"] = {{"choices", outcome.choices}};
  json["layers"] = layers_json(report);
  json["nodes"] = nodes_json(report);
  json["dynamic_operands"] = {
      {"run", dynamic_json(report.dynamic)},
      {"without_weight_load", dynamic_json(report.dynamic_resident)},
      {"without_weight_load_and_dram", dynamic_json(report.dynamic_on_chip)},
      {"quoted",
       {{"design", "MulTCIM on BERT-base, as the DAMF document quotes it"},
        {"power_share", kMultcimPowerShare},
        {"macs_share", kMultcimMacsShare}}}};
  return json;
}

std::string summary_json(const RunReport& report) { return summary(report).dump(2) + "\n"; }

}  // namespace quadrille::app
