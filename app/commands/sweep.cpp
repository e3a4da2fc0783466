#include "app/commands/sweep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>

#include "app/commands/command_line.h"

namespace quadrille::app {
namespace {

constexpr std::size_t kRowsShown = 20;

void print_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) fmt::print("  {:>{}}", row[i], widths[i]);
    fmt::print("\n");
  }
}

/// The Pareto front by its first objective.
void print_front(const SweepOutcome& outcome) {
  const SweepSpec& spec = outcome.spec;
  const SweepTable& table = outcome.table;
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < table.pareto.size(); ++i) {
    if (table.pareto[i]) front.push_back(i);
  }
  const auto cost = [&](std::size_t i) {
    const double value = *table.results[i].total(spec.objectives.front().total);
    return spec.objectives.front().largest ? -value : value;
  };
  std::stable_sort(front.begin(), front.end(),
                   [&](std::size_t a, std::size_t b) { return cost(a) < cost(b); });
  std::vector<std::string> texts;
  for (const Objective& objective : spec.objectives) texts.push_back(objective.text());
  fmt::print("\n  {} on the Pareto front of {}{}\n", front.size(), fmt::join(texts, ", "),
             front.size() > kRowsShown ? fmt::format("; the first {}:", kRowsShown) : ":");
  if (front.empty()) return;
  std::vector<std::vector<std::string>> rows(1);
  rows[0] = {"point"};
  if (spec.workloads.size() > 1) rows[0].emplace_back("workload");
  if (spec.chips.size() > 1) rows[0].emplace_back("chip");
  for (const std::string& key : spec.keys()) rows[0].push_back(key);
  for (const Objective& objective : spec.objectives) rows[0].push_back(objective.total);
  for (std::size_t n = 0; n < std::min(front.size(), kRowsShown); ++n) {
    const SweepResult& result = table.results[front[n]];
    const SweepPoint point = spec.point(result.point);
    std::vector<std::string> row = {fmt::format("{}", result.point)};
    if (spec.workloads.size() > 1) row.push_back(spec.workloads[point.workload].given);
    if (spec.chips.size() > 1) row.push_back(spec.chips[point.chip].given);
    row.insert(row.end(), point.values.begin(), point.values.end());
    for (const Objective& objective : spec.objectives)
      row.push_back(fmt::format("{:.6g}", *result.total(objective.total)));
    rows.push_back(std::move(row));
  }
  print_columns(rows);
}

const SweepResult* first_failed(const SweepTable& table, const std::string& kind) {
  for (const SweepResult& result : table.results) {
    if (!result.good() && (kind.empty() || result.failed == kind)) return &result;
  }
  return nullptr;
}

/// Points that do not fit are answers; differences and violated invariants are not.
int exit_code(const SweepTable& table) {
  if (first_failed(table, "invariant") != nullptr) return kInvariantViolated;
  if (first_failed(table, "comparison") != nullptr) return kComparisonFailed;
  const bool none = table.failures() == static_cast<std::int64_t>(table.results.size());
  return none || first_failed(table, "process") != nullptr ? kBadInput : kGood;
}

}  // namespace

int sweep_command(const SweepOptions& options) {
  const SweepOutcome outcome = run_sweep(options);
  const SweepTable& table = outcome.table;
  const auto feasible = std::count(table.feasible.begin(), table.feasible.end(), true);
  fmt::print("sweep {}: {} points", outcome.spec.name, table.results.size());
  if (outcome.found > 0) fmt::print(" ({} found on disk)", outcome.found);
  if (!outcome.spec.constraints.empty()) fmt::print(", {} within the constraints", feasible);
  fmt::print("\n");
  if (!outcome.spec.objectives.empty()) print_front(outcome);
  if (const SweepResult* failed = first_failed(table, "")) {
    fmt::print("\n  {} failed; the first, point {}: {}\n", table.failures(), failed->point,
               failed->message);
  }
  fmt::print("\n  table in {}\n", (std::filesystem::path(options.folder) / "points.csv").string());
  const int code = exit_code(table);
  if (code != kGood)
    fmt::print(stderr,
               "quadrille: sweep {}: points failed; the column message of the table says why\n",
               outcome.spec.name);
  return code;
}

}  // namespace quadrille::app
