// Sinkhorn normalisation of given logits or of Q K^T, and the products of its K
// with V: a matrix at a time, or batches of small ones in pieces.
#include <algorithm>

#include "hw/mapper/operators/scores.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using model::kAbsent;
using model::SinkhornForm;
using model::TensorId;

/// A node of either operator, in the same terms.
struct SinkhornNode {
  model::SinkhornShape shape;  ///< Of all matrices.
  model::SinkhornSettings settings;
  int assumed_half_steps = 0;
  bool attention = false;  ///< Logits are made from Q and K.
  model::Heads heads;
  TensorId c = kAbsent, q = kAbsent, k = kAbsent, v = kAbsent, g0 = kAbsent, f0 = kAbsent;
  TensorId out = kAbsent, kernel = kAbsent, f = kAbsent, g = kAbsent, iterations = kAbsent;

  bool held() const { return settings.form != SinkhornForm::kScaling; }
  bool warm() const { return g0 != kAbsent || f0 != kAbsent; }
};

SinkhornNode read_node(const model::Graph& graph, const model::Node& node) {
  SinkhornNode read;
  std::size_t next = 0;
  if (const auto* op = std::get_if<model::SinkhornAttention>(&node.op)) {
    read.attention = true;
    read.heads = op->heads;
    read.settings = op->settings;
    read.assumed_half_steps = op->assumed_half_steps;
    read.q = node.input(next++);
    read.k = node.input(next++);
    read.shape = {op->heads.instances(),
                  static_cast<int>(query_grid(op->heads, graph.tensor(read.q)).rows),
                  static_cast<int>(key_grid(op->heads, graph.tensor(read.k)).rows), op->causal};
  } else {
    const auto& sinkhorn = std::get<model::Sinkhorn>(node.op);
    read.shape = sinkhorn.shape;
    read.settings = sinkhorn.settings;
    read.assumed_half_steps = sinkhorn.assumed_half_steps;
    read.heads.batch = sinkhorn.shape.batch;
    read.c = node.input(next++);
  }
  read.v = node.input(next++);
  read.g0 = node.input(next++);
  read.f0 = node.input(next);
  read.out = node.output(0);
  read.kernel = node.output(1);
  read.f = node.output(2);
  read.g = node.output(3);
  read.iterations = node.output(4);
  return read;
}

class SinkhornStage final : public Stage {
 public:
  SinkhornStage(Workspace& workspace, const model::IntegerGraph& graph, const StageGrant& grant)
      : workspace_(workspace),
        grant_(grant),
        node_(read_node(graph.graph, graph.graph.nodes[static_cast<std::size_t>(grant.node)])),
        form_(graph.form<model::SinkhornFormat>(static_cast<std::size_t>(grant.node))) {
    const SinkhornConfig& unit = workspace.config().sinkhorn;
    const bool resident =
        sinkhorn_resident(unit, node_.shape.rows, node_.shape.columns, node_.settings.form);
    if (!node_.attention && node_.shape.batch > 1 && resident && node_.v == kAbsent) {
      plan_pieces(sinkhorn_block_matrices(unit, node_.shape.rows, node_.shape.columns,
                                          node_.settings.form));
    }
    if (node_.v != kAbsent) value_width_ = workspace.home(node_.v).grid->columns;
    if (node_.attention) {
      const int copies =
          Scores::macros_of(workspace.config(), score_width(), node_.shape.columns, 1) *
                      grant.choices.copies <=
                  grant.macros.count
              ? grant.choices.copies
              : 0;
      scores_ = std::make_unique<Scores>(
          workspace, grant.node,
          Scores::Operands{node_.q, node_.k, node_.heads, node_.shape.causal, 0}, 1, copies,
          grant.macros);
    }
    plan_stripes();
    sets_ = static_cast<std::size_t>(std::clamp(grant.choices.scratch_blocks, 1, pieces()));
  }

  bool done() const override { return finished_ == pieces(); }

  bool ready() override {
    if (done() || !begin(workspace_, grant_.node, "the logits of a head",
                         [this](Arena& arena) { carve(arena); }))
      return false;
    if (loads_next() && operands_ready(loaded_)) return true;
    return loaded_ > finished_ && values_ready(finished_);
  }

