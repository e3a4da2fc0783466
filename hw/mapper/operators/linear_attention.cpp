// Linear attention, and DAMF's collapsed form on the same engine: pieces of the
// sequence of each head, in groups of the columns of V that the engine takes.
#include <algorithm>

#include "hw/mapper/operators/stage.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

using model::TensorId;

class LinearStage final : public Stage {
 public:
  LinearStage(Workspace& workspace, const model::IntegerGraph& graph, const StageGrant& grant)
      : workspace_(workspace),
        grant_(grant),
        node_(graph.graph.nodes[static_cast<std::size_t>(grant.node)]) {
    if (const auto* damf = std::get_if<model::DamfAttention>(&node_.op)) {
      read_damf(*damf);
      out_factor_ = graph.form<model::DamfInteger>(static_cast<std::size_t>(grant.node)).out;
    } else {
      read_linear(std::get<model::LinearAttention>(node_.op));
      out_factor_ =
          graph.form<model::LinearAttentionInteger>(static_cast<std::size_t>(grant.node)).out;
    }
    const Grid& values = *workspace_.home(v_).grid;
    value_width_ = values.columns;
    key_tokens_ = values.rows;
    queries_ = workspace_.home(node_.output(0)).grid->rows;
    // Causal queries never see the keys behind the last of them.
    keys_ = command_.causal ? std::min(key_tokens_, queries_) : key_tokens_;
    command_.total_keys = static_cast<int>(keys_);
    plan_pieces();
  }

  bool done() const override { return instance_ == heads_.instances(); }

  bool ready() override {
    if (done() || !begin(workspace_, grant_.node, "pieces of a head's tokens",
                         [this](Arena& arena) { carve(arena); }))
      return false;
    const int key = heads_.key_instance(instance_);
    const bool there = workspace_.complete(q_, instance_) && workspace_.complete(k_, key_of(k_)) &&
                       workspace_.complete(v_, key) && workspace_.can_hold(q_, instance_) &&
                       workspace_.can_hold(k_, key_of(k_)) && workspace_.can_hold(v_, key) &&
                       workspace_.can_open(node_.output(0), instance_);
    if (!there)
      blocked_ = {grant_.node, "a head's operands or outputs",
                  workspace_.emit().memory().bytes(key_tokens_, value_width_),
                  workspace_.emit().memory().largest_free(), DoesNotFit::Resource::kScratchpad};
    return there;
  }

  std::int64_t starts_at() override {
    return std::max({workspace_.emit().free_at(Unit::kLinear), workspace_.ready_at(q_, instance_),
                     workspace_.ready_at(k_, key_of(k_)),
                     workspace_.ready_at(v_, heads_.key_instance(instance_))});
  }

  // The DMA works in program order: the next piece is fetched before this one's
  // results are stored, so that it comes in while the engine works.
  void step() override {
    if (!fetched_) fetch(pieces_[piece_], current_);
    const Fetched now = current_;
    const Piece piece = pieces_[piece_];
    const bool more = piece_ + 1 < pieces_.size();
    if (more) fetch(pieces_[piece_ + 1], current_);
    fetched_ = more;
    workspace_.emit().enter(grant_.node, "weighted_values", instance_);
    workspace_.emit().add(now.operation);
    if (piece.queries > 0) put(piece, now);
    ++piece_;
    if (!more) next_instance();
  }

 private:
  struct Piece {
    std::int64_t column = 0;  ///< Of V: the group's first.
    std::int64_t columns = 0;
    std::int64_t first = 0;  ///< Position of its tokens.
    std::int64_t keys = 0;
    std::int64_t queries = 0;
    bool reset = false;
  };
  struct Fetched {
    LinearAttend operation;
    Buffer out, numerators, denominators;
  };

  void read_damf(const model::DamfAttention& op) {
    heads_ = op.heads;
    command_.kind = LinearKind::kDamf;
    command_.causal = op.settings.causal;
    command_.maximum = op.settings.maximum;
    command_.width = 2;
    q_ = k_ = node_.input(0);
    v_ = node_.input(1);
  }

  void read_linear(const model::LinearAttention& op) {
    heads_ = op.heads;
    command_.causal = op.causal;
    q_ = node_.input(0);
    k_ = node_.input(1);
    v_ = node_.input(2);
    command_.width = static_cast<int>(workspace_.home(q_).grid->columns);
    command_.sums_wanted = node_.output(1) != model::kAbsent || node_.output(2) != model::kAbsent;
    if (node_.input(3) == model::kAbsent) return;
    const std::int64_t rows = workspace_.tensor(node_.input(3)).rows;
    positions_per_head_ = op.positions_per_head;
    position_rows_ = rows / (positions_per_head_ ? heads_.heads : 1);
    command_.horizon = op.horizon(rows);
  }

