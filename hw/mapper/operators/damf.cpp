// DAMF attention on its own engine: a command per head, from pairs (s, t) and V.
#include <algorithm>

#include "hw/mapper/operators/stage.h"

namespace quadrille::hw {
namespace {

class DamfStage final : public Stage {
 public:
  DamfStage(Workspace& workspace, const model::IntegerGraph& graph, const StageGrant& grant)
      : workspace_(workspace),
        grant_(grant),
        node_(graph.graph.nodes[static_cast<std::size_t>(grant.node)]),
        op_(std::get<model::DamfAttention>(node_.op)),
        form_(graph.form<model::DamfInteger>(static_cast<std::size_t>(grant.node))) {}

  bool done() const override { return next_ == op_.heads.instances(); }

  bool ready() override {
    if (done() || !begin(workspace_, grant_.node, "a head's weighted values",
                         [this](Arena& arena) { carve(arena); }))
      return false;
    const bool there =
        workspace_.complete(node_.input(0), next_) && workspace_.complete(node_.input(1), next_) &&
        workspace_.can_hold(node_.input(0), next_) && workspace_.can_hold(node_.input(1), next_) &&
        workspace_.can_open(node_.output(0), next_);
    if (!there)
      blocked_ = {grant_.node, "a head's values or outputs",
                  workspace_.emit().memory().bytes(values().rows, values().columns),
                  workspace_.emit().memory().largest_free(), DoesNotFit::Resource::kScratchpad};
    return there;
  }

  std::int64_t starts_at() override {
    return std::max({workspace_.emit().free_at(Unit::kDamf),
                     workspace_.ready_at(node_.input(0), next_),
                     workspace_.ready_at(node_.input(1), next_)});
  }

  void step() override {
    Emitter& emit = workspace_.emit();
    const Grid& grid = values();
    emit.enter(grant_.node, "load_input", next_);
    const View pairs =
        workspace_.read(node_.input(0), next_, {0, 1, 0, 2 * grid.rows}, pair_blocks_);
    const View values =
        workspace_.read(node_.input(1), next_, {0, grid.rows, 0, grid.columns}, value_blocks_);
    const View sums = view_of(sums_.next());
    DamfAttend operation;
    operation.scores = pairs.address;
    operation.values = values.address;
    operation.value_pitch_bytes = values.pitch_bytes;
    operation.destination = sums.address;
    operation.destination_pitch_bytes = sums.pitch_bytes;
    operation.tokens = static_cast<int>(grid.rows);
    operation.width = static_cast<int>(grid.columns);
    operation.settings = op_.settings;
    if (!form_.rules.empty())
      operation.rule = form_.rules[static_cast<std::size_t>(next_ % op_.heads.heads)];
    emit.enter(grant_.node, "weighted_values", next_);
    emit.add(operation);
    workspace_.done(node_.input(0), next_);
    workspace_.done(node_.input(1), next_);
    put(sums, grid);
    if (++next_ == op_.heads.instances()) end(workspace_);
  }

 private:
  const Grid& values() const { return *workspace_.home(node_.input(1)).grid; }

  void put(const View& sums, const Grid& grid) {
    const model::TensorId out = node_.output(0);
    workspace_.emit().enter(grant_.node, workspace_.stages(out) ? "store_output" : "requantise",
                            next_);
    for (std::int64_t row = 0; row < grid.rows; row += put_rows()) {
      Sums block;
      block.view = sums.from(row);
      block.out = form_.out;
      workspace_.write(out, next_,
                       {grid.first_row(next_) + row, std::min(put_rows(), grid.rows - row),
                        grid.first_column(next_), grid.columns},
                       block, results_);
    }
  }
  /// Spilled codes pass in blocks, all else at once.
  std::int64_t put_rows() const {
    const std::int64_t rows = values().rows;
    return stages_codes() ? equal_part(rows, std::min<std::int64_t>(4, rows)) : rows;
  }
  bool stages_codes() const {
    return workspace_.stages(node_.output(0)) &&
           workspace_.tensor(node_.output(0)).format == model::Format::kCodes8;
  }

  void carve(Arena& arena) {
    const Grid& grid = values();
    if (workspace_.fetched(node_.input(0)))
      pair_blocks_ = Rotation(arena.take(2, 1, 2 * grid.rows));
    if (workspace_.fetched(node_.input(1)))
      value_blocks_ = Rotation(arena.take(2, grid.rows, grid.columns));
    sums_ = Rotation(arena.take(std::min(grant_.choices.sums_blocks, op_.heads.instances()),
                                grid.rows, 4 * grid.columns));
    if (stages_codes()) results_ = Rotation(arena.take(2, put_rows(), grid.columns));
  }

  Workspace& workspace_;
  StageGrant grant_;
  const model::Node& node_;
  const model::DamfAttention& op_;
  model::DamfInteger form_;
  int next_ = 0;
  Rotation pair_blocks_, value_blocks_, sums_, results_;
};

}  // namespace

std::unique_ptr<Stage> make_damf_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                       const StageGrant& grant) {
  return std::make_unique<DamfStage>(workspace, graph, grant);
}

}  // namespace quadrille::hw
