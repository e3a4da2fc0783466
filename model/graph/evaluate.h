// What a graph computes, at both levels of the model: a loop over its nodes.
#pragma once

#include <cstdint>
#include <vector>

#include "model/attention/sinkhorn.h"
#include "model/graph/bytes.h"
#include "model/graph/graph.h"

namespace quadrille::model {

/// Tensors of the level `float` by TensorId, row-major; empty: not known.
using Values = std::vector<std::vector<double>>;

/// Level `float`: makes what is not known from what is. A node whose outputs are
/// all known is not evaluated again, so that values may be replaced.
Values evaluate(const Graph& graph, Values values);

/// Drops every value that depends on `tensor`, and keeps the tensor's own.
void forget_dependents(const Graph& graph, TensorId tensor, Values& values);

/// Level `fixed`: the integer specification.
struct FixedRun {
  ByteTensors tensors;
  std::int64_t saturated = 0;     ///< Values that were clamped.
  std::int64_t uniform_rows = 0;  ///< DAMF's rows that fell back to uniform weights.
  /// By node, for nodes of Sinkhorn: residuals of the K delivered, one per matrix,
  /// in double precision.
  std::vector<std::vector<SinkhornResidual>> residuals;
};

/// Needs the bytes of inputs and weights, and a form for every node. InvariantError
/// for operators that have no integer form.
FixedRun evaluate(const IntegerGraph& graph, ByteTensors tensors);

}  // namespace quadrille::model
