#include "hw/engines/linear/linear_piece.h"

#include <algorithm>
#include <string>

#include "hw/engines/beat_engine.h"
#include "model/errors.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

using model::ceil_div;

void require(bool holds, const char* what, std::int64_t value, const std::string& expected) {
  if (holds) return;
  throw InvariantError(std::string("linear: ") + what + " is " + std::to_string(value) +
                       ", must be " + expected);
}

void range(const char* what, std::int64_t value, std::int64_t low, std::int64_t high) {
  require(value >= low && value <= high, what, value,
          std::to_string(low) + ".." + std::to_string(high));
}

void check_tokens(const LinearAttend& op) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  range("key_tokens", op.key_tokens, 0, kMost);
  range("query_tokens", op.query_tokens, 0, kMost);
  range("first_position", op.first_position, 0, kMost);
  require(op.key_tokens + op.query_tokens > 0, "key_tokens + query_tokens", 0, "positive");
  const std::int64_t end = std::int64_t{op.first_position} + op.key_tokens;
  require(op.key_tokens == 0 || end <= op.total_keys, "first_position + key_tokens", end,
          "at most total_keys = " + std::to_string(op.total_keys));
  require(!op.reset || op.first_position == 0, "first_position", op.first_position, "0 with reset");
  require(!op.reset || op.key_tokens > 0, "key_tokens", op.key_tokens, "positive with reset");
  if (!op.causal) {
    require(op.key_tokens == 0 || op.query_tokens == 0, "query_tokens", op.query_tokens,
            "0 beside keys without a mask");
    return;
  }
  require(op.key_tokens >= op.query_tokens || end >= op.total_keys, "key_tokens", op.key_tokens,
          "query_tokens = " + std::to_string(op.query_tokens) +
              " while keys are left of total_keys = " + std::to_string(op.total_keys));
  require(op.kind != LinearKind::kDamf || op.key_tokens == op.query_tokens, "key_tokens",
          op.key_tokens, "query_tokens = " + std::to_string(op.query_tokens) + " for causal DAMF");
}

}  // namespace

void check(const LinearConfig& config) {
  range("lanes", config.lanes, 2, Beat::kBytes / 4);
  range("max_width", config.max_width, 2, 4096);
  range("chunk_tokens", config.chunk_tokens, 1, 256);
  range("max_horizon", config.max_horizon, 0, 1024);
}

void check(const LinearConfig& config, const LinearAttend& operation) {
  const bool damf = operation.kind == LinearKind::kDamf;
  range("width", operation.width, damf ? 2 : 1, damf ? 2 : config.max_width);
  range("value_width", operation.value_width, 1, config.lanes);
  range("horizon", operation.horizon, -1, damf ? -1 : config.max_horizon);
  // The registers of S and z hold so many keys, and the specification's reach is
  // so long where d is wide. Both lie within the 32 bits of DAMF's sum of t.
  range("total_keys", operation.total_keys, 1,
        std::min(kLinearMostKeys, model::kLinearLargestReach / operation.width));
  check_tokens(operation);
}

int linear_chunks(const LinearConfig& config, const LinearAttend& operation) {
  return ceil_div(std::max(operation.key_tokens, operation.query_tokens), config.chunk_tokens);
}

LinearChunk linear_chunk(const LinearConfig& config, const LinearAttend& operation, int index) {
  const int tokens = config.chunk_tokens;
  const int first = index * tokens;
  return {first, std::clamp(operation.key_tokens - first, 0, tokens),
          std::clamp(operation.query_tokens - first, 0, tokens)};
}

int linear_row_beats(const LinearConfig& config, const LinearAttend& operation) {
  return operation.kind == LinearKind::kDamf ? 1 : ceil_div(operation.width, config.lanes);
}

std::int64_t linear_load_beats(const LinearConfig& config, const LinearAttend& operation) {
  if (!operation.reset || operation.kind == LinearKind::kDamf) return 0;
  const int rows = operation.horizon < 0 ? 0 : 2 * operation.horizon + 1;
  return 3 * ceil_div(256, config.lanes) + rows * linear_row_beats(config, operation);
}

int linear_numerator_columns(const LinearConfig& config) { return config.lanes / 2; }

int linear_query_slots(const LinearConfig& config, const LinearAttend& operation) {
  if (!operation.sums_wanted) return 1;
  return 1 + ceil_div(operation.value_width, linear_numerator_columns(config)) + 1;
}

int linear_weights(const LinearAttend& operation) {
  if (operation.horizon < 0) return 0;
  return (operation.causal ? 1 : 2) * operation.horizon + 1;
}

bool linear_streams_window(const LinearAttend& operation) {
  return !operation.causal && operation.horizon > 0 && operation.query_tokens > 0;
}

int linear_new_window_rows(const LinearAttend& operation, int query) {
  return linear_window(operation.first_position + query, 1, operation.total_keys, operation.horizon)
      .rows;
}

int linear_ring_rows(const LinearConfig& config) {
  return 2 * (config.max_horizon + config.chunk_tokens + 2);
}

void LinearSequence::follow(const LinearAttend& operation) {
  if (operation.reset) {
    started_ = true;
    first_ = operation;
    keys_ = queries_ = 0;
  }
  require(started_, "reset", 0, "1 in the first command");
  const auto same = [](const char* what, std::int64_t value, std::int64_t expected) {
    require(value == expected, what, value,
            std::to_string(expected) + " as in the sequence's other commands");
  };
  same("kind", static_cast<int>(operation.kind), static_cast<int>(first_.kind));
  same("causal", operation.causal, first_.causal);
  same("width", operation.width, first_.width);
  same("value_width", operation.value_width, first_.value_width);
  same("horizon", operation.horizon, first_.horizon);
  same("total_keys", operation.total_keys, first_.total_keys);
  same("maximum", static_cast<int>(operation.maximum), static_cast<int>(first_.maximum));
  // Keys in order; queries behind all keys that they see, in order where the
  // state moves with them.
  const int needed = operation.causal ? std::min(operation.first_position, first_.total_keys)
                     : operation.key_tokens > 0 ? operation.first_position
                                                : first_.total_keys;
  require(keys_ == needed, "keys before the command", keys_, std::to_string(needed));
  const bool ordered = operation.causal || operation.horizon > 0;
  require(!ordered || operation.query_tokens == 0 || queries_ == operation.first_position,
          "first_position", operation.first_position, std::to_string(queries_));
  require(operation.causal || operation.key_tokens == 0 || queries_ == 0, "queries before keys",
          queries_, "0 without a mask");
  keys_ += operation.key_tokens;
  queries_ += operation.query_tokens;
}

}  // namespace quadrille::hw
