// What is expected of a plan, judged point by point.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace quadrille::testbench {

/// One thing looked at: what was expected of which point, and by how much it is
/// off. A line of text, so that it can cross from one process to another.
struct PlanRecord {
  std::string property;  ///< "legal", "more capacity", ...
  std::string subject;   ///< What records of a property are grouped by.
  double excess = 0.0;   ///< Larger is worse; above zero is beyond what is allowed.
  bool failed = false;
  int point = 0;
  std::string text;
};

/// A grid point: legal by replay; more of any resource costs at most 1 % and
/// 16 cycles; one more token at most what closed forms grow by (of the busiest
/// unit; where units wait for each other of all), 2 % and 16 cycles. With `beat` it is also run in
/// beat timing, if it takes at most `kMostBeatCycles` cycles in tile timing.
inline constexpr std::int64_t kMostBeatCycles = 2'000'000;
std::vector<PlanRecord> judge_grid_point(std::uint64_t seed, int point, bool beat);

/// A short point, run as users do: at tile and beat without data, and with data
/// held against the level `fixed`. Whatever is valid runs; whatever is refused is
/// refused with the file and the key at fault.
std::vector<PlanRecord> judge_short_point(std::uint64_t seed, int point);

/// The files of a point, for a report.
std::string grid_point_files(std::uint64_t seed, int point);
std::string short_point_files(std::uint64_t seed, int point);

/// Judges points 0 .. count - 1 in `processes` processes. A process that dies, or
/// needs more than `seconds` for a point, costs that point a failed record.
std::vector<PlanRecord> judge_points(
    int count, int processes, int seconds,
    const std::function<std::vector<PlanRecord>(int point)>& judge);

/// Records of a property, the worst first.
std::vector<PlanRecord> worst_of(const std::vector<PlanRecord>& records,
                                 const std::string& property);

}  // namespace quadrille::testbench
