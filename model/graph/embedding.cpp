// The operator Embedding, of the level `float` alone.
#include "model/graph/node.h"

namespace quadrille::model {
namespace {

constexpr std::size_t kOut = 0;

namespace embedding {
enum Slot : std::size_t { kIds, kTable, kPositions, kEarlier };
}

}  // namespace

void check(const Embedding&, const NodeView& at) {
  at.require_input(embedding::kIds, -1, -1);
  at.require_input(embedding::kTable, -1, -1);
  const Tensor& table = at.input(embedding::kTable);
  if (at.has_input(embedding::kPositions)) {
    at.require_input(embedding::kPositions, -1, table.columns);
    if (at.input(embedding::kPositions).rows < at.input(embedding::kIds).columns)
      at.refuse("expected a position for every token");
  }
  for (std::size_t slot = embedding::kEarlier; slot < at.node.inputs.size(); ++slot)
    at.require_input(slot, table.rows, table.columns);
  at.require_output(kOut, at.input(embedding::kIds).elements(), table.columns);
}

void evaluate(const Embedding&, const FloatNode& at) {
  const std::vector<double>& ids = at.in(embedding::kIds);
  const auto length = static_cast<std::size_t>(at.input(embedding::kIds).columns);
  const auto width = static_cast<std::size_t>(at.input(embedding::kTable).columns);
  const auto row = [&](std::size_t slot, double id) {
    return at.in(slot).data() + static_cast<std::size_t>(id) * width;
  };
  std::vector<double> x(ids.size() * width);
  for (std::size_t token = 0; token < ids.size(); ++token) {
    const std::size_t position = token % length;
    for (std::size_t c = 0; c < width; ++c) {
      double sum = row(embedding::kTable, ids[token])[c];
      if (at.has_input(embedding::kPositions))
        sum += at.in(embedding::kPositions)[position * width + c];
      for (std::size_t j = 1; j <= position; ++j) {
        const std::size_t slot = embedding::kEarlier + j - 1;
        if (slot >= at.node.inputs.size()) break;
        sum += row(slot, ids[token - j])[c];
      }
      x[token * width + c] = sum;
    }
  }
  at.put(kOut, std::move(x));
}

}  // namespace quadrille::model