  bool kernel() const { return command_.kind == LinearKind::kKernel; }
  int key_of(TensorId id) const { return id == q_ ? instance_ : heads_.key_instance(instance_); }
  bool window_wanted() const { return command_.horizon >= 1 && !command_.causal; }
  /// Elements of a token in K or Q.
  std::int64_t token_width() const { return command_.width; }

  void plan_pieces() {
    const std::int64_t chunk = workspace_.config().linear.chunk_tokens;
    const std::int64_t tokens = std::max(keys_, queries_);
    piece_tokens_ =
        std::min(tokens, round_up(divide_up(tokens, grant_.choices.query_blocks), chunk));
    const std::int64_t lanes = workspace_.config().linear.lanes;
    for (std::int64_t column = 0; column < value_width_; column += lanes) {
      const std::int64_t columns = std::min(lanes, value_width_ - column);
      bool reset = true;
      const auto add = [&](std::int64_t first, std::int64_t keys, std::int64_t queries) {
        pieces_.push_back({column, columns, first, std::max<std::int64_t>(keys, 0),
                           std::max<std::int64_t>(queries, 0), reset});
        reset = false;
      };
      const auto part = [&](std::int64_t all, std::int64_t first) {
        return std::min(piece_tokens_, all - first);
      };
      if (command_.causal) {
        for (std::int64_t first = 0; first < tokens; first += piece_tokens_)
          add(first, part(keys_, first), part(queries_, first));
        continue;
      }
      for (std::int64_t first = 0; first < keys_; first += piece_tokens_)
        add(first, part(keys_, first), 0);
      for (std::int64_t first = 0; first < queries_; first += piece_tokens_)
        add(first, 0, part(queries_, first));
    }
    workspace_.choose([&] {
      return "linear attention: pieces of " + std::to_string(piece_tokens_) + " tokens, " +
             std::to_string(divide_up(value_width_, lanes)) + " groups of columns of V";
    });
  }

  void carve(Arena& arena) {
    const std::int64_t columns =
        std::min<std::int64_t>(value_width_, workspace_.config().linear.lanes);
    if (workspace_.fetched(k_)) key_blocks_ = tokens_rotation(arena);
    if (workspace_.fetched(q_)) query_blocks_ = tokens_rotation(arena);
    if (workspace_.fetched(v_)) {
      value_blocks_ = Rotation(arena.take(2, piece_tokens_, columns));
      if (window_wanted())
        window_blocks_ = Rotation(arena.take(2, piece_tokens_ + command_.horizon, columns));
    }
    outs_ = Rotation(arena.take(2, piece_tokens_, 4 * columns));
    if (command_.sums_wanted) {
      numerators_ = Rotation(arena.take(2, piece_tokens_, 8 * columns));
      denominators_ = Rotation(arena.take(2, 1, 8 * piece_tokens_));
    }
    if (workspace_.stages(node_.output(0)))
      results_ = Rotation(arena.take(2, piece_tokens_, columns));
    if (!kernel()) return;
    const model::Tensor& tables = workspace_.tensor(node_.input(4));
    tables_ = arena.take(tables.rows, tables.columns);
    if (command_.horizon < 0) return;
    const model::Tensor& positions = workspace_.tensor(node_.input(3));
    positions_ = arena.take(positions.rows, positions.columns);
  }
  Rotation tokens_rotation(Arena& arena) const {
    return Rotation(kernel() ? arena.take(2, piece_tokens_, token_width())
                             : arena.take(2, 1, 2 * piece_tokens_));
  }

  void load_constants() {
    if (constants_loaded_ || !kernel()) return;
    constants_loaded_ = true;
    const auto load = [this](TensorId id, const Buffer& to) {
      const model::Tensor& tensor = workspace_.tensor(id);
      workspace_.fetch(id, {0, tensor.rows, 0, tensor.columns}, view_of(to));
    };
    load(node_.input(4), tables_);
    if (command_.horizon >= 0) load(node_.input(3), positions_);
  }

  /// K or Q of a piece's tokens.
  View tokens(TensorId id, std::int64_t first, std::int64_t count, Rotation& blocks) {
    const int instance = id == q_ ? instance_ : heads_.key_instance(instance_);
    if (kernel()) return workspace_.read(id, instance, {first, count, 0, token_width()}, blocks);
    return workspace_.read(id, instance, {0, 1, 2 * first, 2 * count}, blocks);
  }

