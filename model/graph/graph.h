// A graph of operators over named tensors: a list in running order. It says
// what is computed; where and when is the mapper's business.
#pragma once

#include <string>
#include <vector>

#include "model/graph/operators.h"
#include "model/graph/tensor.h"

namespace quadrille::model {

using TensorId = int;
inline constexpr TensorId kAbsent = -1;

struct Node {
  std::string name;   ///< Unique: "key", "attention", ...
  std::string layer;  ///< The row of the report by layer.
  Operator op;
  std::vector<TensorId> inputs;   ///< By position, as operators.h lists them.
  std::vector<TensorId> outputs;  ///< The same; kAbsent: nobody wants it.

  TensorId input(std::size_t slot) const { return slot < inputs.size() ? inputs[slot] : kAbsent; }
  TensorId output(std::size_t slot) const {
    return slot < outputs.size() ? outputs[slot] : kAbsent;
  }
};

struct Graph {
  std::string name;
  std::string source;  ///< The file that messages name.
  std::vector<Tensor> tensors;
  std::vector<Node> nodes;

  TensorId add(Tensor tensor);
  const Tensor& tensor(TensorId id) const { return tensors[static_cast<std::size_t>(id)]; }
  /// kAbsent when there is none of this name.
  TensorId find(const std::string& wanted) const;
};

/// InputError naming node and tensor when the shapes of a node's tensors do not
/// fit its operator, a tensor is used before it is made, or a name appears twice.
void check(const Graph& graph);

/// The graph's operators as integers: one form per node. Without data the forms
/// are monostate, and every factor counts as its default.
struct IntegerGraph {
  Graph graph;
  std::vector<IntegerForm> forms;

  /// The node's form, or a default one where there is none.
  template <typename Form>
  Form form(std::size_t node) const {
    if (node < forms.size()) {
      if (const auto* held = std::get_if<Form>(&forms[node])) return *held;
    }
    return {};
  }
};

}  // namespace quadrille::model
