#include "model/graph/graph.h"

#include <algorithm>
#include <set>

#include "model/errors.h"
#include "model/graph/node.h"

namespace quadrille::model {

TensorId Graph::add(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size()) - 1;
}

TensorId Graph::find(const std::string& wanted) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.name == wanted; });
  return found == tensors.end() ? kAbsent : static_cast<TensorId>(found - tensors.begin());
}

const char* name_of(const Operator& op) {
  static constexpr const char* kNames[] = {"linear",           "damf project", "softmax attention",
                                           "damf attention",   "sinkhorn",     "sinkhorn attention",
                                           "linear attention", "embedding",    "layer norm",
                                           "activation",       "add"};
  static_assert(std::variant_size_v<Operator> == std::size(kNames));
  return kNames[op.index()];
}

void check(const Graph& graph) {
  std::set<std::string> names;
  for (const Tensor& tensor : graph.tensors) {
    if (names.insert(tensor.name).second && tensor.rows > 0 && tensor.columns > 0) continue;
    throw InputError(graph.source, "tensor '" + tensor.name + "'",
                     "expected a name of its own and at least one element");
  }
  std::set<TensorId> made;
  for (const Node& node : graph.nodes) {
    const NodeView at{graph, node};
    for (const TensorId input : node.inputs) {
      if (input == kAbsent) continue;
      const Role role = graph.tensor(input).role;
      const bool is_made = role == Role::kValue || role == Role::kOutput;
      if (is_made && made.count(input) == 0)
        at.refuse("expected '" + graph.tensor(input).name + "' to be made by an earlier node");
    }
    std::visit([&](const auto& op) { check(op, at); }, node.op);
    for (const TensorId output : node.outputs) {
      if (output != kAbsent && !made.insert(output).second)
        at.refuse("expected '" + graph.tensor(output).name + "' to be made by one node");
    }
  }
}

void NodeView::refuse(const std::string& expectation) const {
  throw InputError(graph.source, "node '" + node.name + "'", expectation);
}

namespace {

void require(const NodeView& at, const Tensor& tensor, std::int64_t rows, std::int64_t columns) {
  const auto fits = [](std::int64_t found, std::int64_t expected) {
    return expected < 0 ? found > 0 : found == expected;
  };
  if (fits(tensor.rows, rows) && fits(tensor.columns, columns)) return;
  const auto side = [](std::int64_t size) {
    return size < 0 ? std::string("any") : std::to_string(size);
  };
  at.refuse("tensor '" + tensor.name + "' is " + std::to_string(tensor.rows) + " x " +
            std::to_string(tensor.columns) + ", expected " + side(rows) + " x " + side(columns));
}

}  // namespace

void NodeView::require_input(std::size_t slot, std::int64_t rows, std::int64_t columns) const {
  if (!has_input(slot)) refuse("input " + std::to_string(slot) + " is missing");
  require(*this, input(slot), rows, columns);
}

void NodeView::require_output(std::size_t slot, std::int64_t rows, std::int64_t columns) const {
  if (has_output(slot)) require(*this, output(slot), rows, columns);
}

}  // namespace quadrille::model