  void fetch(const Piece& piece, Fetched& fetched) {
    workspace_.emit().enter(grant_.node, "load_input", instance_);
    load_constants();
    LinearAttend operation = command_;
    operation.reset = piece.reset;
    operation.first_position = static_cast<int>(piece.first);
    operation.key_tokens = static_cast<int>(piece.keys);
    operation.query_tokens = static_cast<int>(piece.queries);
    operation.value_width = static_cast<int>(piece.columns);
    if (piece.reset && kernel()) {
      operation.tables = tables_.address;
      if (command_.horizon >= 0) {
        const std::int64_t table = positions_per_head_ ? instance_ % heads_.heads : 0;
        operation.positions = positions_.at(table * position_rows_);
        operation.position_pitch_bytes = positions_.pitch_bytes;
      }
    }
    if (piece.keys > 0) {
      const View keys = tokens(k_, piece.first, piece.keys, key_blocks_);
      operation.keys = keys.address;
      operation.key_pitch_bytes = keys.pitch_bytes;
      set_values(operation, operation.values, piece, piece.first, piece.keys, value_blocks_);
    }
    if (piece.queries > 0) fetch_queries(piece, operation, fetched);
    fetched.operation = operation;
  }

  void set_values(LinearAttend& operation, std::uint64_t& address, const Piece& piece,
                  std::int64_t first, std::int64_t rows, Rotation& blocks) {
    const View values = workspace_.read(v_, heads_.key_instance(instance_),
                                        {first, rows, piece.column, piece.columns}, blocks);
    address = values.address;
    operation.value_pitch_bytes = values.pitch_bytes;
  }

  void fetch_queries(const Piece& piece, LinearAttend& operation, Fetched& fetched) {
    const View queries = tokens(q_, piece.first, piece.queries, query_blocks_);
    operation.queries = queries.address;
    operation.query_pitch_bytes = queries.pitch_bytes;
    if (window_wanted()) {
      const LinearWindow window = linear_window(operation.first_position, operation.query_tokens,
                                                operation.total_keys, operation.horizon);
      if (window.rows > 0)
        set_values(operation, operation.window, piece, window.first, window.rows, window_blocks_);
    }
    fetched.out = outs_.next();
    operation.destination = fetched.out.address;
    operation.destination_pitch_bytes = fetched.out.pitch_bytes;
    if (!command_.sums_wanted) return;
    fetched.numerators = numerators_.next();
    fetched.denominators = denominators_.next();
    operation.numerators = fetched.numerators.address;
    operation.numerator_pitch_bytes = fetched.numerators.pitch_bytes;
    operation.denominators = fetched.denominators.address;
  }

  void put(const Piece& piece, const Fetched& fetched) {
    const TensorId out = node_.output(0);
    const Grid& grid = *workspace_.home(out).grid;
    const Rectangle part{grid.first_row(instance_) + piece.first, piece.queries,
                         grid.first_column(instance_) + piece.column, piece.columns};
    Sums sums;
    sums.view = view_of(fetched.out);
    sums.out = out_factor_;
    workspace_.emit().enter(grant_.node, workspace_.stages(out) ? "store_output" : "requantise",
                            instance_);
    workspace_.write(out, instance_, part, sums, results_);
    if (node_.output(1) != model::kAbsent)
      workspace_.store(node_.output(1), part, view_of(fetched.numerators));
    // Every group of columns has the same denominators.
    if (node_.output(2) != model::kAbsent && piece.column == 0)
      workspace_.store(node_.output(2), {instance_, 1, piece.first, piece.queries},
                       view_of(fetched.denominators));
  }

  void next_instance() {
    workspace_.done(q_, instance_);
    if (k_ != q_) workspace_.done(k_, heads_.key_instance(instance_));
    workspace_.done(v_, heads_.key_instance(instance_));
    piece_ = 0;
    if (++instance_ == heads_.instances()) end(workspace_);
  }

  Workspace& workspace_;
  StageGrant grant_;
  const model::Node& node_;
  model::Heads heads_;
  LinearAttend command_;  ///< All that is the same in every piece.
  model::Multiplier out_factor_;
  TensorId q_ = 0, k_ = 0, v_ = 0;
  std::int64_t value_width_ = 0, key_tokens_ = 0, keys_ = 0, queries_ = 0;
  std::int64_t position_rows_ = 0;
  bool positions_per_head_ = false;
  std::int64_t piece_tokens_ = 0;
  std::vector<Piece> pieces_;  ///< Of one instance.
  std::size_t piece_ = 0;
  int instance_ = 0;
  Fetched current_;
  bool fetched_ = false;
  bool constants_loaded_ = false;
  Buffer tables_, positions_;
  Rotation key_blocks_, query_blocks_, value_blocks_, window_blocks_, outs_, numerators_,
      denominators_, results_;
};

}  // namespace

std::unique_ptr<Stage> make_linear_attention_stage(Workspace& workspace,
                                                   const model::IntegerGraph& graph,
                                                   const StageGrant& grant) {
  return std::make_unique<LinearStage>(workspace, graph, grant);
}

}  // namespace quadrille::hw
