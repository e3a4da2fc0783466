#include "model/graph/work.h"

#include <algorithm>

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

std::int64_t visible_pairs(std::int64_t queries, std::int64_t keys, bool causal,
                           std::int64_t offset) {
  if (!causal) return queries * keys;
  // Query i sees i + 1 + offset keys, and all of them from some query on.
  const std::int64_t growing = std::clamp<std::int64_t>(keys - offset, 0, queries);
  return growing * (growing + 1) / 2 + growing * offset + (queries - growing) * keys;
}

}  // namespace quadrille::model
