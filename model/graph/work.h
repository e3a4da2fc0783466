// The multiply-accumulates of a graph in closed form, against which a run is held.
#pragma once

#include <cstdint>
#include <optional>

#include "model/graph/graph.h"

namespace quadrille::model {

struct Work {
  std::int64_t macs_static = 0;   ///< Products with a trained constant.
  std::int64_t macs_dynamic = 0;  ///< Both operands made at run time.
};

/// What the counts of linear attention depend on besides the shapes
/// (model/analytic/linear_counts.h).
struct LinearTiling {
  int chunk_tokens = 1;
  int group_columns = 1;  ///< The engine's lanes.
};

/// None where only the data decide (products with held K under a tolerance).
std::optional<Work> work(const Graph& graph, const Node& node, const LinearTiling& tiling);
std::optional<Work> work(const Graph& graph, const LinearTiling& tiling);

}  // namespace quadrille::model
