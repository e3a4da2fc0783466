#include "testbench/common/plan_lowering.h"

#include <memory>

#include "app/chip_run.h"
#include "app/config/chip_file.h"
#include "app/operators/compare.h"
#include "app/operators/layer_operator.h"
#include "model/errors.h"

namespace quadrille::testbench {
namespace {

std::unique_ptr<app::Operator> make(const app::Workload& workload, bool values) {
  const auto* work = std::get_if<app::OperatorWorkload>(&workload.what);
  if (work == nullptr) return std::make_unique<app::LayerOperator>(workload);
  app::OperatorOptions options;
  options.assumed_half_steps = work->assumed_half_steps;
  std::optional<app::ShapedTensors::Random> random;
  if (values) {
    const auto& source = std::get<app::RandomSource>(work->data);
    random = {source.seed, source.deviation};
  }
  return app::make_operator(work->name, app::ShapedTensors(workload.path, work->shapes, random),
                            work->settings, options);
}

app::ChipJob lower(const hw::ChipConfig& chip, const app::Workload& workload) {
  if (const auto* layer = std::get_if<app::AttentionLayerWorkload>(&workload.what))
    return app::lower_shape(chip, app::shape_of(workload.path, *layer));
  return make(workload, false)->lower(chip);
}

hw::ChipConfig timed(hw::ChipConfig chip, hw::Timing timing) {
  chip.timing = timing;
  return chip;
}

}  // namespace

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
      job_(lower(chip_, workload_)) {}

hw::ChipResult PlannedPoint::run(hw::Timing timing) const {
  return app::run_on_chip(timed(chip_, timing), {}, job_, false).result;
}

DataRun PlannedPoint::run_with_data(hw::Timing timing) const {
  const std::unique_ptr<app::Operator> operation = make(workload_, true);
  const app::ChipRun run =
      app::run_on_chip(timed(chip_, timing), {}, operation->lower(chip_), true);
  return {run.result.cycles, app::first_difference("fixed", operation->run_fixed(), "chip",
                                                   operation->collect(run.outputs))};
}

}  // namespace quadrille::testbench
