#include "app/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/networks/attention_layer.h"
#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

/// Whether a scale hangs on values that the level `float` has to make first.
bool scales_need_values(const Task& task) {
  for (const model::Node& node : task.graph.nodes) {
    // The scales of phi follow from the largest query and key.
    if (std::holds_alternative<model::LinearAttention>(node.op)) return true;
    for (const model::TensorId id : node.outputs) {
      if (id == model::kAbsent) continue;
      const model::Format format = task.graph.tensor(id).format;
      const bool codes = format == model::Format::kCodes8 || format == model::Format::kCodes16;
      if (codes && task.given.scales[static_cast<std::size_t>(id)].empty()) return true;
    }
  }
  return false;
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

std::optional<model::SinkhornResidual> largest_residual(const model::FixedRun& fixed) {
  std::optional<model::SinkhornResidual> largest;
  for (const std::vector<model::SinkhornResidual>& matrices : fixed.residuals) {
    for (const model::SinkhornResidual& residual : matrices) {
      if (!largest) largest.emplace();
      largest->row = std::max(largest->row, residual.row);
      largest->column = std::max(largest->column, residual.column);
    }
  }
  return largest;
}

/// The chip's outputs against the levels `fixed` and `float`.
void judge(Simulation& simulation, const ChipRun& run, RunOutcome& outcome) {
  const Task& task = simulation.task();
  outcome.difference = simulation.difference("chip", run);
  if (outcome.sinkhorn) outcome.sinkhorn->final_residual = largest_residual(simulation.fixed());
  const OperatorResult real = real_result(task, simulation.values());
  const std::vector<double>& judged = outcome.outputs->reals.at(task.judged).values;
  outcome.error = error_figures(real.reals.at(task.judged).values, judged);
  outcome.formula = formula_of(task.graph);
  for (const auto& [name, tensor] : real.reals) {
    const auto found = outcome.outputs->reals.find(name);
    if (found == outcome.outputs->reals.end()) continue;
    outcome.output_errors.emplace_back(name, error_figures(tensor.values, found->second.values));
  }
  outcome.head_errors = head_errors(task.graph, simulation.values(), simulation.quantised(),
                                    simulation.fixed().tensors);
  outcome.float_outputs = real;
  if (!task.context || task.context->tokens.size() < 2) return;
  const LanguageContext& context = *task.context;
  outcome.loss = LossFigures{context.float_loss, loss_with(context, judged),
                             static_cast<std::int64_t>(context.tokens.size()) - 1};
}

}  // namespace

void Simulation::require_room() const { hw::lower(chip_, {task_.graph, {}}); }

const model::Values& Simulation::values() {
  if (!values_) values_ = model::evaluate(task_.graph, task_.values);
  return *values_;
}

const model::Quantised& Simulation::quantised() {
  if (!quantised_) {
    const model::Values& known = scales_need_values(task_) ? values() : task_.values;
    quantised_ =
        model::quantise(task_.graph, known, model::calibrate(task_.graph, known, task_.given));
  }
  return *quantised_;
}

const model::FixedRun& Simulation::fixed() {
  if (!fixed_) fixed_ = model::evaluate(quantised().integers, quantised().tensors);
  return *fixed_;
}

const ChipJob& Simulation::job() {
  if (!job_) {
    job_ = task_.has_data() ? make_job(chip_, quantised().integers)
                            : make_job(chip_, {task_.graph, {}});
  }
  return *job_;
}

hw::Mapping Simulation::take_mapping() {
  job();
  hw::Mapping mapping = std::move(job_->mapping);
  job_.reset();
  return mapping;
}

ChipRun Simulation::run(const Body& body) {
  return run_on_chip(chip_, body, job(), task_.has_data() ? &quantised().tensors : nullptr);
}

std::optional<std::string> Simulation::difference(const std::string& name, const ChipRun& run) {
  return first_difference(task_, "fixed", fixed().tensors, name, run.outputs);
}

Task make_task(const Workload& workload, bool data) {
  if (const auto* layer = std::get_if<AttentionLayerWorkload>(&workload.what))
    return attention_layer_task(workload.path, *layer, data);
  const auto& work = std::get<OperatorWorkload>(workload.what);
  OperatorOptions options;
  options.result_only = true;
  options.assumed_half_steps = work.assumed_half_steps;
  if (const auto* file = std::get_if<FileData>(&work.data)) {
    Task task = operator_task(work.name, FileTensors(SafetensorsFile::open(file->tensors), data),
                              work.settings, options);
    task.files = {{"tensors", file->tensors}};
    return task;
  }
  const auto& source = std::get<RandomSource>(work.data);
  ShapedTensors::Draw draw;
  if (data) draw = ShapedTensors::random(source.seed, source.deviation);
  return operator_task(work.name, ShapedTensors(workload.path, work.shapes, draw), work.settings,
                       options);
}

RunOutcome simulate(const RunRequest& request) {
  Simulation simulation(make_task(request.workload, request.data), request.chip);
  if (request.data) simulation.require_room();
  ChipRun run = simulation.run({request.chip.timing, request.implementation, request.rtl});
  hw::Mapping mapping = simulation.take_mapping();

  RunOutcome outcome;
  outcome.timing = run.timing;
  outcome.bounds = hw::bounds_of(request.chip, simulation.task().graph);
  outcome.ran_in_rtl = rtl_engines_of(request.implementation, mapping.program, true);
  outcome.idle_in_rtl = rtl_engines_of(request.implementation, mapping.program, false);
  outcome.scratchpad_bytes = mapping.scratchpad_bytes;
  outcome.tensors = hw::tensor_traffic(mapping, run.result.records);
  outcome.critical_path = hw::critical_path(mapping.program, run.result);
  outcome.sinkhorn = sinkhorn_figures(run.result.records);
  for (const hw::EngineTotals& engine : run.result.totals.engines)
    outcome.saturated += engine.activity.saturated;
  if (request.data) outcome.saturated_inputs = simulation.quantised().saturated;
  outcome.inputs = simulation.task().files;
  outcome.choices = std::move(mapping.choices);
  outcome.program = std::move(mapping.program);
  if (request.data) outcome.outputs = simulation.result(run);
  if (request.data && request.check != Check::kNone) judge(simulation, run, outcome);
  outcome.chip = std::move(run.result);
  return outcome;
}

}  // namespace quadrille::app
