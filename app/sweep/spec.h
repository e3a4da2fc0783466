// A sweep's spec (sweeps/*.yaml): which points there are and what is asked of them.
// docs/sweeps.md describes the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/config/overrides.h"
#include "app/sweep/objectives.h"

namespace quadrille::app {

/// A workload or a chip of the spec.
struct SweepFile {
  std::string given;  ///< As the spec has it: a column of the table.
  std::string path;
};

/// A key of the chip or the workload, and the values that it takes.
struct SweepAxis {
  std::string key;  ///< "softmax.lanes", "workload.tokens".
  std::vector<std::string> values;
};

/// One row: which files, and the values of all keys in the order of SweepSpec::keys().
struct SweepPoint {
  std::int64_t index = 0;
  std::size_t workload = 0;
  std::size_t chip = 0;
  std::vector<std::string> values;
};

struct SweepSpec {
  std::string path;
  std::string name;
  std::vector<SweepFile> workloads;
  std::vector<SweepFile> chips;
  bool data = false;
  std::vector<SweepAxis> grid;    ///< Every value with every value of the others.
  std::vector<SweepAxis> random;  ///< The n-th value of each together.
  std::int64_t random_points = 1;
  std::vector<Constraint> constraints;
  std::vector<Objective> objectives;

  /// The varied keys: those of the grid, then the random ones.
  std::vector<std::string> keys() const;
  /// Workloads x chips x grid x random, the last the fastest, the first key of the grid
  /// the slowest of the grid.
  std::int64_t points() const;
  SweepPoint point(std::int64_t index) const;
  /// What the point says instead of its files. Messages begin with "SPEC.yaml: KEY=VALUE".
  Overrides overrides(const SweepPoint& point) const;
};

/// InputError for an unknown key, a wrong type or range, files that are not there.
/// Paths are relative to the spec; a name without a file is a shipped one's.
SweepSpec read_sweep_spec(const std::string& path);

}  // namespace quadrille::app
