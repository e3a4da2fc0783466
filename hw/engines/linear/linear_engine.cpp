#include "hw/engines/linear/linear_engine.h"

#include <algorithm>
#include <limits>

#include "hw/engines/linear/linear_piece.h"
#include "hw/engines/linear/linear_tile.h"
#include "model/errors.h"
#include "model/numerics/causal_pairs.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

// ---------------------------------------------------------------- timing

/// Runs through a command's chunks as cycles: the recurrence of
/// docs/engines/linear.md. Cycle 0 accepts the command, cycle c > 0 its beats.
class LinearCourse {
 public:
  LinearCourse(std::int64_t row_beats, std::int64_t slots, std::int64_t load_beats)
      : row_beats_(row_beats), slots_(slots), last_(load_beats) {}

  void chunk(const LinearChunk& chunk) {
    last_ += chunk.keys * row_beats_;
    if (chunk.keys > 0) {
      array_free_ = std::max(array_free_, last_ + 1) + chunk.keys * row_beats_;
      last_ += chunk.keys;
    }
    if (chunk.queries > 0) {
      last_ = std::max(last_ + 1, merged_) - 1;
      query(0);
      queries(chunk.queries - 1, 0);
    }
    if (chunk.keys > 0) {
      merged_ = std::max(last_, array_free_ - 1) + kLinearTiming.merge_latency + row_beats_;
    }
  }

  /// `count` equal chunks: from the second one on each takes the same time.
  void chunks(const LinearChunk& one, std::int64_t count) {
    if (count > 0) chunk(one);
    if (count < 2) return;
    const std::int64_t first = last_;
    chunk(one);
    const std::int64_t rest = (count - 2) * (last_ - first);
    last_ += rest;
    if (one.queries > 0) query_ += rest;
    if (one.keys == 0) return;
    merged_ += rest;
    array_free_ += rest;
  }

  /// A query behind `rows` new rows of V.
  void query(std::int64_t rows) {
    last_ = std::max(last_ + rows + row_beats_, query_ + slots_);
    query_ = last_;
  }
  /// `count` queries behind another one.
  void queries(std::int64_t count, std::int64_t rows) {
    last_ += count * std::max(rows + row_beats_, slots_);
    query_ = last_;
  }

  std::int64_t cycles() const {
    return std::max(query_ + slots_ + kLinearTiming.query_latency,
                    merged_ + kLinearTiming.end_latency - kLinearTiming.merge_latency);
  }

 private:
  std::int64_t row_beats_;
  std::int64_t slots_;
  std::int64_t last_;  ///< Cycle of the last beat.
  /// Cycle of the last query's last beat: none so far.
  std::int64_t query_ = -kLinearTiming.query_latency - 8;
  std::int64_t merged_ =
      -kLinearTiming.end_latency;  ///< First cycle in which all chunks are in the state.
  std::int64_t array_free_ = 0;    ///< First cycle without an outer product.
};

/// Chunks from `index` on that have as many keys and as many queries.
std::int64_t equal_chunks(const LinearConfig& config, const LinearAttend& op, int index) {
  const auto last_equal = [&](int tokens) {
    const int full = tokens / config.chunk_tokens;
    if (index < full) return full;
    return index * config.chunk_tokens < tokens ? index + 1 : std::numeric_limits<int>::max();
  };
  return std::min(
             {last_equal(op.key_tokens), last_equal(op.query_tokens), linear_chunks(config, op)}) -
         index;
}

// ---------------------------------------------------------------- counts

/// Sum of min(x, limit) over x in [0, count).
std::int64_t sum_of_minima(std::int64_t count, std::int64_t limit) {
  return model::causal_pairs(std::max<std::int64_t>(count, 0), limit, -1);
}

/// Visible pairs of a query and a key of the same chunk.
std::int64_t pairs_inside_chunks(const LinearConfig& config, const LinearAttend& op) {
  if (!op.causal) return 0;
  std::int64_t pairs = 0;
  for (std::int64_t index = 0; index < linear_chunks(config, op);) {
    const std::int64_t run = equal_chunks(config, op, static_cast<int>(index));
    const LinearChunk chunk = linear_chunk(config, op, static_cast<int>(index));
    // Query i sees min(i + 1, keys) of them.
    pairs += run * (sum_of_minima(chunk.queries + 1, chunk.keys));
    index += run;
  }
  return pairs;
}

/// Chunks that are merged into the state.
std::int64_t key_chunks(const LinearConfig& config, const LinearAttend& op) {
  return model::ceil_div(op.key_tokens, config.chunk_tokens);
}

