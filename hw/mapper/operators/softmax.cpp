// Softmax attention: scores, rows, A' V, in blocks of queries. The scores of the
// next block are computed while the softmax engine works.
#include <algorithm>

#include "hw/mapper/operators/scores.h"

namespace quadrille::hw {
namespace {

class SoftmaxStage final : public Stage {
 public:
  SoftmaxStage(Workspace& workspace, const model::IntegerGraph& graph, const StageGrant& grant)
      : workspace_(workspace),
        grant_(grant),
        node_(graph.graph.nodes[static_cast<std::size_t>(grant.node)]),
        op_(std::get<model::SoftmaxAttention>(node_.op)),
        form_(graph.form<model::SoftmaxInteger>(static_cast<std::size_t>(grant.node))),
        scores_(workspace, grant.node, operands(), key_groups(), key_copies(), key_macros()) {
    value_width_ = workspace.home(node_.input(2)).grid->columns;
    plan_values();
    plan_blocks();
  }

  bool done() const override { return finished_ == blocks_.size(); }

  bool ready() override {
    if (!begin(workspace_, grant_.node, "blocks of scores and weights",
               [this](Arena& arena) { carve(arena); }))
      return false;
    if (scores_next()) {
      const Block& block = blocks_[scored_];
      if (scores_.ready(block.instance)) return true;
      blocked_ = {grant_.node, "queries and keys of a head", 0, 0,
                  DoesNotFit::Resource::kScratchpad};
      return scored_ > finished_ && values_ready(blocks_[finished_]);
    }
    return values_ready(blocks_[finished_]);
  }

  std::int64_t starts_at() override {
    if (scores_first()) return scores_.starts_at(blocks_[scored_].instance);
    return std::max(workspace_.emit().free_at(Unit::kCimCompute), blocks_[finished_].normalised);
  }

  void step() override {
    if (scores_first()) {
      score(blocks_[scored_++]);
    } else {
      finish(blocks_[finished_++]);
      if (done()) end(workspace_);
    }
  }

 private:
  struct Block {
    int instance = 0;
    std::int64_t row = 0;
    std::int64_t rows = 0;
    std::int64_t keys = 0;        ///< All that one of its queries sees, in whole strips.
    bool first = false;           ///< Of its instance and keys: V is written for it.
    bool last = false;            ///< Of its instance.
    std::int64_t normalised = 0;  ///< Cycle in which its weights are there.
    int scratch = 0;
    int value_slot = -1;
  };
  struct Scratch {
    Buffer scores, codes, reciprocals;
  };

  Scores::Operands operands() const {
    Scores::Operands operands{node_.input(0), node_.input(1), op_.heads, op_.causal, 0};
    if (op_.causal && op_.align == model::CausalAlign::kEnd)
      operands.offset =
          workspace_.home(operands.k).grid->rows - workspace_.home(operands.q).grid->rows;
    return operands;
  }
  bool wants_weights() const { return node_.output(1) != model::kAbsent; }
  /// Weights behind the mask are zeros that an output must show.
  int key_groups() const { return op_.causal && !wants_weights() ? grant_.choices.key_groups : 1; }
  int key_copies() const {
    const Choices& choices = grant_.choices;
    return attention_macros(workspace_.config(), workspace_.graph(), node_, choices) <=
                   grant_.macros.count
               ? choices.copies
               : 0;
  }

  /// Strips of K leave room for one of V.
  MacroRange key_macros() const {
    if (key_copies() > 0) return grant_.macros;
    const CimConfig& cim = workspace_.config().cim;
    const int count = grant_.macros.count;
    const auto tiles =
        static_cast<int>(divide_up(workspace_.home(node_.input(1)).grid->rows, cim.rows));
    const auto least =
        static_cast<int>(divide_up(workspace_.home(node_.input(1)).grid->columns, cim.rows));
    return {grant_.macros.first, std::max(least, std::min(count / 2, count - tiles))};
  }

