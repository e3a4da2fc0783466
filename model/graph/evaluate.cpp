#include "model/graph/evaluate.h"

#include <algorithm>
#include <cmath>

#include "model/errors.h"
#include "model/graph/node.h"
#include "model/numerics/quantise.h"

namespace quadrille::model {
namespace {

std::size_t at(TensorId id) { return static_cast<std::size_t>(id); }

template <typename Tensors>
bool all_known(const std::vector<TensorId>& outputs, const Tensors& tensors) {
  return std::all_of(outputs.begin(), outputs.end(),
                     [&](TensorId id) { return id == kAbsent || !tensors[at(id)].empty(); });
}

/// Nothing can be measured against a reference that is not a number, and no scale
/// comes from it.
void require_finite(const FloatNode& view) {
  for (const TensorId id : view.node.outputs) {
    if (id == kAbsent) continue;
    const std::vector<double>& made = view.values[at(id)];
    const auto wrong =
        std::find_if(made.begin(), made.end(), [](double value) { return !std::isfinite(value); });
    if (wrong == made.end()) continue;
    const Tensor& tensor = view.graph.tensor(id);
    const std::int64_t element = wrong - made.begin();
    view.refuse_values(
        view.values, "'" + tensor.name + "' [" + std::to_string(element / tensor.columns) + "," +
                         std::to_string(element % tensor.columns) + "] of node '" + view.node.name +
                         "' is not finite in double precision, expected values of a "
                         "smaller range");
  }
}

}  // namespace

Values evaluate(const Graph& graph, Values values) {
  values.resize(graph.tensors.size());
  for (const Node& node : graph.nodes) {
    if (all_known(node.outputs, values)) continue;
    const FloatNode view{{graph, node}, values, &values};
    std::visit([&](const auto& op) { evaluate(op, view); }, node.op);
    require_finite(view);
  }
  return values;
}

void forget_dependents(const Graph& graph, TensorId tensor, Values& values) {
  std::vector<bool> depends(graph.tensors.size(), false);
  depends[at(tensor)] = true;
  for (const Node& node : graph.nodes) {
    if (std::none_of(node.inputs.begin(), node.inputs.end(),
                     [&](TensorId id) { return id != kAbsent && depends[at(id)]; }))
      continue;
    for (const TensorId id : node.outputs) {
      if (id == kAbsent || id == tensor) continue;
      depends[at(id)] = true;
      values[at(id)].clear();
    }
  }
}

const std::vector<double>& FloatNode::in(std::size_t slot) const {
  const std::vector<double>& found = values[at(node.input(slot))];
  if (static_cast<std::int64_t>(found.size()) != input(slot).elements()) {
    throw InvariantError("node " + node.name + ": tensor " + input(slot).name + " has " +
                         std::to_string(found.size()) + " values, expected " +
                         std::to_string(input(slot).elements()));
  }
  return found;
}

void FloatNode::put(std::size_t slot, std::vector<double> output) const {
  if (has_output(slot)) (*made)[at(node.output(slot))] = std::move(output);
}

FixedRun evaluate(const IntegerGraph& integers, ByteTensors tensors) {
  const Graph& graph = integers.graph;
  FixedRun run;
  run.tensors = std::move(tensors);
  run.tensors.resize(graph.tensors.size());
  run.residuals.resize(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const IntegerNode view{{graph, node}, integers.forms.at(i), run, run.residuals[i]};
    std::visit([&](const auto& op) { evaluate(op, view); }, node.op);
  }
  return run;
}

std::vector<std::int32_t> IntegerNode::in(std::size_t slot) const {
  const Tensor& tensor = input(slot);
  const TensorBytes& bytes = run.tensors[at(node.input(slot))];
  if (static_cast<std::int64_t>(bytes.size()) != tensor.rows * tensor.row_bytes()) {
    throw InvariantError("node " + node.name + ": tensor " + tensor.name + " has " +
                         std::to_string(bytes.size()) + " bytes, expected " +
                         std::to_string(tensor.rows * tensor.row_bytes()));
  }
  return unpack32(bytes, tensor.format);
}

void IntegerNode::put(std::size_t slot, const std::vector<std::int64_t>& sums,
                      const Multiplier& factor) const {
  if (!has_output(slot)) return;
  const Format format = output(slot).format;
  if (format == Format::kSums32 || format == Format::kSums64) return put_codes(slot, sums);
  std::vector<std::int64_t> codes;
  codes.reserve(sums.size());
  for (const std::int64_t sum : sums)
    codes.push_back(requantised(sum, factor, 8 * bytes_of(format)));
  put_codes(slot, codes);
}

void IntegerNode::put_codes(std::size_t slot, const std::vector<std::int64_t>& codes) const {
  if (has_output(slot)) run.tensors[at(node.output(slot))] = pack(codes, output(slot).format);
}

void IntegerNode::put(std::size_t slot, const VectorFixedResult& result) const {
  run.saturated += result.saturated;
  put_codes(slot, result.out_q);
}

std::int64_t IntegerNode::requantised(std::int64_t sum, const Multiplier& factor, int bits) const {
  const std::int64_t code = requantise(sum, factor, bits);
  run.saturated += code != requantise(sum, factor, 32) ? 1 : 0;
  return code;
}

}  // namespace quadrille::model