/// Queries whose chunk has keys: the intra-chunk arrays work.
std::int64_t queries_beside_keys(const LinearConfig& config, const LinearAttend& op) {
  if (!op.causal) return 0;
  return std::min<std::int64_t>(op.query_tokens, key_chunks(config, op) * config.chunk_tokens);
}

/// Relative weights that fall on a key, over the piece's queries: offsets from
/// -min(i, k) to clip(last visible - i, -k, k).
std::int64_t weights_in_use(const LinearAttend& op) {
  if (op.horizon < 0) return 0;
  const std::int64_t k = op.horizon;
  const std::int64_t begin = op.first_position;
  const std::int64_t end = begin + op.query_tokens;
  const std::int64_t last = op.total_keys - 1;
  // Queries before the last key, as their distance to it; and behind it.
  const std::int64_t inner_begin = std::min(begin, last + 1);
  const std::int64_t inner_end = std::min(end, last + 1);
  const std::int64_t ahead =
      op.causal ? 0
                : sum_of_minima(last + 1 - inner_begin, k) - sum_of_minima(last + 1 - inner_end, k);
  const std::int64_t behind = sum_of_minima(std::max<std::int64_t>(end - last, 0), k) -
                              sum_of_minima(std::max<std::int64_t>(begin - last, 0), k);
  return sum_of_minima(end, k) - sum_of_minima(begin, k) + ahead - behind + op.query_tokens;
}

void count_macs(const LinearConfig& config, const LinearAttend& op, Activity* activity) {
  const bool damf = op.kind == LinearKind::kDamf;
  const std::int64_t keys = op.key_tokens;
  const std::int64_t queries = op.query_tokens;
  const std::int64_t columns = op.value_width;
  const std::int64_t lanes = config.lanes;
  // DAMF: two rows of the arrays work, and the key's 1 multiplies nothing.
  const std::int64_t rows = op.width;
  const std::int64_t executed_rows = damf ? 2 : linear_row_beats(config, op) * lanes;
  const std::int64_t key_rows = damf ? 1 : rows;
  const std::int64_t executed_key_rows = damf ? 1 : executed_rows;
  const std::int64_t pairs = pairs_inside_chunks(config, op);
  const std::int64_t executed_pairs = queries_beside_keys(config, op) * config.chunk_tokens;
  const std::int64_t weights = queries * linear_weights(op);
  const std::int64_t terms = weights_in_use(op);
  // The denominator's column of the readout is two multiplications in DAMF.
  const std::int64_t readout = queries * rows * (columns + (damf ? 0 : 1));

  activity->macs_static = weights * rows;
  activity->macs_dynamic =
      keys * key_rows * columns + readout + pairs * (key_rows + columns) + terms * columns;
  activity->macs_wide = readout + pairs * columns + terms * columns;
  const std::int64_t executed =
      keys * executed_key_rows * lanes + queries * executed_rows * (lanes + (damf ? 0 : 1)) +
      executed_pairs * (executed_key_rows + lanes) + weights * (executed_rows + lanes);
  activity->macs_wasted = executed - activity->macs_static - activity->macs_dynamic;
}

void count_damf_operations(const LinearConfig& config, const LinearAttend& op, Activity* activity) {
  const std::int64_t keys = op.key_tokens;
  const std::int64_t queries = op.query_tokens;
  const std::int64_t columns = op.value_width;
  // The row pipeline, as docs/engines/damf.md counts it: s times both extremes
  // and the sum of t, A_max times the keys; it gives the denominator too.
  activity->multiplies = queries * (4 + columns);
  activity->compares = op.causal ? 4 * queries : 4 * keys + queries;
  // Sum of t, sum of V, both sums merged; denominator, A_max + s t, and the
  // readout plus what the chunk adds.
  activity->additions = keys * (1 + columns) + key_chunks(config, op) * 2 * columns + queries +
                        pairs_inside_chunks(config, op) + queries_beside_keys(config, op) * columns;
}

void count_kernel_operations(const LinearConfig& config, const LinearAttend& op,
                             Activity* activity) {
  const std::int64_t keys = op.key_tokens;
  const std::int64_t queries = op.query_tokens;
  const std::int64_t columns = op.value_width;
  const bool relative = op.horizon >= 0;
  const std::int64_t loaded = op.reset && relative ? 2 * std::int64_t{op.horizon} + 1 : 0;
  activity->multiplies = queries * columns;
  activity->exponentials = (keys + queries + loaded) * op.width;
  // z, the merge of S and z, scores into the denominator, and the readout plus
  // what the chunk adds.
  activity->additions = keys * op.width + key_chunks(config, op) * op.width * (columns + 1) +
                        pairs_inside_chunks(config, op) +
                        queries_beside_keys(config, op) * (columns + 1);
  if (!relative) return;
  // A query that is not causal takes the sum of all of V and two rows, which move
  // into the sum before the window and out of the one behind it; a causal one
  // takes the former row. Then weights go into the denominator, and the terms'
  // share into both sums.
  const bool one_weight = op.horizon == 0 && !op.causal;
  const std::int64_t moved = one_weight ? 0 : (op.causal ? 1 : 2) * queries;
  activity->additions +=
      ((op.causal ? 0 : keys) + moved) * columns + weights_in_use(op) + queries * (columns + 1);
  // Weights before and behind the window times the number of their keys.
  activity->multiplies += queries * (op.causal || one_weight ? 1 : 2);
}

