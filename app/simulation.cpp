#include "app/simulation.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "app/chip_run.h"
#include "app/operators/compare.h"
#include "app/operators/layer_operator.h"

namespace quadrille::app {
namespace {

/// What a workload stands for: a layer or one operator. Without values only
/// lower() works.
std::unique_ptr<Operator> make_operation(const std::string& path, const OperatorWorkload& work,
                                         bool values, bool values_follow) {
  OperatorOptions options;
  options.result_only = true;
  options.assumed_half_steps = work.assumed_half_steps;
  options.values_follow = values_follow;
  if (const auto* file = std::get_if<FileData>(&work.data)) {
    return make_operator(work.name, FileTensors(SafetensorsFile::open(file->tensors), values),
                         work.settings, options);
  }
  const auto& source = std::get<RandomSource>(work.data);
  std::optional<ShapedTensors::Random> random;
  if (values) random = {source.seed, source.deviation};
  return make_operator(work.name, ShapedTensors(path, work.shapes, random), work.settings, options);
}

/// The program of the workload's shapes alone.
ChipJob lower_without_data(const hw::ChipConfig& chip, const RunRequest& request) {
  const Workload& workload = request.workload;
  if (const auto* layer = std::get_if<AttentionLayerWorkload>(&workload.what))
    return lower_shape(chip, shape_of(workload.path, *layer));
  const auto& work = std::get<OperatorWorkload>(workload.what);
  return make_operation(workload.path, work, false, request.data)->lower(chip);
}

void judge(const Operator& operation, const CodeMap& outputs, RunOutcome& outcome) {
  const OperatorResult chip = operation.collect(outputs);
  const OperatorResult fixed = operation.run_fixed();
  outcome.difference = first_difference("fixed", fixed, "chip", chip);
  if (outcome.sinkhorn && fixed.reals.count("row_error") != 0) {
    const auto largest = [&](const char* name) {
      const std::vector<double>& errors = fixed.reals.at(name).values;
      return *std::max_element(errors.begin(), errors.end());
    };
    outcome.sinkhorn->final_residual = {largest("row_error"), largest("col_error")};
  }
  const char* name = operation.result_name();
  outcome.error =
      error_figures(operation.run_float().reals.at(name).values, chip.reals.at(name).values);
}

void judge_loss(const RunRequest& request, const LayerOperator& layer, const CodeMap& outputs,
                RunOutcome& outcome) {
  if (!layer.data().context) return;
  const ModelContext& context = *layer.data().context;
  const OperatorResult chip = layer.collect(outputs);
  const model::AttentionShape shape =
      shape_of(request.workload.path, std::get<AttentionLayerWorkload>(request.workload.what));
  outcome.loss =
      LossFigures{context.float_loss, loss_with(context, shape, chip.reals.at("out").values),
                  static_cast<std::int64_t>(context.tokens.size()) - 1};
}

std::optional<SinkhornFigures> sinkhorn_figures(const std::vector<hw::CommandRecord>& records) {
  std::optional<SinkhornFigures> figures;
  for (const hw::CommandRecord& record : records) {
    const hw::CommandCourse& course = record.course;
    if (course.half_steps == 0) continue;
    if (!figures) figures.emplace();
    figures->half_steps = std::max(figures->half_steps, course.half_steps);
    std::vector<model::SinkhornResidual>& residuals = figures->residuals;
    residuals.resize(std::max(residuals.size(), course.residuals.size()));
    for (std::size_t i = 0; i < course.residuals.size(); ++i) {
      const auto& code = course.residuals[i];
      residuals[i].row = std::max(residuals[i].row, std::ldexp(code.row, -16));
      residuals[i].column = std::max(residuals[i].column, std::ldexp(code.column, -16));
    }
  }
  return figures;
}

}  // namespace

ErrorFigures error_figures(const std::vector<double>& expected, const std::vector<double>& found) {
  double signal = 0.0;
  double noise = 0.0;
  ErrorFigures figures;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = found[i] - expected[i];
    signal += expected[i] * expected[i];
    noise += difference * difference;
    figures.max_abs = std::max(figures.max_abs, std::fabs(difference));
  }
  if (noise > 0.0 && signal > 0.0) figures.sqnr_db = 10.0 * std::log10(signal / noise);
  return figures;
}

RunOutcome simulate(const RunRequest& request) {
  // What does not fit is refused here, before any numbers are made.
  ChipJob job = lower_without_data(request.chip, request);
  std::unique_ptr<Operator> operation;
  const LayerOperator* layer = nullptr;
  const auto* work = std::get_if<OperatorWorkload>(&request.workload.what);
  if (request.data && work != nullptr) {
    operation = make_operation(request.workload.path, *work, true, true);
  } else if (request.data) {
    auto made = std::make_unique<LayerOperator>(request.workload);
    layer = made.get();
    operation = std::move(made);
  }
  if (operation) job = operation->lower(request.chip);
  ChipRun run = run_on_chip(request.chip, request.implementation, job, request.data);
  job.inputs.clear();

  RunOutcome outcome;
  outcome.chip = std::move(run.result);
  outcome.timing = run.timing;
  outcome.nodes = job.mapping.program.nodes;
  outcome.choices = job.mapping.choices;
  outcome.ran_in_rtl = rtl_engines_of(request.implementation, job.mapping.program, true);
  outcome.idle_in_rtl = rtl_engines_of(request.implementation, job.mapping.program, false);
  outcome.scratchpad_bytes = job.mapping.scratchpad_bytes;
  outcome.sinkhorn = sinkhorn_figures(outcome.chip.records);
  for (const hw::EngineTotals& engine : outcome.chip.totals.engines)
    outcome.saturated += engine.activity.saturated;
  if (layer) outcome.inputs = layer->data().inputs;
  if (work != nullptr && std::holds_alternative<FileData>(work->data))
    outcome.inputs = {{"tensors", std::get<FileData>(work->data).tensors}};
  if (operation) judge(*operation, run.outputs, outcome);
  if (layer) judge_loss(request, *layer, run.outputs, outcome);
  return outcome;
}

}  // namespace quadrille::app
