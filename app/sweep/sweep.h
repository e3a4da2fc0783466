// Many runs and one table: the points of a spec simulated on all cores, every finished
// one on disk at once (docs/sweeps.md).
#pragma once

#include <string>

#include "app/sweep/spec.h"
#include "app/sweep/table.h"

namespace quadrille::app {

struct SweepOptions {
  std::string spec;
  std::string folder;
  int processes = 0;  ///< 0: one per core that this process may use.
};

struct SweepOutcome {
  SweepSpec spec;
  SweepTable table;
  std::int64_t found = 0;  ///< Points that an earlier, unfinished sweep had left.
};

/// Makes the points that DIR/points.jsonl lacks, then DIR/points.csv. InputError for a
/// spec at fault, a folder that cannot be written, and points of other files.
SweepOutcome run_sweep(const SweepOptions& options);

}  // namespace quadrille::app
