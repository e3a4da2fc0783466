#include "app/report/summary_schema.h"

#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "app/report/counter_columns.h"
#include "app/report/summary.h"
#include "hw/counters/counter_table.h"
#include "hw/engines.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;
using Keys = std::initializer_list<std::pair<const char*, Json>>;

Json typed(const char* type, const std::string& description = "") {
  Json schema = Json::object();
  if (!description.empty()) schema["description"] = description;
  schema["type"] = type;
  return schema;
}

Json text(const std::string& description = "") { return typed("string", description); }
Json whole(const std::string& description = "") { return typed("integer", description); }
Json real(const std::string& description = "") { return typed("number", description); }

Json or_null(Json schema) {
  schema["type"] = Json::array({schema["type"], "null"});
  return schema;
}

Json list_of(Json items, const std::string& description) {
  Json schema = typed("array", description);
  schema["items"] = std::move(items);
  return schema;
}

/// An object that has these keys and no others.
Json object_of(Json properties, const std::string& description = "") {
  Json schema = typed("object", description);
  schema["required"] = Json::array();
  for (const auto& property : properties.items()) schema["required"].push_back(property.key());
  schema["properties"] = std::move(properties);
  schema["additionalProperties"] = false;
  return schema;
}

Json object_of(Keys keys, const std::string& description = "") {
  Json properties = Json::object();
  for (const auto& [key, schema] : keys) properties[key] = schema;
  return object_of(std::move(properties), description);
}

Json counter(const hw::CounterInfo& info) {
  return whole(fmt::format("{}: {}.", info.unit, info.description));
}

template <typename Rows>
Json counters(const Rows& rows, std::string_view group) {
  Json properties = Json::object();
  for (const auto& row : rows) {
    if (row.info.group == group) properties[row.info.name] = counter(row.info);
  }
  return properties;
}

Json macs() {
  return object_of(counters(hw::kActivityCounters, "macs"), "Multiply-accumulates by kind.");
}

Json memory() {
  Json levels = Json::object();
  for (const hw::TrafficCounter& row : hw::kTrafficCounters)
    levels[memory_level(row)][row.info.name] = counter(row.info);
  Json properties = Json::object();
  for (const auto& level : levels.items()) properties[level.key()] = object_of(level.value());
  return object_of(std::move(properties), "Bytes by level.");
}

/// One key per engine.
Json by_engine(const Json& each, const std::string& description) {
  Json properties = Json::object();
  for (const std::string& name : hw::engines().names()) properties[name] = each;
  return object_of(std::move(properties), description);
}

/// One key per engine, and the DMA's.
Json by_unit(const Json& each, const std::string& description) {
  Json schema = by_engine(each, description);
  const char* name = hw::unit_name(hw::Unit::kDma);
  schema["properties"][name] = each;
  schema["required"].push_back(name);
  return schema;
}

/// The keys of an error's figures.
Json error_figures_keys() { return {{"sqnr_db", or_null(real())}, {"max_abs", or_null(real())}}; }

Json error() {
  Json of_outputs = typed("object", "By output.");
  of_outputs["additionalProperties"] = object_of(error_figures_keys());
  Json of_head = {{"node", text()}, {"batch", whole()}, {"head", whole()}};
  of_head.update(error_figures_keys());
  Json properties = error_figures_keys();
  properties["formula"] =
      or_null(text("What is computed at the level float, in words: the errors "
                   "are against it and no other."));
  properties["outputs"] = std::move(of_outputs);
  properties["heads"] = list_of(object_of(std::move(of_head)),
                                "By instance of every attention: its output before the layer's "
                                "last projection, of the level fixed, whose bits a checked run "
                                "has.");
  return object_of(std::move(properties),
                   "Outputs against the level float. sqnr_db is null when there is no error; all "
                   "are null or empty without data or without a check.");
}

Json values_of_an_engine() {
  Json properties = counters(hw::kActivityCounters, "values");
  for (auto& value : properties) value = or_null(value);
  return object_of(std::move(properties));
}

