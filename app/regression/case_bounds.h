// What a case says of its runs where they need not equal its goldens (docs/files.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "app/files/yaml_reader.h"
#include "app/networks/task.h"

namespace quadrille::app {

/// Each takes the place of the equality with a golden, which it would follow from.
struct CaseBounds {
  /// Every run (tile, beat, RTL) keeps it, in place of the counters of time.
  std::optional<std::int64_t> cycles_at_most;
  /// The output by which the task is judged keeps it against the level `float`, in place of the
  /// golden outputs without a tolerance.
  std::optional<double> sqnr_db_at_least;
  /// Output -> how far its values may be from the golden's, in their own unit.
  std::map<std::string, double> tolerances;

  bool any() const { return cycles_at_most || sqnr_db_at_least || !tolerances.empty(); }
  /// Whether a golden tensor says anything of the outputs.
  bool compare_goldens() const { return !sqnr_db_at_least || !tolerances.empty(); }
};

/// The keys `cycles`, `sqnr_db` and `tolerance`. InputError for wrong values, and for a bound
/// of values in a case without `data`.
CaseBounds read_bounds(const YamlNode& root, bool data);

/// InputError where a tolerance is of no output of the task, or of one whose codes are no
/// multiples of a scale.
void require_outputs(const YamlNode& root, const CaseBounds& bounds, const OperatorResult& outputs);

/// Whether the counter at this path tells time: cycles, stalls by cause, conflicts of banks.
bool tells_time(const std::string& counter);

/// "cycles: 5120 in beat, expected at most 5000", or nothing.
std::optional<std::string> cycles_beyond(const CaseBounds& bounds, const std::string& level,
                                         std::int64_t cycles);
/// "sqnr_db of 'out': 17.2 in fixed, expected at least 20", or nothing.
std::optional<std::string> sqnr_beyond(const CaseBounds& bounds, const std::string& level,
                                       const std::string& judged, const OperatorResult& real,
                                       const OperatorResult& found);

}  // namespace quadrille::app
