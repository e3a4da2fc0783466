#include "testbench/common/plan_lowering.h"

#include "app/config/chip_file.h"
#include "app/simulation.h"
#include "model/errors.h"

namespace quadrille::testbench {

bool possible(const TemporaryFolder& folder, const KeyedFile& chip) {
  try {
    app::read_chip_file(folder.write("chip.yaml", chip.yaml()));
  } catch (const InputError&) {
    return false;
  }
  return true;
}

PlannedPoint::PlannedPoint(const TemporaryFolder& folder, const PlanPoint& point)
    : chip_(app::read_chip_file(folder.write("chip.yaml", point.chip.yaml()))),
      workload_(app::read_workload_file(folder.write("workload.yaml", point.workload.yaml()))),
      job_(app::make_job(chip_, {app::make_task(workload_, false).graph, {}})) {}

hw::Bounds PlannedPoint::bounds() const {
  return hw::bounds_of(chip_, app::make_task(workload_, false).graph);
}

hw::ChipResult PlannedPoint::run(hw::Timing timing) const {
  return app::run_on_chip(chip_, {timing, {}, {}}, job_, nullptr).result;
}

DataRun PlannedPoint::run_with_data(hw::Timing timing) const {
  app::Simulation simulation(app::make_task(workload_, true), chip_);
  const app::ChipRun run = simulation.run({timing, {}, {}});
  return {run.result.cycles, simulation.difference("chip", run)};
}

}  // namespace quadrille::testbench