Json stalls() { return object_of(counters(hw::kOccupancyCounters, "stalls")); }

/// A number for every component of the chip.
Json by_component(const std::string& description = "") {
  Json schema = typed("object", description);
  schema["additionalProperties"] = {{"type", "number"}, {"minimum", 0}};
  return schema;
}

Json energy() {
  return object_of({{"total", real()},
                    {"dynamic", real()},
                    {"static", real()},
                    {"by_component", by_component()},
                    {"leakage_by_component", by_component()}},
                   "Energy in pJ: total = dynamic (switching) + static (leakage, and standby and "
                   "refresh of the DRAM) = the sum of by_component, which includes "
                   "leakage_by_component, the static parts.");
}

Json ops() {
  return object_of(counters(hw::kActivityCounters, "ops"),
                   "Operations that are no MACs, by kind; bytes and lost cycles of memories inside "
                   "the engines.");
}

Json macs_of_the_run() {
  Json properties = counters(hw::kActivityCounters, "macs");
  properties["peak_per_cycle"] =
      real("Products per cycle that the CIM bank does at best, at the run's widths.");
  properties["achieved_per_cycle"] = real("All useful MACs (static and dynamic) over cycles.");
  return object_of(std::move(properties), "Multiply-accumulates by kind.");
}

void add_rates(Json& properties) {
  properties["utilisation"] = real("macs.achieved_per_cycle over macs.peak_per_cycle.");
  Json bounds = typed("object",
                      "Cycles that every resource needs at least, whatever the plan "
                      "(<resource>_cycles): shapes over rates.");
  bounds["additionalProperties"] = {{"type", "integer"}, {"minimum", 1}};
  properties["bounds"] = std::move(bounds);
  properties["bound_by"] = text("The resource with the largest bound.");
  properties["cycles_over_bound"] = real("cycles over the largest bound.");
  properties["power_w"] = object_of({{"mean", real()}, {"peak", or_null(real())}},
                                    "Energy over time, in W; peak is not known yet.");
  properties["tops"] = real("Two operations per useful MAC, 10^12 per second.");
  properties["tops_per_w"] = real();
}

/// The measures of the whole run.
void add_measures(Json& properties) {
  properties["cycles"] = counter(hw::kCyclesCounter);
  properties["clock_hz"] = real("Clock frequency in Hz.");
  properties["macs"] = macs_of_the_run();
  properties["ops"] = ops();
  properties["memory"] = memory();
  properties["energy_pj"] = energy();
  properties["area_um2"] = real("Area in square micrometres, without pads, clock tree and DRAM.");
  properties["area_by_component_um2"] = by_component();
  add_rates(properties);
  properties["error"] = error();
  properties["engines"] =
      by_unit(object_of(counters(hw::kOccupancyCounters, "")),
              "Cycles by engine, and of the DMA: busy + stalled + idle = cycles.");
  properties["stalls"] = by_unit(stalls(), "Stalled cycles by engine and by their one cause.");
}

Json inputs() {
  return list_of(object_of({{"role", text()}, {"name", text()}, {"fnv1a_64", text()}}),
                 "Files read: role, file name, 64-bit FNV-1a of the bytes in hexadecimal.");
}

Json loss() {
  return or_null(
      object_of({{"unit", text()}, {"float", real()}, {"chip", real()}, {"predictions", whole()}},
                "Next-token loss of the language model, null for other workloads."));
}

Json sinkhorn() {
  Json residual = typed("number");
  residual["minimum"] = 0;
  return or_null(object_of(
      {{"half_steps", whole()},
       {"row_residual", or_null(real())},
       {"column_residual", or_null(real())},
       {"row_residuals", list_of(residual, "")},
       {"column_residuals", list_of(residual, "")}},
      "How Sinkhorn problems converged, null without any. half_steps: done, the most of any "
      "matrix. row_residual, column_residual: largest |sum / target - 1| of the K delivered, null "
      "without data and for layers. row_residuals, column_residuals: as the unit measured them, "
      "element i after i + 1 half-steps (the side just normalised is 0), the largest of all "
      "matrices; empty without data."));
}