  std::int64_t starts_at() override {
    if (!loads_next() || !operands_ready(loaded_))
      return workspace_.emit().free_at(Unit::kSinkhorn);
    return scores_ ? scores_->starts_at(loaded_) : 0;
  }

  void step() override {
    if (loads_next() && operands_ready(loaded_)) {
      load(loaded_++);
      return;
    }
    if (batched()) {
      scale_piece(finished_);
    } else {
      scale_matrix(finished_);
    }
    if (++finished_ == pieces()) end(workspace_);
  }

 private:
  struct Set {
    Buffer elements, warm_rows, warm_columns, rows, columns, counts, kernel;
    View values;  ///< V, where it was fetched with the logits.
  };
  struct Stripe {
    Buffer kernel, out;
  };

  const model::SinkhornShape& shape() const { return node_.shape; }
  bool batched() const { return piece_matrices_ > 0; }
  int pieces() const {
    return batched() ? static_cast<int>(divide_up(shape().batch, piece_matrices_)) : shape().batch;
  }
  int matrices_of(int piece) const {
    return batched() ? std::min(piece_matrices_, shape().batch - piece * piece_matrices_) : 1;
  }
  std::int64_t element_bytes() const {
    return node_.attention ? 4 : bytes_of(workspace_.tensor(node_.c).format);
  }
  std::int64_t score_width() const { return workspace_.home(node_.q).grid->columns; }
  bool has_scalings() const { return node_.settings.form != SinkhornForm::kMatrix; }
  /// K by rows, behind the scalings: for V, or because it is wanted.
  bool applies() const {
    return !batched() && (node_.v != kAbsent || (node_.kernel != kAbsent && !node_.held()));
  }
  bool stripes_have_kernel() const { return node_.kernel != kAbsent && !node_.held(); }

  bool loads_next() const {
    return loaded_ < pieces() && static_cast<std::size_t>(loaded_ - finished_) < sets_;
  }
  /// V comes from the DRAM, not from a node of the graph.
  bool values_given() { return node_.v != kAbsent && !workspace_.home(node_.v).made; }
  bool operands_ready(int piece) {
    return (!scores_ || scores_->ready(piece)) &&
           (!values_given() || workspace_.can_hold(node_.v, node_.heads.key_instance(piece)));
  }
  bool values_ready(int piece) {
    const bool there =
        node_.v == kAbsent || (workspace_.complete(node_.v, node_.heads.key_instance(piece)) &&
                               workspace_.can_hold(node_.v, node_.heads.key_instance(piece)) &&
                               workspace_.can_open(node_.out, piece));
    if (!there)
      blocked_ = {grant_.node, "a head's values or outputs",
                  workspace_.emit().memory().bytes(shape().rows, value_width_),
                  workspace_.emit().memory().largest_free(), DoesNotFit::Resource::kScratchpad};
    return there;
  }

  // Whole blocks of the tile memory in each piece.
  void plan_pieces(std::int64_t block) {
    const std::int64_t wanted = divide_up(shape().batch, grant_.choices.query_blocks);
    piece_matrices_ =
        static_cast<int>(std::min<std::int64_t>(round_up(wanted, block), shape().batch));
    workspace_.choose([&] {
      return "batch: pieces of " + std::to_string(piece_matrices_) + " matrices, " +
             std::to_string(block) + " in the tile memory at a time";
    });
  }

  // From whole words of row scalings on. With V as few stripes as fit, since each
  // of them takes V in anew; without, the DMA stores one while the unit makes the next.
  void plan_stripes() {
    if (!applies()) return;
    const std::int64_t granule =
        std::max<std::int64_t>(1, workspace_.config().scratchpad.word_bytes / 4);
    const int blocks = grant_.choices.query_blocks;
    const int wanted = node_.v != kAbsent ? std::max(1, blocks / 4) : blocks;
    stripe_rows_ =
        std::min<std::int64_t>(round_up(divide_up(shape().rows, wanted), granule), shape().rows);
    workspace_.choose(
        [&] { return "K applied in stripes of " + std::to_string(stripe_rows_) + " rows"; });
  }

