#include "app/networks/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/operators/compare.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::size_t at(model::TensorId id) { return static_cast<std::size_t>(id); }

bool is_constant(const model::Tensor& tensor) {
  return tensor.role == model::Role::kInput || tensor.role == model::Role::kWeight;
}

template <typename T>
std::vector<T> part_of(std::vector<T> all, const TaskOutput& output) {
  if (output.stride == 1) return all;
  std::vector<T> part;
  for (std::size_t i = output.first; i < all.size(); i += output.stride) part.push_back(all[i]);
  return part;
}

double stated_scale(const TaskOutput& output, const std::vector<double>& scales) {
  return scales.empty() ? 1.0 : scales[scales.size() == 1 ? 0 : output.first];
}

/// The node whose K the task delivers, if any.
struct Kernel {
  const TaskOutput* output = nullptr;
  model::SinkhornShape matrix;  ///< Of one.
  Shape per_matrix;
};

std::optional<Kernel> kernel_of(const Task& task) {
  for (const model::Node& node : task.graph.nodes) {
    const bool costs = std::holds_alternative<model::Sinkhorn>(node.op);
    const auto* pairs = std::get_if<model::SinkhornAttention>(&node.op);
    if (!costs && pairs == nullptr) continue;
    for (const TaskOutput& output : task.outputs) {
      if (output.tensor == model::kAbsent || output.tensor != node.output(1)) continue;
      Kernel kernel{&output, {}, {output.shape.begin(), output.shape.end() - 2}};
      kernel.matrix.rows = static_cast<int>(output.shape.end()[-2]);
      kernel.matrix.columns = static_cast<int>(output.shape.end()[-1]);
      kernel.matrix.causal =
          costs ? std::get<model::Sinkhorn>(node.op).shape.causal : pairs->causal;
      if (kernel.per_matrix.empty()) kernel.per_matrix = {1};
      return kernel;
    }
  }
  return std::nullopt;
}

/// Residuals of the K delivered.
void add_errors(const Task& task, OperatorResult& result) {
  const auto kernel = kernel_of(task);
  if (!kernel) return;
  const std::vector<double>& k = result.reals.at(kernel->output->name).values;
  const auto elements = static_cast<std::ptrdiff_t>(kernel->matrix.elements());
  RealTensor rows{kernel->per_matrix, {}}, columns{kernel->per_matrix, {}};
  for (auto matrix = k.begin(); matrix != k.end(); matrix += elements) {
    const model::SinkhornResidual residual =
        model::sinkhorn_residual({matrix, matrix + elements}, kernel->matrix);
    rows.values.push_back(residual.row);
    columns.values.push_back(residual.column);
  }
  result.reals["row_error"] = std::move(rows);
  result.reals["col_error"] = std::move(columns);
}

std::string encoding_text(model::Encoding encoding) {
  switch (encoding) {
    case model::Encoding::kScaled:
      break;
    case model::Encoding::kLog2:
      return "log2, 16 fraction bits";
    case model::Encoding::kReciprocal:
      return "reciprocal, mantissa * 2^(24 - shift): mantissa in bits 0..16, shift in bits 24..29";
  }
  return "";
}

}  // namespace

const TaskOutput& Task::output(const std::string& name) const {
  for (const TaskOutput& output : outputs) {
    if (output.name == name) return output;
  }
  throw InvariantError("the task has no output " + name);
}

OperatorResult real_result(const Task& task, const model::Values& values) {
  OperatorResult result;
  result.reals = task.constants;
  for (const TaskOutput& output : task.outputs)
    result.reals[output.name] = {output.shape, part_of(values[at(output.tensor)], output)};
  add_errors(task, result);
  return result;
}

