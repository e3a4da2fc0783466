// One point of a sweep: from its values to the totals of its run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "app/config/chip_file.h"
#include "app/sweep/spec.h"
#include "hw/energy/technology.h"

namespace quadrille::app {

/// Simulates points. Files are read once, in the constructor (a technology that a point
/// names, at its first use), so that a point costs its simulation.
class PointRunner {
 public:
  /// InputError for a file at fault, a workload that is more than one run, and a varied
  /// key none of whose values any file takes.
  explicit PointRunner(const SweepSpec& spec);

  /// One line of JSON, the same for every order of points: {"point": 3, "totals": {NAME:
  /// number, ...}}, with the numbers of summary.json under their names with dots, or
  /// {"point": 3, "failed": KIND, "message": TEXT}, where KIND is input, comparison or
  /// invariant.
  std::string run(std::int64_t index);

  /// Every file that the points hang on, by role, and its fingerprint: "chip default".
  std::map<std::string, std::string> fingerprints() const;

 private:
  std::string simulate_point(const SweepPoint& point);
  const hw::Technology& technology(const std::string& path);
  void check_axis(const SweepAxis& axis) const;
  void read_varied_technologies(const SweepAxis& axis);
  std::map<std::string, std::string> data_files(const YamlNode& workload) const;

  const SweepSpec& spec_;
  std::vector<ChipSource> chips_;
  std::vector<YamlNode> workloads_;
  std::map<std::string, hw::Technology> technologies_;  ///< By path.
};

/// "point": index, "failed": kind and "message" in one line of JSON.
std::string failure_line(std::int64_t index, const std::string& kind, const std::string& message);

}  // namespace quadrille::app