Json dynamic_operands() {
  const Json shares = object_of({{"macs_share", real()},
                                 {"cycles_share", real()},
                                 {"product_cycles_share", real()},
                                 {"write_cycles_share", real()},
                                 {"energy_share", real()},
                                 {"product_energy_share", real()},
                                 {"write_energy_share", real()}});
  return object_of(
      {{"run", shares},
       {"without_weight_load", shares},
       {"without_weight_load_and_dram", shares},
       {"quoted",
        object_of({{"design", text()}, {"power_share", real()}, {"macs_share", real()}})}},
      "Shares (0..1) of products of two run-time matrices and of writing K and V into the CIM "
      "array: of the run, without the one-time load of the weights, and also without the DRAM's "
      "energy; beside a quoted design.");
}

/// Some commands of the run together.
Json figures() {
  return object_of(
      {{"name", text()},
       {"commands", counter(hw::kCommandsCounter)},
       {"cycles", whole("Its share of the run's critical path: shares sum to the run's cycles.")},
       {"span_cycles", whole("Cycles in which at least one of its commands ran.")},
       {"busy_cycles", whole("Summed over units.")},
       {"macs", macs()},
       {"ops", ops()},
       {"memory", memory()},
       {"energy_pj", object_of({{"dynamic", real()}, {"dynamic_by_component", by_component()}})}});
}

Json layers() {
  Json schema = list_of(figures(),
                        "One entry per layer. Counts, bytes, cycles and dynamic energy of the "
                        "entries sum to the run's.");
  schema["minItems"] = 1;
  return schema;
}

Json nodes() {
  Json properties = figures()["properties"];
  properties["layer"] = text();
  properties["utilisation"] = real("Useful MACs over what the CIM bank's peak does in its span.");
  properties["steps"] = list_of(figures(), "");
  return list_of(object_of(std::move(properties)),
                 "One entry per node of the graph, in running order; its steps are what the "
                 "lowering calls them. They sum as layers do.");
}

}  // namespace

std::string summary_schema_json() {
  Json version_number = whole("Rises when a key changes its meaning or goes.");
  version_number["const"] = kSummarySchemaVersion;
  Json properties = Json::object();
  properties["schema_version"] = version_number;
  for (const char* key : {"version", "workload", "chip", "technology"}) properties[key] = text();
  properties["timing"] = text("tile or beat.");
  properties["data"] = typed("boolean", "Whether values were computed.");
  properties["check"] = or_null(
      text("outputs: every output was held against the level fixed, and errors are against float; "
           "none; null without data."));
  properties["rtl"] = list_of(text(), "Engines that ran in RTL.");
  properties["seed"] = or_null(whole("Seed of random data, null for other data."));
  properties["inputs"] = inputs();
  properties["settings"] = list_of(text(), "Values of --set in place of the files', as given.");
  add_measures(properties);
  properties["values"] = by_engine(
      values_of_an_engine(),
      "Counters of values by engine, and of the inputs' own quantisation; null without data or "
      "where the engine's body does not tell them.");
  properties["values"]["properties"]["input"] = object_of(
      {{"saturated", or_null(whole("count: inputs and weights that their scales clamped."))}});
  properties["values"]["required"].push_back("input");
  properties["loss"] = loss();
  properties["sinkhorn"] = sinkhorn();
  properties["scratchpad_bytes"] = whole("High-water mark of the scratchpad's allocation.");
  properties["mapping"] =
      object_of({{"choices", list_of(text(), "What the planner chose, one line each.")}});
  properties["layers"] = layers();
  properties["nodes"] = nodes();
  properties["dynamic_operands"] = dynamic_operands();
  Json schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", fmt::format("summary.json of a Quadrille run, version {}", kSummarySchemaVersion)}};
  schema.update(object_of(std::move(properties)));
  return schema.dump(1) + "\n";
}

}  // namespace quadrille::app