  bool scores_next() const {
    return scored_ < blocks_.size() &&
           scored_ - finished_ < static_cast<std::size_t>(grant_.choices.scratch_blocks);
  }
  bool scores_first() { return scores_next() && scores_.ready(blocks_[scored_].instance); }
  bool values_ready(const Block& block) {
    const int key = op_.heads.key_instance(block.instance);
    const bool there =
        workspace_.complete(node_.input(2), key) && workspace_.can_hold(node_.input(2), key) &&
        (node_.output(0) == model::kAbsent || workspace_.can_open(node_.output(0), block.instance));
    if (!there)
      blocked_ = {grant_.node, "values or outputs of a head",
                  workspace_.emit().memory().bytes(queries(), value_width_),
                  workspace_.emit().memory().largest_free(), DoesNotFit::Resource::kScratchpad};
    return there;
  }
  std::int64_t queries() const { return workspace_.home(node_.input(0)).grid->rows; }

  void plan_values() {
    const CimConfig& cim = workspace_.config().cim;
    const std::int64_t keys = scores_.keys();
    const std::int64_t granule =
        std::max<std::int64_t>(sums_of_beat(workspace_.config()), write_granule(cim));
    const int left = grant_.macros.count - scores_.matrix().macros();
    const int whole = DynamicMatrix::macros_of(cim, keys, value_width_);
    values_.rows = keys;
    values_.first_macro = grant_.macros.first + scores_.matrix().macros();
    if (key_copies() > 0) {
      values_.strips = {{0, value_width_}};
      values_.slot_macros = whole;
      values_.slots = std::max(1, std::min(2, left / whole));
      return;
    }
    const std::int64_t tiles = divide_up(keys, cim.rows);
    if (tiles > left)
      throw DoesNotFit{grant_.node, "values", tiles + scores_.matrix().macros(),
                       grant_.macros.count, DoesNotFit::Resource::kMacros};
    values_.whole = false;
    values_.strips = aligned_strips(value_width_, left / tiles * cim.columns, granule);
    for (const Strip& strip : values_.strips)
      values_.slot_macros =
          std::max(values_.slot_macros, DynamicMatrix::macros_of(cim, keys, strip.columns));
    values_.slots = std::max(1, std::min(2, left / values_.slot_macros));
  }

  // Blocks of equal size; causal ones end where the keys of their strips end.
  void plan_blocks() {
    const Choices& choices = grant_.choices;
    const std::int64_t queries = this->queries();
    const std::int64_t keys = scores_.keys();
    const std::int64_t wanted = std::min<std::int64_t>(
        divide_up(queries, std::min<std::int64_t>(choices.query_blocks, queries)), kCimMostTokens);
    const std::int64_t offset = operands().offset;
    for (int instance = 0; instance < op_.heads.instances(); ++instance) {
      for (std::int64_t row = 0; row < queries;) {
        std::int64_t end = queries;
        std::int64_t seen = keys;
        if (key_groups() > 1) {
          // The strip that holds the last key of this row's queries.
          for (const Strip& strip : scores_.matrix().strips) {
            if (row + offset >= strip.first + strip.columns) continue;
            seen = strip.first + strip.columns;
            break;
          }
          if (seen < keys) end = std::min(queries, seen - offset);
        }
        add_blocks(instance, row, end, seen, wanted);
        row = end;
      }
      blocks_.back().last = true;
    }
    workspace_.choose([&] {
      return "softmax: blocks of " + std::to_string(block_rows_) + " queries, K in " +
             std::to_string(scores_.matrix().strips.size()) + " strips" +
             (scores_.matrix().whole ? "" : ", written for every block");
    });
  }

  void add_blocks(int instance, std::int64_t row, std::int64_t end, std::int64_t keys,
                  std::int64_t wanted) {
    const std::int64_t rows = equal_part(end - row, divide_up(end - row, wanted));
    block_rows_ = std::max(block_rows_, rows);
    for (bool first = true; row < end; row += rows, first = false)
      blocks_.push_back({instance, row, std::min(rows, end - row), keys, first, false, 0, 0, -1});
  }