  void carve(Arena& arena) {
    const std::int64_t rows = shape().rows;
    const std::int64_t columns = shape().columns;
    set_.clear();
    stripes_.clear();
    for (std::size_t i = 0; i < sets_; ++i) {
      // A piece of a batch lies flat, a single matrix has its rows in whole words.
      const std::int64_t count = matrices_of(0);
      const auto matrix = [&](std::int64_t bytes) {
        return batched() ? arena.take(1, count * shape().elements() * bytes)
                         : arena.take(rows, columns * bytes);
      };
      Set set;
      set.elements = matrix(element_bytes());
      if (node_.warm()) {
        set.warm_rows = arena.take(1, 4 * count * rows);
        set.warm_columns = arena.take(1, 4 * count * std::max(rows, columns));
      }
      set.rows = arena.take(1, 4 * count * rows);
      set.columns = arena.take(1, 4 * count * columns);
      set.counts = arena.take(1, 4 * count);
      if (node_.held() || (batched() && node_.kernel != kAbsent)) set.kernel = matrix(4);
      set_.push_back(set);
    }
    for (int i = 0; applies() && i < 2; ++i) {
      Stripe stripe;
      if (stripes_have_kernel()) stripe.kernel = arena.take(stripe_rows_, 4 * columns);
      if (node_.v != kAbsent) stripe.out = arena.take(stripe_rows_, 4 * value_width_);
      stripes_.push_back(stripe);
    }
    if (scores_) scores_->carve(arena, rows);
    if (node_.v == kAbsent) return;
    const std::int64_t value_bytes = value_width_ * bytes_of(workspace_.tensor(node_.v).format);
    if (workspace_.fetched(node_.v))
      values_ = Rotation(arena.take(static_cast<int>(sets_), columns, value_bytes));
    if (workspace_.stages(node_.out))
      results_ = Rotation(arena.take(2, stripe_rows_, value_width_));
  }

  Set& set_of(int piece) { return set_[static_cast<std::size_t>(piece) % sets_]; }

  /// Elements [first, first + elements) of a flat tensor, one run.
  void fetch_flat(TensorId id, std::int64_t row, std::int64_t rows, const Buffer& to) {
    const std::int64_t columns = workspace_.tensor(id).columns;
    workspace_.fetch(id, {row, rows, 0, columns},
                     {to.address, columns * bytes_of(workspace_.tensor(id).format)});
  }
  void store_flat(TensorId id, std::int64_t row, std::int64_t rows, const Buffer& from) {
    if (id == kAbsent) return;
    const std::int64_t columns = workspace_.tensor(id).columns;
    workspace_.store(id, {row, rows, 0, columns},
                     {from.address, columns * bytes_of(workspace_.tensor(id).format)});
  }

  void load(int piece) {
    Emitter& emit = workspace_.emit();
    Set& set = set_of(piece);
    const std::int64_t first = batched() ? std::int64_t{piece} * piece_matrices_ : piece;
    const std::int64_t count = matrices_of(piece);
    emit.enter(grant_.node, "load_input", piece);
    if (node_.warm()) load_warm(set, first, count);
    // The DMA works in program order: V comes in before the results go out.
    if (values_given()) read_values(set, piece);
    emit.enter(grant_.node, "load_input", piece);
    if (scores_) {
      scores_->emit(piece, 0, shape().rows, shape().columns, view_of(set.elements));
    } else if (batched()) {
      fetch_flat(node_.c, first * shape().rows, count * shape().rows, set.elements);
    } else {
      workspace_.fetch(node_.c, {first * shape().rows, shape().rows, 0, shape().columns},
                       view_of(set.elements));
    }
  }

