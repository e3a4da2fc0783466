// Lowers linear attention to pieces of the sequence that stream through the
// scratchpad; DAMF's collapsed form takes the same road.
#include <algorithm>

#include "hw/mapper/lowering.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

// A long sequence is cut into as few pieces as the scratchpad allows, a short
// one into about as many as this, so that loads, engine and stores overlap.
constexpr std::int64_t kWantedPieces = 8;

std::uint64_t offset(std::uint64_t address, std::int64_t bytes) {
  return address + static_cast<std::uint64_t>(bytes);
}

/// A sequence problem, whatever its keys and queries are made of.
struct Sequence {
  LinearAttend command;  ///< All that is the same in every piece.
  int keys = 0;          ///< Keys that some query sees.
  int queries = 0;
  int value_width = 0;
  std::string key_tensor, query_tensor;  ///< The same for pairs (s, t).
};

class LinearMapper {
 public:
  LinearMapper(Workbench& bench, const Sequence& sequence) : bench_(bench), sequence_(sequence) {
    check_limits();
  }

  void run() {
    if (sequence_.command.kind == LinearKind::kKernel) load_constants();
    const std::vector<Strip> groups = strips_of(sequence_.value_width, bench_.config.linear.lanes);
    plan_pieces(groups.front().columns);
    bench_.choices.push_back("linear attention: pieces of " + std::to_string(piece_tokens_) +
                             " tokens, " + std::to_string(groups.size()) +
                             " groups of columns of V");
    for (const Strip& group : groups) {
      fresh_ = true;
      if (sequence_.command.causal) {
        causal(group);
      } else {
        keys(group);
        queries(group);
      }
    }
    emit();
  }

 private:
  struct Piece {
    Buffer keys, values, queries, window, out, numerators, denominators;
  };
  /// One command with the buffers it works on.
  struct Item {
    LinearAttend operation;
    Strip group;
    Piece piece;
    std::vector<Storage> reads, writes;
  };

  void check_limits() const {
    const ChipConfig& config = bench_.config;
    const LinearAttend& command = sequence_.command;
    if (command.width > config.linear.max_width) {
      throw InputError(config.source(), "linear.max_width",
                       "expected at least " + std::to_string(command.width));
    }
    if (command.horizon > config.linear.max_horizon) {
      throw InputError(config.source(), "linear.max_horizon",
                       "expected at least " + std::to_string(command.horizon));
    }
  }

  void load_constants() {
    tables_ = bench_.load(bench_.dram.at("tables"), Phase::kLoadWeights);
    if (sequence_.command.horizon >= 0) {
      positions_ = bench_.load(bench_.dram.at("RP"), Phase::kLoadWeights);
    }
  }

  // Rows that divide a word lie without gaps.
  std::int64_t pitch(std::int64_t row_bytes) const {
    const std::int64_t word = bench_.config.scratchpad.word_bytes;
    return row_bytes < word && word % row_bytes == 0 ? row_bytes : round_up(row_bytes, word);
  }
  Buffer rows_buffer(std::int64_t tokens, std::int64_t row_bytes, const std::string& what) {
    Buffer buffer = bench_.scratchpad.matrix(1, tokens * pitch(row_bytes), what);
    buffer.pitch_bytes = pitch(row_bytes);
    return buffer;
  }

  bool window_wanted() const { return sequence_.command.horizon >= 1 && !sequence_.command.causal; }

  std::int64_t key_bytes() const {
    return sequence_.command.kind == LinearKind::kDamf ? 2 : sequence_.command.width;
  }

  void plan_pieces(int columns) {
    const bool sums = sequence_.command.sums_wanted;
    const std::int64_t token_bytes = 2 * pitch(key_bytes()) + 2 * pitch(columns) +
                                     pitch(std::int64_t{4} * columns) +
                                     (sums ? pitch(std::int64_t{8} * columns) + pitch(8) : 0);
    const std::int64_t chunk = bench_.config.linear.chunk_tokens;
    const std::int64_t slack = std::int64_t{16} * bench_.config.scratchpad.word_bytes;
    const std::int64_t margin =
        std::int64_t{2} * std::max(0, sequence_.command.horizon) * pitch(columns);
    const std::int64_t fit =
        (bench_.scratchpad.free_bytes() / 2 - slack - margin) / token_bytes / chunk * chunk;
    if (fit < chunk) {
      throw InputError(bench_.config.source(), "scratchpad.capacity_kib",
                       "expected room for two pieces of " + std::to_string(chunk) + " tokens, " +
                           std::to_string(2 * (chunk * token_bytes + slack + margin)) + " bytes");
    }
    const std::int64_t tokens = std::max(sequence_.keys, sequence_.queries);
    const std::int64_t wanted = round_up(divide_up(tokens, kWantedPieces), 4 * chunk);
    piece_tokens_ = std::clamp<std::int64_t>(wanted, std::min(fit, 4 * chunk), fit);
    std::vector<Piece> pieces;
    pieces.reserve(2);
    for (int i = 0; i < 2; ++i) pieces.push_back(make_piece(columns));
    pieces_ = Rotation<Piece>(std::move(pieces));
  }