OperatorResult integer_result(const Task& task, const model::Quantised& quantised,
                              const model::ByteTensors& tensors) {
  OperatorResult result;
  result.reals = task.constants;
  for (const TaskOutput& output : task.outputs) {
    const model::Tensor& tensor = task.graph.tensor(output.tensor);
    const bool constant = is_constant(tensor);
    const model::TensorBytes& bytes = (constant ? quantised.tensors : tensors)[at(output.tensor)];
    result.reals[output.name] = {
        output.shape, part_of(model::dequantise(quantised, output.tensor, bytes), output)};
    result.integers[output.name] = {
        output.shape, part_of(model::unpack64(bytes, tensor.format), output),
        stated_scale(output, quantised.scales[at(output.tensor)]),
        encoding_text(quantised.encodings[at(output.tensor)]), constant};
  }
  add_errors(task, result);
  return result;
}

std::map<std::string, double> stated_scales(const Task& task, const model::Quantised& quantised) {
  std::map<std::string, double> stated;
  const model::Graph& graph = task.graph;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const model::Tensor& tensor = graph.tensors[i];
    const std::vector<double>& scales = quantised.scales[i];
    if (scales.size() != 1 || bytes_of(tensor.format) > 2) continue;
    stated[tensor.name] = scales.front();
  }
  for (const TaskOutput& output : task.outputs) {
    const std::vector<double>& scales = quantised.scales[at(output.tensor)];
    if (output.stride == 2 && scales.size() >= 2) stated[output.name] = scales[output.first];
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const model::IntegerForm& form = quantised.integers.forms[i];
    if (const auto* sinkhorn = std::get_if<model::SinkhornFormat>(&form)) {
      stated["logits"] = std::ldexp(1.0, -sinkhorn->fraction_bits);
      // The operator has an output K as well.
      if (const auto k = stated.extract("K")) stated["K_in"] = k.mapped();
    }
    if (std::holds_alternative<model::LinearAttentionInteger>(form)) {
      const std::vector<double>& phi = quantised.scales[at(graph.nodes[i].input(4))];
      stated["phi_q"] = phi[0];
      stated["phi_k"] = phi[1];
    }
  }
  return stated;
}

std::optional<std::string> first_difference(const Task& task, const std::string& expected_name,
                                            const model::ByteTensors& expected,
                                            const std::string& found_name,
                                            const model::ByteTensors& found) {
  bool compared = false;
  for (std::size_t i = 0; i < task.graph.tensors.size(); ++i) {
    const model::Tensor& tensor = task.graph.tensors[i];
    if (tensor.role != model::Role::kOutput) continue;
    compared = true;
    if (expected[i] == found[i]) continue;
    if (expected[i].size() != found[i].size()) {
      return fmt::format("tensor '{}_q': {} bytes in {}, {} in {}", tensor.name, expected[i].size(),
                         expected_name, found[i].size(), found_name);
    }
    return code_difference(tensor.name + "_q", {tensor.rows, tensor.columns},
                           {expected_name, model::unpack64(expected[i], tensor.format)},
                           {found_name, model::unpack64(found[i], tensor.format)});
  }
  if (compared) return std::nullopt;
  return fmt::format("nothing to compare in {} and {}", expected_name, found_name);
}

double loss_with(const LanguageContext& context, std::vector<double> out) {
  model::Values values = context.values;
  values[at(context.replaced)] = std::move(out);
  model::forget_dependents(context.graph, context.replaced, values);
  values = model::evaluate(context.graph, std::move(values));
  const std::vector<double> losses = next_token_losses(values[at(context.logits)], context.tokens);
  return mean_loss(losses);
}

std::vector<double> next_token_losses(const std::vector<double>& logits,
                                      const std::vector<int>& tokens) {
  const auto vocabulary = static_cast<std::ptrdiff_t>(logits.size() / tokens.size());
  std::vector<double> losses;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i) * vocabulary;
    losses.push_back(cross_entropy({row, row + vocabulary}, tokens[i + 1]));
  }
  return losses;
}

double mean_loss(const std::vector<double>& losses) {
  if (losses.empty()) throw InvariantError("a mean loss of no predictions");
  double sum = 0.0;
  for (const double loss : losses) sum += loss;
  return sum / static_cast<double>(losses.size());
}

double cross_entropy(const std::vector<double>& logits, int target) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(target)];
}

}  // namespace quadrille::app
