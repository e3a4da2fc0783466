#include "app/sweep/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "app/files/suggest.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

/// Column of every total that any result has.
std::vector<std::string> total_names(const std::vector<SweepResult>& results) {
  std::vector<std::string> names;
  std::unordered_map<std::string, bool> seen;
  for (const SweepResult& result : results) {
    for (const auto& total : result.totals) {
      if (seen.emplace(total.first, true).second) names.push_back(total.first);
    }
  }
  return names;
}

bool feasible(const SweepSpec& spec, const SweepResult& result) {
  return result.good() && std::all_of(spec.constraints.begin(), spec.constraints.end(),
                                      [&](const Constraint& constraint) {
                                        const double* value = result.total(constraint.total);
                                        return value != nullptr && constraint.holds(*value);
                                      });
}

/// Empty for a point that cannot be on the front.
std::vector<double> costs(const SweepSpec& spec, const SweepResult& result) {
  std::vector<double> all;
  for (const Objective& objective : spec.objectives) {
    const double* value = result.total(objective.total);
    if (value == nullptr) return {};
    all.push_back(objective.largest ? -*value : *value);
  }
  return all;
}

}  // namespace

const double* SweepResult::total(const std::string& name) const {
  for (const auto& total : totals) {
    if (total.first == name) return &total.second;
  }
  return nullptr;
}

SweepResult parse_result(const std::string& line) {
  SweepResult result;
  try {
    const Json json = Json::parse(line);
    result.point = json.at("point").get<std::int64_t>();
    if (json.contains("failed")) {
      result.failed = json["failed"].get<std::string>();
      result.message = json.at("message").get<std::string>();
      return result;
    }
    for (const auto& [name, value] : json.at("totals").items()) {
      result.totals.emplace_back(name, value.get<double>());
      result.texts.push_back(value.dump());
    }
  } catch (const Json::exception& error) {
    throw InvariantError("the line of a sweep's point: " + std::string(error.what()));
  }
  return result;
}

std::int64_t SweepTable::failures() const {
  return std::count_if(results.begin(), results.end(),
                       [](const SweepResult& result) { return !result.good(); });
}

SweepTable judge(const SweepSpec& spec, std::vector<SweepResult> results) {
  SweepTable table;
  table.results = std::move(results);
  table.pareto.assign(table.results.size(), false);
  std::vector<std::vector<double>> candidates;
  std::vector<std::size_t> whose;
  for (std::size_t i = 0; i < table.results.size(); ++i) {
    table.feasible.push_back(feasible(spec, table.results[i]));
    std::vector<double> cost = costs(spec, table.results[i]);
    if (!table.feasible.back() || cost.empty()) continue;
    candidates.push_back(std::move(cost));
    whose.push_back(i);
  }
  const std::vector<bool> front = pareto_front(candidates);
  for (std::size_t i = 0; i < front.size(); ++i) table.pareto[whose[i]] = front[i];
  return table;
}

std::string points_csv(const SweepSpec& spec, const SweepTable& table) {
  const std::vector<std::string> totals = total_names(table.results);
  std::string csv = "point,workload,chip";
  for (const std::string& key : spec.keys()) csv += "," + cell(key);
  csv += ",status,feasible,pareto,message";
  for (const std::string& name : totals) csv += "," + cell(name);
  csv += '\n';
  for (std::size_t i = 0; i < table.results.size(); ++i) {
    const SweepResult& result = table.results[i];
    const SweepPoint point = spec.point(result.point);
    csv += fmt::format("{},{},{}", result.point, cell(spec.workloads[point.workload].given),
                       cell(spec.chips[point.chip].given));
    for (const std::string& value : point.values) csv += "," + cell(value);
    csv += fmt::format(",{},{},{},{}", result.good() ? "ok" : "failed", bool(table.feasible[i]),
                       bool(table.pareto[i]), cell(result.message));
    std::map<std::string, const std::string*> texts;
    for (std::size_t t = 0; t < result.totals.size(); ++t)
      texts[result.totals[t].first] = &result.texts[t];
    for (const std::string& name : totals) {
      const auto text = texts.find(name);
      csv += ',';
      if (text != texts.end()) csv += *text->second;
    }
    csv += '\n';
  }
  return csv;
}

void require_totals(const SweepSpec& spec, const SweepResult& result) {
  std::vector<std::string> names;
  for (const auto& total : result.totals) names.push_back(total.first);
  const auto require = [&](const char* list, const std::string& name) {
    if (result.total(name) != nullptr) return;
    const bool needs_data = !spec.data && name.compare(0, 6, "error.") == 0;
    throw InputError(spec.path, list,
                     fmt::format("expected a total of summary.json that is a number here, found "
                                 "{}{}{}",
                                 in_quotes(name), did_you_mean(name, names),
                                 needs_data ? ", which needs data: true" : ""));
  };
  for (const Constraint& constraint : spec.constraints) require("constraints", constraint.total);
  for (const Objective& objective : spec.objectives) require("objectives", objective.total);
}

}  // namespace quadrille::app