  void carve(Arena& arena) {
    const std::int64_t keys = scores_.keys();
    scratch_.clear();
    for (int i = 0; i < grant_.choices.scratch_blocks; ++i) {
      Scratch scratch;
      scratch.scores = arena.take(block_rows_, 4 * keys);
      scratch.codes = arena.take(block_rows_, keys);
      scratch.reciprocals = arena.take(1, 4 * block_rows_);
      scratch_.push_back(scratch);
    }
    scores_.carve(arena, block_rows_);
    if (workspace_.fetched(node_.input(2))) {
      std::int64_t widest = 0;
      for (const Strip& strip : values_.strips) widest = std::max(widest, strip.columns);
      value_strips_ = Rotation(arena.take(2, scores_.keys(), widest));
    }
    if (node_.output(0) != model::kAbsent && workspace_.stages(node_.output(0)))
      results_ = Rotation(arena.take(2, block_rows_, value_width_ * element_bytes(0)));
    if (wants_weights()) weights_ = Rotation(arena.take(2, block_rows_, 4 * keys));
  }
  int element_bytes(std::size_t output) const {
    return bytes_of(workspace_.tensor(node_.output(output)).format);
  }

  void write_values(Block& block, std::size_t index) {
    const Strip& strip = values_.strips[index];
    Emitter& emit = workspace_.emit();
    values_.next_slot();
    emit.enter(grant_.node, "load_input", block.instance);
    const View values = workspace_.read(node_.input(2), op_.heads.key_instance(block.instance),
                                        {0, block.keys, strip.first, strip.columns}, value_strips_);
    CimWrite operation;
    operation.source = values.address;
    operation.source_pitch_bytes = values.pitch_bytes;
    operation.rows = static_cast<int>(block.keys);
    operation.columns = static_cast<int>(strip.columns);
    operation.dynamic = true;
    operation.region = values_.region(workspace_.config().cim, index, block.keys);
    emit.enter(grant_.node, "write_dynamic", block.instance);
    emit.add(operation);
    value_slot_ = values_.turn;
    held_instance_ = op_.heads.key_instance(block.instance);
    held_keys_ = block.keys;
  }
  /// A whole V is there from an earlier head of the same keys.
  bool holds_values(const Block& block) const {
    return held_keys_ == block.keys && held_instance_ == op_.heads.key_instance(block.instance);
  }

  /// V may be written before the block's turn: it takes no slot that products of the
  /// block before, which are still to be emitted, need. Otherwise it waits for finish().
  bool values_may_come() const {
    if (!values_.whole || values_.slots == 1 || scored_ > finished_ + 2) return false;
    if (scored_ < finished_ + 2) return true;
    const Block& before = blocks_[scored_ - 2];
    return !before.first || before.value_slot >= 0;
  }

  void score(Block& block) {
    Emitter& emit = workspace_.emit();
    block.scratch = static_cast<int>(turn_++ % scratch_.size());
    const Scratch& scratch = scratch_[static_cast<std::size_t>(block.scratch)];
    scores_.emit(block.instance, block.row, block.rows, block.keys, view_of(scratch.scores));
    if (block.first && node_.output(0) != model::kAbsent && values_may_come() &&
        values_ready(block)) {
      if (!holds_values(block)) write_values(block, 0);
      block.value_slot = value_slot_;
    }
    SoftmaxRows rows;
    rows.source = scratch.scores.address;
    rows.source_pitch_bytes = scratch.scores.pitch_bytes;
    rows.destination = scratch.codes.address;
    rows.destination_pitch_bytes = scratch.codes.pitch_bytes;
    rows.reciprocals = scratch.reciprocals.address;
    rows.queries = static_cast<int>(block.rows);
    rows.keys = static_cast<int>(block.keys);
    rows.causal = op_.causal;
    // From query number `keys` on every row sees all keys.
    rows.first_query =
        op_.causal ? static_cast<int>(std::min(block.row + operands().offset, block.keys)) : 0;
    rows.factor = form_.exponent;
    emit.enter(grant_.node, "normalise", block.instance);
    block.normalised = emit.add(rows);
  }

