#include "app/simulation.h"

#include <algorithm>
#include <cmath>

#include "app/chip_run.h"
#include "app/operators/compare.h"
#include "app/operators/layer_operator.h"

namespace quadrille::app {
namespace {

void judge(const RunRequest& request, const LayerOperator& layer, const CodeMap& outputs,
           RunOutcome& outcome) {
  const OperatorResult chip = layer.collect(outputs);
  outcome.difference = first_difference("fixed", layer.run_fixed(), "chip", chip);
  const std::vector<double>& values = chip.reals.at("out").values;
  outcome.error = error_figures(layer.run_float().reals.at("out").values, values);
  if (layer.data().context) {
    const ModelContext& context = *layer.data().context;
    outcome.loss =
        LossFigures{context.float_loss, loss_with(context, request.workload.shape, values),
                    static_cast<std::int64_t>(context.tokens.size()) - 1};
  }
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
  // The mapper's messages begin with the chip's name: let it be the file's.
  hw::ChipConfig named = request.chip;
  if (!request.chip_path.empty()) named.name = request.chip_path;
  // What does not fit is refused here, before any numbers are made.
  ChipJob job = lower_shape(named, request.workload.shape);
  std::optional<LayerOperator> layer;
  if (request.data) {
    layer.emplace(request.workload);
    job = layer->lower(named);
  }
  ChipRun run = run_on_chip(request.chip, request.implementation, job, request.data);

  RunOutcome outcome;
  outcome.chip = std::move(run.result);
  outcome.timing = run.timing;
  outcome.layers = job.mapping.program.layers;
  outcome.choices = job.mapping.choices;
  outcome.scratchpad_bytes = job.mapping.scratchpad_bytes;
  if (layer) {
    outcome.inputs = layer->data().inputs;
    judge(request, *layer, run.outputs, outcome);
  }
  return outcome;
}

}  // namespace quadrille::app