  // Starting scalings of both sides. Alternate half-steps only look at the columns'; on
  // a square matrix damped ones start both sides alike.
  void load_warm(const Set& set, std::int64_t first, std::int64_t count) {
    if (node_.g0 != kAbsent) fetch_flat(node_.g0, first, count, set.warm_columns);
    if (node_.f0 != kAbsent) fetch_flat(node_.f0, first, count, set.warm_rows);
    if (node_.f0 != kAbsent || shape().rows <= shape().columns) return;
    // Rows have no starting scalings of their own, and the command reads words for
    // them: those of the columns, again and again.
    if (node_.settings.update == model::SinkhornUpdate::kDamped)
      throw InvariantError("damped Sinkhorn updates of a rectangular matrix start from f0 and g0");
    const std::int64_t columns = shape().columns;
    const std::int64_t words = count * shape().rows;
    for (std::int64_t at = count * columns; at < words; at += columns) {
      workspace_.fetch(node_.g0, {first, 1, 0, std::min(columns, words - at)},
                       {set.warm_columns.at(0, 4 * at), 4 * columns});
    }
  }

  SinkhornScale scale_command(const Set& set, int count) const {
    const model::SinkhornSettings& settings = node_.settings;
    SinkhornScale operation;
    operation.batch = count;
    operation.source = set.elements.address;
    operation.element_bytes = static_cast<int>(element_bytes());
    operation.source_pitch_bytes =
        batched() ? shape().columns * element_bytes() : set.elements.pitch_bytes;
    operation.matrix_stride_bytes = shape().rows * operation.source_pitch_bytes;
    operation.rows = shape().rows;
    operation.columns = shape().columns;
    operation.causal = shape().causal;
    operation.warm = node_.warm();
    operation.warm_columns = set.warm_columns.address;
    operation.warm_rows = node_.f0 != kAbsent ? set.warm_rows.address : set.warm_columns.address;
    operation.row_scalings = set.rows.address;
    operation.column_scalings = set.columns.address;
    operation.counts = set.counts.address;
    operation.factor = form_.factor;
    operation.logit_fraction_bits = form_.fraction_bits;
    operation.form = settings.form;
    operation.update = settings.update;
    set_steps(operation);
    operation.column_target = model::sinkhorn_column_target(shape());
    operation.column_target_inverse =
        model::make_multiplier(static_cast<double>(shape().columns) / shape().rows);
    operation.kernel_wanted = node_.held() || (batched() && node_.kernel != kAbsent);
    if (operation.kernel_wanted) {
      operation.kernel = set.kernel.address;
      operation.kernel_pitch_bytes =
          batched() ? std::int64_t{4} * shape().columns : set.kernel.pitch_bytes;
      operation.kernel_stride_bytes = shape().rows * operation.kernel_pitch_bytes;
    }
    return operation;
  }

  void set_steps(SinkhornScale& operation) const {
    const model::SinkhornSettings& settings = node_.settings;
    operation.half_steps = settings.half_steps;
    operation.stop = settings.tolerance > 0.0;
    operation.tolerance_code = form_.tolerance_code;
    if (!operation.stop || node_.assumed_half_steps == 0) return;
    operation.stop = false;
    operation.verify = node_.assumed_half_steps < settings.half_steps;
    operation.half_steps = std::min(node_.assumed_half_steps, settings.half_steps);
  }

  void store_scalings(const Set& set, std::int64_t first, std::int64_t count, int piece) {
    workspace_.emit().enter(grant_.node, "store_output", piece);
    if (has_scalings()) {
      store_flat(node_.f, first, count, set.rows);
      store_flat(node_.g, first, count, set.columns);
    }
    if (node_.iterations != kAbsent)
      workspace_.store(node_.iterations, {0, 1, first, count}, view_of(set.counts));
  }

  void scale_piece(int piece) {
    const Set& set = set_of(piece);
    const std::int64_t first = std::int64_t{piece} * piece_matrices_;
    workspace_.emit().enter(grant_.node, "normalise", piece);
    workspace_.emit().add(scale_command(set, matrices_of(piece)));
    store_scalings(set, first, matrices_of(piece), piece);
    if (node_.kernel != kAbsent)
      store_flat(node_.kernel, first * shape().rows, matrices_of(piece) * shape().rows, set.kernel);
  }

