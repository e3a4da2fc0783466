#include "model/graph/graph.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "model/errors.h"
#include "model/graph/node.h"
#include "model/number_text.h"

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
                                           "linear attention", "layer norm",   "RMS norm",
                                           "activation",       "add",          "multiply",
                                           "rotary positions", "embedding"};
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

std::string setting_text(const char* name, double value) {
  return std::string(name) + " " + number_text(value);
}

void NodeView::refuse(const std::string& expectation) const {
  throw InputError(graph.source, "node '" + node.name + "'", expectation);
}

namespace {

/// Marks the tensors that a node's inputs are made of, themselves included. Nodes stand
/// in running order, so one walk back is enough.
std::vector<bool> made_of(const NodeView& at) {
  std::vector<bool> marked(at.graph.tensors.size(), false);
  const auto mark = [&](const Node& node) {
    for (const TensorId id : node.inputs) {
      if (id != kAbsent) marked[static_cast<std::size_t>(id)] = true;
    }
  };
  mark(at.node);
  for (auto node = at.graph.nodes.rbegin(); node != at.graph.nodes.rend(); ++node) {
    if (std::any_of(node->outputs.begin(), node->outputs.end(), [&](TensorId id) {
          return id != kAbsent && marked[static_cast<std::size_t>(id)];
        }))
      mark(*node);
  }
  return marked;
}

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

void NodeView::refuse_values(const Values& values, const std::string& expectation) const {
  const std::vector<bool> marked = made_of(*this);
  std::string names;
  int count = 0;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const Tensor& tensor = graph.tensors[i];
    if (!marked[i] || values[i].empty()) continue;
    if (tensor.role != Role::kInput && tensor.role != Role::kWeight) continue;
    double largest = 0.0;
    for (const double value : values[i]) largest = std::max(largest, std::fabs(value));
    // A whole network's weights are no help.
    if (++count <= 8)
      names +=
          (names.empty() ? "'" : ", '") + tensor.name + "' (up to " + number_text(largest) + ")";
  }
  if (count > 8) names += ", ...";
  throw InputError(graph.source, (count == 1 ? "tensor " : "tensors ") + names, expectation);
}

void NodeView::require_input(std::size_t slot, std::int64_t rows, std::int64_t columns) const {
  if (!has_input(slot)) refuse("input " + std::to_string(slot) + " is missing");
  require(*this, input(slot), rows, columns);
}

void NodeView::require_output(std::size_t slot, std::int64_t rows, std::int64_t columns) const {
  if (has_output(slot)) require(*this, output(slot), rows, columns);
}

}  // namespace quadrille::model
