// points.csv: the points of a sweep as a table, and which of them are good.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "app/sweep/spec.h"

namespace quadrille::app {

/// What came of one point, read from its line of JSON (PointRunner::run).
struct SweepResult {
  std::int64_t point = 0;
  std::vector<std::pair<std::string, double>> totals;
  std::vector<std::string> texts;  ///< Of the totals, as they were written.
  std::string failed;              ///< Empty, or the kind: input, comparison, invariant, process.
  std::string message;

  bool good() const { return failed.empty(); }
  /// None: this point has no total of that name.
  const double* total(const std::string& name) const;
};

/// InvariantError for a line that is none.
SweepResult parse_result(const std::string& line);

/// The results of all points in order, judged.
struct SweepTable {
  std::vector<SweepResult> results;
  std::vector<bool> feasible;  ///< Good, and every constraint holds.
  std::vector<bool> pareto;    ///< On the front of the feasible points.

  std::int64_t failures() const;
};
SweepTable judge(const SweepSpec& spec, std::vector<SweepResult> results);

/// point, workload, chip, the varied keys, status (ok or failed), feasible, pareto,
/// message, and the totals that any point has, in the order in which points first have
/// them. Cells are quoted where commas, quotes or line ends ask for it (RFC 4180).
std::string points_csv(const SweepSpec& spec, const SweepTable& table);

/// InputError naming the constraint or objective whose total `result` lacks.
void require_totals(const SweepSpec& spec, const SweepResult& result);

}  // namespace quadrille::app