  void scale_matrix(int matrix) {
    Set& set = set_of(matrix);
    workspace_.emit().enter(grant_.node, "normalise", matrix);
    workspace_.emit().add(scale_command(set, 1));
    store_scalings(set, matrix, 1, matrix);
    if (node_.held() && node_.kernel != kAbsent)
      workspace_.store(node_.kernel,
                       {std::int64_t{matrix} * shape().rows, shape().rows, 0, shape().columns},
                       view_of(set.kernel));
    if (applies()) {
      if (node_.v != kAbsent && !values_given()) read_values(set, matrix);
      for (std::int64_t row = 0; row < shape().rows; row += stripe_rows_)
        apply(matrix, row, std::min(stripe_rows_, shape().rows - row), set);
    }
    if (scores_) scores_->done(matrix);
    if (node_.v != kAbsent) workspace_.done(node_.v, node_.heads.key_instance(matrix));
  }

  void read_values(Set& set, int matrix) {
    workspace_.emit().enter(grant_.node, "load_input", matrix);
    set.values = workspace_.read(node_.v, node_.heads.key_instance(matrix),
                                 {0, shape().columns, 0, value_width_}, values_);
  }

  void apply(int matrix, std::int64_t row, std::int64_t rows, const Set& set) {
    const Stripe& stripe = stripes_[stripe_turn_++ % stripes_.size()];
    SinkhornApply operation;
    const Buffer& source = node_.held() ? set.kernel : set.elements;
    operation.source = source.at(row);
    operation.source_pitch_bytes = source.pitch_bytes;
    operation.element_bytes = static_cast<int>(node_.held() ? 4 : element_bytes());
    if (node_.held()) {
      operation.from = SinkhornSource::kKernel;
    } else {
      operation.row_scalings = set.rows.at(0, 4 * row);
      operation.column_scalings = set.columns.address;
    }
    if (stripes_have_kernel()) {
      operation.kernel_wanted = true;
      operation.kernel = stripe.kernel.address;
      operation.kernel_pitch_bytes = stripe.kernel.pitch_bytes;
    }
    if (node_.v != kAbsent) {
      operation.values = set.values.address;
      operation.value_pitch_bytes = set.values.pitch_bytes;
      operation.value_bytes = bytes_of(workspace_.tensor(node_.v).format);
      operation.value_width = static_cast<int>(value_width_);
      operation.destination = stripe.out.address;
      operation.destination_pitch_bytes = stripe.out.pitch_bytes;
    }
    operation.rows = static_cast<int>(rows);
    operation.columns = shape().columns;
    operation.causal = shape().causal;
    operation.first_row = static_cast<int>(row);
    operation.factor = form_.factor;
    operation.logit_fraction_bits = form_.fraction_bits;
    workspace_.emit().enter(grant_.node, "weighted_values", matrix);
    workspace_.emit().add(operation);
    put(matrix, row, rows, stripe);
  }

  void put(int matrix, std::int64_t row, std::int64_t rows, const Stripe& stripe) {
    workspace_.emit().enter(grant_.node, "store_output", matrix);
    if (stripes_have_kernel())
      workspace_.store(node_.kernel,
                       {std::int64_t{matrix} * shape().rows + row, rows, 0, shape().columns},
                       view_of(stripe.kernel));
    if (node_.v == kAbsent) return;
    if (!workspace_.stages(node_.out)) workspace_.emit().enter(grant_.node, "requantise", matrix);
    const Grid& grid = *workspace_.home(node_.out).grid;
    Sums sums;
    sums.view = view_of(stripe.out);
    sums.out = form_.out;
    workspace_.write(node_.out, matrix,
                     {grid.first_row(matrix) + row, rows, grid.first_column(matrix), value_width_},
                     sums, results_);
  }

  Workspace& workspace_;
  StageGrant grant_;
  SinkhornNode node_;
  model::SinkhornFormat form_;
  std::unique_ptr<Scores> scores_;
  std::int64_t value_width_ = 0;
  int piece_matrices_ = 0;  ///< 0: a matrix at a time.
  std::int64_t stripe_rows_ = 0;
  std::size_t sets_ = 1;
  std::vector<Set> set_;
  std::vector<Stripe> stripes_;
  std::size_t stripe_turn_ = 0;
  int loaded_ = 0, finished_ = 0;
  Rotation values_, results_;
};

}  // namespace

std::unique_ptr<Stage> make_sinkhorn_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                           const StageGrant& grant) {
  return std::make_unique<SinkhornStage>(workspace, graph, grant);
}

}  // namespace quadrille::hw
