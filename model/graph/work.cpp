#include "model/graph/work.h"

#include "model/graph/node.h"

namespace quadrille::model {

std::optional<Work> work(const Graph& graph, const Node& node, const LinearTiling& tiling) {
  const NodeView view{graph, node};
  return std::visit([&](const auto& op) { return count(op, view, tiling); }, node.op);
}

std::optional<Work> work(const Graph& graph, const LinearTiling& tiling) {
  Work total;
  for (const Node& node : graph.nodes) {
    const std::optional<Work> part = work(graph, node, tiling);
    if (!part) return std::nullopt;
    total.macs_static += part->macs_static;
    total.macs_dynamic += part->macs_dynamic;
  }
  return total;
}

}  // namespace quadrille::model