  Piece make_piece(int columns) {
    const std::int64_t tokens =
        std::min<std::int64_t>(piece_tokens_, std::max(sequence_.keys, sequence_.queries));
    Piece piece;
    piece.keys = rows_buffer(tokens, key_bytes(), "a piece of keys");
    piece.values = rows_buffer(tokens, columns, "a piece of values");
    piece.queries = rows_buffer(tokens, key_bytes(), "a piece of queries");
    piece.out = rows_buffer(tokens, std::int64_t{4} * columns, "a piece of outputs");
    if (window_wanted()) {
      piece.window =
          rows_buffer(tokens + sequence_.command.horizon, columns, "a piece of the window");
    }
    if (sequence_.command.sums_wanted) {
      piece.numerators = rows_buffer(tokens, std::int64_t{8} * columns, "numerators");
      piece.denominators = bench_.scratchpad.matrix(1, 8 * tokens, "denominators");
    }
    return piece;
  }

  void causal(const Strip& group) {
    const int tokens = std::max(sequence_.keys, sequence_.queries);
    for (int first = 0; first < tokens; first += static_cast<int>(piece_tokens_)) {
      const int end = first + static_cast<int>(piece_tokens_);
      LinearAttend operation = command(group, first);
      operation.key_tokens = std::clamp(std::min(end, sequence_.keys) - first, 0, end);
      operation.query_tokens = std::clamp(std::min(end, sequence_.queries) - first, 0, end);
      add(operation, group);
    }
  }

  void keys(const Strip& group) {
    for (int first = 0; first < sequence_.keys; first += static_cast<int>(piece_tokens_)) {
      LinearAttend operation = command(group, first);
      operation.key_tokens = std::min(static_cast<int>(piece_tokens_), sequence_.keys - first);
      add(operation, group);
    }
  }

  void queries(const Strip& group) {
    for (int first = 0; first < sequence_.queries; first += static_cast<int>(piece_tokens_)) {
      LinearAttend operation = command(group, first);
      operation.query_tokens = std::min(static_cast<int>(piece_tokens_), sequence_.queries - first);
      add(operation, group);
    }
  }

  void add(const LinearAttend& operation, const Strip& group) {
    items_.push_back({operation, group, pieces_.next(), {}, {}});
  }

  LinearAttend command(const Strip& group, int first) {
    LinearAttend operation = sequence_.command;
    operation.first_position = first;
    operation.total_keys = sequence_.keys;
    operation.value_width = group.columns;
    operation.reset = fresh_;
    fresh_ = false;
    return operation;
  }

  void load(const std::string& name, const Buffer& to, std::int64_t first_row, std::int64_t rows,
            std::int64_t first_column, std::int64_t row_bytes) {
    const DramTensor& tensor = bench_.dram.at(name);
    DmaCopy copy{true,
                 offset(tensor.address, first_row * row_pitch(tensor, row_bytes) + first_column),
                 row_pitch(tensor, row_bytes),
                 to.address,
                 to.pitch_bytes,
                 rows,
                 row_bytes};
    // Without gaps on either side it is one long row, in whole words.
    if (copy.dram_pitch_bytes == row_bytes && copy.scratchpad_pitch_bytes == row_bytes) {
      copy.row_bytes *= copy.rows;
      copy.rows = 1;
    }
    bench_.builder.add(copy, Phase::kLoadInput, -1, {}, {to.storage});
  }
  // The pairs (s, t) are one row of the DRAM.
  static std::int64_t row_pitch(const DramTensor& tensor, std::int64_t row_bytes) {
    return tensor.rows == 1 ? row_bytes : tensor.pitch_bytes;
  }