  void finish(Block& block) {
    Emitter& emit = workspace_.emit();
    const Scratch& scratch = scratch_[static_cast<std::size_t>(block.scratch)];
    if (wants_weights()) {
      Sums weights;
      weights.reciprocals = scratch.reciprocals.address;
      weights.view = view_of(scratch.codes);
      weights.codes = true;
      weights.fraction_bits = model::kWeightFractionBits;
      const Grid& queries = *workspace_.home(node_.input(0)).grid;
      emit.enter(grant_.node, "requantise", block.instance);
      workspace_.write(
          node_.output(1), -1,
          {queries.first_row(block.instance) + block.row, block.rows, 0, scores_.keys()}, weights,
          weights_);
    }
    if (node_.output(0) != model::kAbsent) {
      const model::TensorId out = node_.output(0);
      const Grid& grid = *workspace_.home(out).grid;
      const Rectangle part{grid.first_row(block.instance) + block.row, block.rows,
                           grid.first_column(block.instance), value_width_};
      workspace_.open(out, block.instance);
      const View view = workspace_.stages(out) ? view_of(results_.next())
                                               : workspace_.place_of(out, block.instance, part);
      for (std::size_t i = 0; i < values_.strips.size(); ++i)
        weight_values(block, scratch, i, view);
      emit.enter(grant_.node, "store_output", block.instance);
      workspace_.wrote(out, block.instance, part, view);
    }
    if (!block.last) return;
    scores_.done(block.instance);
    workspace_.done(node_.input(2), op_.heads.key_instance(block.instance));
  }

  void weight_values(Block& block, const Scratch& scratch, std::size_t index, const View& out) {
    Emitter& emit = workspace_.emit();
    if (!values_.whole) {
      write_values(block, index);
    } else if (block.value_slot < 0) {
      if (block.first && !holds_values(block)) write_values(block, index);
      block.value_slot = value_slot_of(block);
    }
    if (values_.whole) values_.turn = block.value_slot;
    const Strip& strip = values_.strips[index];
    CimMultiply operation;
    operation.source = scratch.codes.address;
    operation.source_pitch_bytes = scratch.codes.pitch_bytes;
    operation.destination = out.from(0, element_bytes(0) * strip.first).address;
    operation.destination_pitch_bytes = out.pitch_bytes;
    operation.epilogue.normalise = true;
    operation.epilogue.reciprocals = scratch.reciprocals.address;
    operation.epilogue.fraction_bits = model::kSoftmaxOutputFractionBits;
    if (element_bytes(0) == 1) {
      operation.epilogue.result = CimResult::kCodes8;
      operation.epilogue.multiplier = form_.out;
    }
    operation.tokens = static_cast<int>(block.rows);
    operation.rows = static_cast<int>(block.keys);
    operation.columns = static_cast<int>(strip.columns);
    operation.input_signed = false;
    operation.dynamic = true;
    operation.causal_rows = op_.causal;
    operation.first_token = static_cast<int>(block.row + operands().offset);
    operation.region = values_.region(workspace_.config().cim, index, block.keys);
    emit.enter(grant_.node, "weighted_values", block.instance);
    emit.add(operation);
    if (values_.whole) {
      finish_slot_ = block.value_slot;
      values_.turn = value_slot_;
    }
  }
  /// The slot of a block that is not the first: that of the one before it.
  int value_slot_of(const Block& block) const { return block.first ? value_slot_ : finish_slot_; }

  Workspace& workspace_;
  StageGrant grant_;
  const model::Node& node_;
  const model::SoftmaxAttention& op_;
  model::SoftmaxInteger form_;
  Scores scores_;
  std::int64_t value_width_ = 0;
  DynamicMatrix values_;
  int held_instance_ = -1;  ///< Key instance and keys of the V written last.
  std::int64_t held_keys_ = 0;
  int value_slot_ = 0;   ///< Where it is.
  int finish_slot_ = 0;  ///< Where the V of the block finished last is.
  std::vector<Block> blocks_;
  std::int64_t block_rows_ = 0;
  std::vector<Scratch> scratch_;
  std::size_t turn_ = 0, scored_ = 0, finished_ = 0;
  Rotation value_strips_, results_, weights_;
};

}  // namespace

std::unique_ptr<Stage> make_softmax_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                          const StageGrant& grant) {
  return std::make_unique<SoftmaxStage>(workspace, graph, grant);
}

}  // namespace quadrille::hw
