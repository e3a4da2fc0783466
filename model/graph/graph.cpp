#include "model/graph/graph.h"

#include <algorithm>

namespace quadrille::model {

TensorId Graph::add(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size()) - 1;
}

TensorId Graph::find(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? kAbsent : static_cast<TensorId>(found - tensors.begin());
}

}  // namespace quadrille::model