  // The DMA works in program order: the next piece is loaded before this one's
  // results are stored, so that it comes in while the engine works.
  void emit() {
    load(items_.front());
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (i + 1 < items_.size()) load(items_[i + 1]);
      const Item& item = items_[i];
      bench_.builder.add(item.operation, Phase::kWeightedValues, 0, item.reads, item.writes);
      if (item.operation.query_tokens > 0) store(item.operation, item.piece, item.group);
    }
  }

  void load(Item& item) {
    LinearAttend& operation = item.operation;
    if (operation.reset && operation.kind == LinearKind::kKernel) {
      operation.tables = tables_.address;
      item.reads.push_back(tables_.storage);
      if (operation.horizon >= 0) {
        operation.positions = positions_.address;
        operation.position_pitch_bytes = positions_.pitch_bytes;
        item.reads.push_back(positions_.storage);
      }
    }
    if (operation.key_tokens > 0) load_keys(operation, item.piece, item.group, item.reads);
    if (operation.query_tokens > 0) {
      load_queries(operation, item.piece, item.group, item.reads, item.writes);
    }
  }

  void load_keys(LinearAttend& operation, const Piece& piece, const Strip& group,
                 std::vector<Storage>& reads) {
    const int first = operation.first_position;
    load(sequence_.key_tensor, piece.keys, first, operation.key_tokens, 0, key_bytes());
    load("V", piece.values, first, operation.key_tokens, group.first_column, group.columns);
    operation.keys = piece.keys.address;
    operation.key_pitch_bytes = piece.keys.pitch_bytes;
    operation.values = piece.values.address;
    operation.value_pitch_bytes = piece.values.pitch_bytes;
    reads.push_back(piece.keys.storage);
    reads.push_back(piece.values.storage);
  }

  void load_queries(LinearAttend& operation, const Piece& piece, const Strip& group,
                    std::vector<Storage>& reads, std::vector<Storage>& writes) {
    const int first = operation.first_position;
    load(sequence_.query_tensor, piece.queries, first, operation.query_tokens, 0, key_bytes());
    operation.queries = piece.queries.address;
    operation.query_pitch_bytes = piece.queries.pitch_bytes;
    reads.push_back(piece.queries.storage);
    if (window_wanted()) {
      const LinearWindow window =
          linear_window(first, operation.query_tokens, operation.total_keys, operation.horizon);
      operation.window = piece.window.address;
      operation.value_pitch_bytes = piece.window.pitch_bytes;
      if (window.rows > 0) {
        load("V", piece.window, window.first, window.rows, group.first_column, group.columns);
        reads.push_back(piece.window.storage);
      }
    }
    operation.destination = piece.out.address;
    operation.destination_pitch_bytes = piece.out.pitch_bytes;
    writes.push_back(piece.out.storage);
    if (!operation.sums_wanted) return;
    operation.numerators = piece.numerators.address;
    operation.numerator_pitch_bytes = piece.numerators.pitch_bytes;
    operation.denominators = piece.denominators.address;
    writes.push_back(piece.numerators.storage);
    writes.push_back(piece.denominators.storage);
  }

  void store(const LinearAttend& operation, const Piece& piece, const Strip& group) {
    const int first = operation.first_position;
    const int rows = operation.query_tokens;
    bench_.store(piece.out, bench_.dram.at("out"), first, rows, group.first_column, group.columns);
    if (!operation.sums_wanted) return;
    bench_.store(piece.numerators, bench_.dram.at("numerator"), first, rows, group.first_column,
                 group.columns);
    // Every group of columns has the same denominators.
    if (group.first_column > 0) return;
    bench_.store(piece.denominators, bench_.dram.at("denominator"), 0, 1, first, rows);
  }

  Workbench& bench_;
  const Sequence& sequence_;
  Buffer tables_, positions_;
  std::int64_t piece_tokens_ = 0;
  Rotation<Piece> pieces_{{}};
  std::vector<Item> items_;
  bool fresh_ = true;
};

}  // namespace

Mapping map_linear(const ChipConfig& config, const LinearProblem& problem) {
  const model::LinearShape& shape = problem.shape;
  Workbench bench(config);
  bench.dram.place("tables", 1, std::int64_t{3} * 256, 1, false);
  if (shape.horizon >= 0) bench.dram.place("RP", 2 * shape.horizon + 1, shape.width, 1, false);
  bench.dram.place("Q", shape.queries, shape.width, 1, false);
  bench.dram.place("K", shape.keys, shape.width, 1, false);
  bench.dram.place("V", shape.keys, shape.value_width, 1, false);
  bench.dram.place("out", shape.queries, shape.value_width, 4, true);
  if (problem.sums_wanted) {
    bench.dram.place("numerator", shape.queries, shape.value_width, 8, true);
    bench.dram.place("denominator", 1, shape.queries, 8, true);
  }
  bench.builder.begin_layer("linear");
  Sequence sequence;
  sequence.command.causal = shape.causal;
  sequence.command.width = shape.width;
  sequence.command.horizon = shape.horizon;
  sequence.command.sums_wanted = problem.sums_wanted;
  // Causal queries never see the keys behind the last of them.
  sequence.keys = shape.causal ? std::min(shape.keys, shape.queries) : shape.keys;
  sequence.queries = shape.queries;
  sequence.value_width = shape.value_width;
  sequence.key_tensor = "K";
  sequence.query_tensor = "Q";
  LinearMapper(bench, sequence).run();
  return bench.finish();
}

Mapping map_damf_linear(const ChipConfig& config, int tokens, int width,
                        const model::DamfSettings& settings) {
  if (settings.mode != model::DamfMode::kCollapsed) {
    throw InputError("setting mode: expected collapsed on the linear-attention engine");
  }
  if (settings.negative != model::DamfNegative::kSigned) {
    throw InputError("setting negative: expected signed on the linear-attention engine");
  }
  Workbench bench(config);
  bench.dram.place("st", 1, std::int64_t{tokens} * 2, 1, false);
  bench.dram.place("V", tokens, width, 1, false);
  bench.dram.place("out", tokens, width, 4, true);
  bench.builder.begin_layer("damf on linear");
  Sequence sequence;
  sequence.command.kind = LinearKind::kDamf;
  sequence.command.causal = settings.causal;
  sequence.command.maximum = settings.maximum;
  sequence.command.width = 2;
  sequence.keys = sequence.queries = tokens;
  sequence.value_width = width;
  sequence.key_tensor = sequence.query_tensor = "st";
  LinearMapper(bench, sequence).run();
  return bench.finish();
}

}  // namespace quadrille::hw
