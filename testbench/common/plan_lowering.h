// From a drawn point to its plan and its runs: the only file of the plan judges
// that knows how a workload becomes a program.
#pragma once

#include <optional>
#include <string>

#include "app/chip_run.h"
#include "app/config/workload_file.h"
#include "hw/bounds.h"
#include "hw/chip_config.h"
#include "hw/chip_result.h"
#include "testbench/common/plan_points.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::testbench {

/// True when the chip file is one that a user may write.
bool possible(const TemporaryFolder& folder, const KeyedFile& chip);

struct DataRun {
  std::int64_t cycles = 0;
  /// Where the outputs differ from the level `fixed`; none when they do not.
  std::optional<std::string> difference;
};

/// A point whose files were read and whose workload is lowered, without data.
class PlannedPoint {
 public:
  /// Writes the files into `folder` and reads them back. InputError if the chip
  /// or the workload is refused, or the workload on this chip.
  PlannedPoint(const TemporaryFolder& folder, const PlanPoint& point);

  const hw::ChipConfig& chip() const { return chip_; }
  const app::Workload& workload() const { return workload_; }
  const hw::Mapping& mapping() const { return job_.mapping; }

  hw::Bounds bounds() const;

  /// A run without data.
  hw::ChipResult run(hw::Timing timing) const;

  DataRun run_with_data(hw::Timing timing) const;

 private:
  hw::ChipConfig chip_;
  app::Workload workload_;
  app::ChipJob job_;
};

}  // namespace quadrille::testbench