void count_local(const LinearConfig& config, const LinearAttend& op, Activity* activity) {
  const std::int64_t keys = op.key_tokens;
  const std::int64_t queries = op.query_tokens;
  const std::int64_t columns = op.value_width;
  const std::int64_t merges = key_chunks(config, op);
  const std::int64_t state = op.width * (columns * kLinearStateBytes + kLinearSumBytes);
  const std::int64_t row = op.width + columns;  // phi(K) and V of a token.
  activity->local_read_bytes = (merges + queries) * state + keys * row;
  activity->local_write_bytes = merges * state + keys * row;
  // The scores and weighted values of a query read the chunk's rows.
  activity->local_read_bytes += pairs_inside_chunks(config, op) * row;
  if (op.horizon < 0) return;
  const std::int64_t loaded = op.reset ? (2 * std::int64_t{op.horizon} + 1) * op.width : 0;
  activity->local_write_bytes += loaded;
  activity->local_read_bytes += queries * linear_weights(op) * op.width;
  if (linear_streams_window(op)) {
    activity->local_write_bytes +=
        linear_window(op.first_position, op.query_tokens, op.total_keys, op.horizon).rows * columns;
  }
  // k = 0 without a mask: the sum of all of V, which stays as it is.
  if (op.horizon == 0 && !op.causal) {
    activity->local_read_bytes += queries * columns * kLinearSumBytes;
    return;
  }
  // The window's rows; the sums before and behind it are read and written.
  activity->local_read_bytes += weights_in_use(op) * columns;
  const std::int64_t sums = queries * (op.causal ? 1 : 2) * columns * kLinearSumBytes;
  activity->local_read_bytes += sums;
  activity->local_write_bytes += sums;
}

}  // namespace

LinearEngine::LinearEngine(const LinearConfig& config)
    : config_(config),
      sequence_(std::make_unique<LinearSequence>()),
      tile_(std::make_unique<LinearTile>(config)) {
  check(config);
}
LinearEngine::~LinearEngine() = default;
LinearEngine::LinearEngine(LinearEngine&&) noexcept = default;
LinearEngine& LinearEngine::operator=(LinearEngine&&) noexcept = default;

std::int64_t LinearEngine::alone_cycles(const LinearAttend& operation) const {
  check(config_, operation);
  LinearCourse course(linear_row_beats(config_, operation), linear_query_slots(config_, operation),
                      linear_load_beats(config_, operation));
  if (linear_streams_window(operation)) {
    // The first query's rows, then one row each until the window has met the last key.
    const int others = operation.query_tokens - 1;
    const int growing =
        std::clamp(operation.total_keys - operation.horizon - operation.first_position, 0, others);
    course.query(linear_new_window_rows(operation, 0));
    course.queries(growing, 1);
    course.queries(others - growing, 0);
    return course.cycles();
  }
  for (int index = 0; index < linear_chunks(config_, operation);) {
    const std::int64_t run = equal_chunks(config_, operation, index);
    course.chunks(linear_chunk(config_, operation, index), run);
    index += static_cast<int>(run);
  }
  return course.cycles();
}

Activity LinearEngine::activity(const LinearAttend& operation) const {
  check(config_, operation);
  Activity activity;
  count_macs(config_, operation, &activity);
  activity.reciprocals = operation.query_tokens;
  if (operation.kind == LinearKind::kDamf) {
    count_damf_operations(config_, operation, &activity);
  } else {
    count_kernel_operations(config_, operation, &activity);
  }
  count_local(config_, operation, &activity);
  return activity;
}

void LinearEngine::follow(const LinearAttend& operation) {
  check(config_, operation);
  sequence_->follow(operation);
  followed_ = true;
}

void LinearEngine::execute(const LinearAttend& operation, Bytes scratchpad, Activity& values) {
  if (!followed_) throw InvariantError("linear: execute() without its follow()");
  followed_ = false;
  tile_->run(operation, scratchpad, values);
}

}  // namespace quadrille::hw
