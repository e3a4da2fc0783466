// What a workload asks of the chip: a graph, its numbers, and how its outputs
// are named and shaped for the user. Builders in this folder make tasks; whoever
// runs one needs nothing else of the workload.
//
// The course of a run, in the words of model/graph:
//   lower(chip, {task.graph, {}})                    shapes alone: is there room?
//   values = evaluate(task.graph, task.values)       level float
//   quantised = quantise(task.graph, values,
//                        calibrate(task.graph, values, task.given))
//   fixed = evaluate(quantised.integers, quantised.tensors)
//   lower(chip, quantised.integers), and the chip's tensors by name
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/networks/result.h"
#include "model/graph/quantise.h"

namespace quadrille::app {

/// A tensor of the graph as the user sees it.
struct TaskOutput {
  std::string name;
  model::TensorId tensor = model::kAbsent;
  Shape shape;
  /// The elements first, first + stride, ... of the tensor; s and t are pairs.
  std::size_t first = 0;
  std::size_t stride = 1;
};

/// The rest of a language model of which the task is a part: it turns the
/// part's output into a loss.
struct LanguageContext {
  model::Graph graph;
  model::Values values;                       ///< Level `float`, every tensor.
  model::TensorId replaced = model::kAbsent;  ///< The task's output in this graph.
  model::TensorId logits = model::kAbsent;
  std::vector<int> tokens;
  /// Nats per token, everything at level `float`; of no meaning with a single token,
  /// which predicts nothing.
  double float_loss = 0.0;
};

struct Task {
  explicit Task(model::Graph made) : graph(std::move(made)), given(graph) {}

  model::Graph graph;
  model::Values values;      ///< Of inputs and weights; empty without data.
  model::Calibration given;  ///< Scales that the data or the workload state.
  std::vector<TaskOutput> outputs;
  std::string judged;  ///< The output by which the error is judged.
  /// Real tensors that explain the outputs and are no tensors of the graph: sigma.
  std::map<std::string, RealTensor> constants;
  /// Further keys of the output's metadata: causal_align.
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::string> files;  ///< Role -> path of the data files read.
  std::optional<LanguageContext> context;    ///< Trained data only.

  bool has_data() const { return !values.empty(); }
  /// InvariantError if there is none of this name.
  const TaskOutput& output(const std::string& name) const;
};

/// The task's outputs at level `float`, of the values of every tensor.
OperatorResult real_result(const Task& task, const model::Values& values);

/// The task's outputs at an integer level, of the bytes of outputs that `fixed` or
/// the chip made. Inputs and weights among the outputs are the quantised ones.
OperatorResult integer_result(const Task& task, const model::Quantised& quantised,
                              const model::ByteTensors& tensors);

/// Scales of the quantised inputs and static intermediates, by the names under
/// which the metadata of an output states them.
std::map<std::string, double> stated_scales(const Task& task, const model::Quantised& quantised);

/// "tensor 'out_q' [3,5]: fixed -12, chip -11 (17 of 168 differ, ...)": the first tensor that
/// the graph makes for the user and that differs, as code_difference() tells it, or
/// nothing. A comparison of nothing is a difference.
std::optional<std::string> first_difference(const Task& task, const std::string& expected_name,
                                            const model::ByteTensors& expected,
                                            const std::string& found_name,
                                            const model::ByteTensors& found);

// --- losses --------------------------------------------------------------------

/// -ln softmax(logits)[target], in nats.
double cross_entropy(const std::vector<double>& logits, int target);
/// Losses of rows of logits are -ln p(tokens[i + 1] | tokens[0..i]), i = 0, 1, ...
std::vector<double> next_token_losses(const std::vector<double>& logits,
                                      const std::vector<int>& tokens);
/// InvariantError without losses: the mean of nothing is no number.
double mean_loss(const std::vector<double>& losses);

/// Nats per token with the task's output replaced by `out`.
double loss_with(const LanguageContext& context, std::vector<double> out);

}  // namespace quadrille::app
