#include "hw/engines/damf/damf_operations.h"

#include <algorithm>
#include <string>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

void require(const char* what, int value, int least, int most) {
  if (value >= least && value <= most) return;
  throw InvariantError(std::string("DAMF command: ") + what + " is " + std::to_string(value) +
                       ", must be " + std::to_string(least) + ".." + std::to_string(most));
}

void require_count(const char* what, int value, int most) {
  require(what, value, 1, std::min(most, kDamfLargestCount));
}

void check(const DamfConfig& config, const DamfProject& operation) {
  require_count("tokens", operation.tokens, kDamfLargestCount);
  require_count("width", operation.width, config.max_model_width);
}

void check(const DamfConfig& config, const DamfAttend& operation) {
  require_count("tokens", operation.tokens, config.max_tokens);
  require_count("width", operation.width, kDamfLargestCount);
  require("guard_bits", operation.settings.guard_bits, 0, 16);
}

// `rows` rows of the columns [column, column + columns) of a row-major matrix,
// one beat per row.
StreamSegment column_group(std::uint64_t address, std::int64_t pitch_bytes, std::int64_t rows,
                           int beat_bytes) {
  return matrix_rows(address, rows, beat_bytes, pitch_bytes, beat_bytes);
}

}  // namespace

Stream input_stream(const DamfConfig& config, const DamfProject& operation) {
  check(config, operation);
  const std::int64_t width = operation.width;
  return {matrix_rows(operation.u, 1, width, width, config.lanes),
          matrix_rows(operation.v, 1, width, width, config.lanes),
          matrix_rows(operation.source, operation.tokens, width, operation.source_pitch_bytes,
                      config.lanes)};
}

Stream output_stream(const DamfConfig& config, const DamfProject& operation) {
  check(config, operation);
  return {matrix_rows(operation.destination, 1, 2 * std::int64_t{operation.tokens}, 0, 2)};
}

Stream input_stream(const DamfConfig& config, const DamfAttend& operation) {
  check(config, operation);
  const int tokens = operation.tokens;
  Stream stream = {matrix_rows(operation.scores, 1, 2 * std::int64_t{tokens}, 0, 2)};
  const bool collapsed = operation.settings.mode == model::DamfMode::kCollapsed;
  const int block = collapsed ? tokens : config.query_rows;
  for (int first = 0; first < tokens; first += block) {
    const int end = std::min(first + block, tokens);
    const int keys = operation.settings.causal ? end : tokens;
    for (int column = 0; column < operation.width; column += config.lanes) {
      stream.push_back(column_group(operation.values + static_cast<std::uint64_t>(column),
                                    operation.value_pitch_bytes, keys,
                                    std::min(config.lanes, operation.width - column)));
    }
  }
  return stream;
}

Stream output_stream(const DamfConfig& config, const DamfAttend& operation) {
  check(config, operation);
  const int tokens = operation.tokens;
  Stream stream;
  const bool collapsed = operation.settings.mode == model::DamfMode::kCollapsed;
  const int block = collapsed ? tokens : config.query_rows;
  for (int first_row = 0; first_row < tokens; first_row += block) {
    const std::uint64_t row =
        operation.destination +
        static_cast<std::uint64_t>(first_row * operation.destination_pitch_bytes);
    for (int column = 0; column < operation.width; column += config.lanes) {
      stream.push_back(column_group(row + 4 * static_cast<std::uint64_t>(column),
                                    operation.destination_pitch_bytes,
                                    std::min(block, tokens - first_row),
                                    4 * std::min(config.lanes, operation.width - column)));
    }
  }
  return stream;
}

}  // namespace quadrille::hw
