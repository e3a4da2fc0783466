#include "hw/mapper/placement.h"

#include <algorithm>

#include "hw/mapper/operators/scores.h"

namespace quadrille::hw {
namespace {

using model::kAbsent;
using model::TensorId;

/// What one tensor is used for.
struct Uses {
  bool by_heads = false;   ///< An attention reads it instance by instance.
  bool by_rows = false;    ///< A projection reads whole rows.
  bool again = false;      ///< Its reader may want a part more than once (K, V).
  std::vector<int> reads;  ///< By instance.
};

class Placer {
 public:
  Placer(Workspace& workspace, const Choices& choices)
      : workspace_(workspace), choices_(choices), uses_(workspace.graph().tensors.size()) {}

  void place() {
    for (const model::Node& node : workspace_.graph().nodes) {
      node_ = &node;
      for (const TensorId id : node.outputs) {
        if (id != kAbsent) workspace_.home(id).made = true;
      }
      std::visit(*this, node.op);
    }
    for (std::size_t id = 0; id < uses_.size(); ++id) settle(static_cast<TensorId>(id));
  }

  /// Operators without an integer form have been refused.
  template <typename Op>
  void operator()(const Op&) {}
  void operator()(const model::Linear&) { uses_of(0).by_rows = true; }
  void operator()(const model::DamfProject&) {
    uses_of(0).by_rows = true;
    set_grid(node_->output(0), rows_grid(node_->output(0)));
  }
  void operator()(const model::SoftmaxAttention& op) { queries_keys_values(op.heads, 3, true); }
  void operator()(const model::LinearAttention& op) { queries_keys_values(op.heads, 3, false); }
  void operator()(const model::DamfAttention& op) {
    heads(node_->input(0), rows_grid(node_->input(0)), op.heads, false, true);
    heads(node_->input(1), key_grid(op.heads, tensor(node_->input(1))), op.heads, true, true);
    set_grid(node_->output(0), query_grid(op.heads, tensor(node_->output(0))));
  }
  void operator()(const model::SinkhornAttention& op) {
    queries_keys_values(op.heads, node_->input(2) == kAbsent ? 2 : 3, true);
    for (const std::size_t slot : {3, 4}) flat(node_->input(slot));
    flat_outputs();
  }
  void operator()(const model::Sinkhorn& op) {
    model::Heads matrices;
    matrices.batch = op.shape.batch;
    if (node_->input(1) != kAbsent)
      heads(node_->input(1), key_grid(matrices, tensor(node_->input(1))), matrices, true, true);
    if (node_->output(0) != kAbsent)
      set_grid(node_->output(0), query_grid(matrices, tensor(node_->output(0))));
    for (const std::size_t slot : {0, 2, 3}) flat(node_->input(slot));
    flat_outputs();
  }

 private:
  const model::Tensor& tensor(TensorId id) const { return workspace_.tensor(id); }
  Uses& uses_of(std::size_t slot) { return uses_[static_cast<std::size_t>(node_->input(slot))]; }

  /// One instance a row: pairs (s, t).
  Grid rows_grid(TensorId id) const {
    Grid grid;
    grid.instances = static_cast<int>(tensor(id).rows);
    grid.rows = 1;
    grid.columns = tensor(id).columns;
    return grid;
  }
  void set_grid(TensorId id, const Grid& grid) {
    if (id != kAbsent) workspace_.home(id).grid = grid;
  }
  void flat(TensorId id) {
    if (id != kAbsent) workspace_.home(id).flat = true;
  }
  void flat_outputs() {
    for (std::size_t slot = 1; slot < node_->outputs.size(); ++slot) flat(node_->output(slot));
  }

  /// `keys`: instances of the key side, read by several heads.
  void heads(TensorId id, const Grid& grid, const model::Heads& heads, bool keys, bool again) {
    set_grid(id, grid);
    Uses& uses = uses_[static_cast<std::size_t>(id)];
    uses.by_heads = true;
    uses.again = uses.again || again;
    uses.reads.resize(static_cast<std::size_t>(grid.instances));
    for (int i = 0; i < heads.instances(); ++i)
      ++uses.reads[static_cast<std::size_t>(keys ? heads.key_instance(i) : i)];
  }
  void queries_keys_values(const model::Heads& shape, std::size_t operands, bool again) {
    heads(node_->input(0), query_grid(shape, tensor(node_->input(0))), shape, false, false);
    for (std::size_t slot = 1; slot < operands; ++slot)
      heads(node_->input(slot), key_grid(shape, tensor(node_->input(slot))), shape, true, again);
    if (node_->output(0) != kAbsent)
      set_grid(node_->output(0), query_grid(shape, tensor(node_->output(0))));
  }

  void settle(TensorId id) {
    Home& home = workspace_.home(id);
    const Uses& uses = uses_[static_cast<std::size_t>(id)];
    if (uses.by_heads && !uses.by_rows) {
      const bool pairs = home.grid->rows == 1;
      if (home.made && (choices_.keep_heads || pairs)) {
        home.place = Place::kPanels;
      } else {
        home.held = choices_.hold_heads && uses.again;
      }
    } else if (uses.by_rows && !uses.by_heads && home.made && choices_.keep_attention) {
      home.place = Place::kRows;
      if (home.grid)
        home.column_stride = home.grid->per_batch > 1 && home.grid->in_columns
                                 ? workspace_.aligned_columns(home.grid->columns)
                                 : home.grid->columns;
    }
    if (home.place == Place::kPanels || home.held) home.reads_left = uses.reads;
  }

  Workspace& workspace_;
  const Choices& choices_;
  std::vector<Uses> uses_;
  const model::Node* node_ = nullptr;
};

}  // namespace

void place_tensors(Workspace& workspace, const Choices& choices) {
  Placer(workspace, choices).place();
}

}  // namespace quadrille::hw
