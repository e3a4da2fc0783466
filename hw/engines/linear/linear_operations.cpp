#include "hw/engines/linear/linear_operations.h"

#include <algorithm>

#include "hw/engines/linear/linear_piece.h"

namespace quadrille::hw {
namespace {

std::uint64_t offset(std::uint64_t address, std::int64_t pitch_bytes, std::int64_t rows) {
  return address + static_cast<std::uint64_t>(rows * pitch_bytes);
}

/// Tokens first .. first + count - 1 of K or Q; DAMF: pairs, one behind the other.
StreamSegment token_rows(const LinearConfig& config, const LinearAttend& op, std::uint64_t address,
                         std::int64_t pitch_bytes, int first, int count) {
  if (op.kind == LinearKind::kDamf)
    return matrix_rows(offset(address, 2, first), 1, std::int64_t{2} * count, 0, 2);
  return matrix_rows(offset(address, pitch_bytes, first), count, op.width, pitch_bytes,
                     config.lanes);
}

StreamSegment value_rows(const LinearAttend& op, std::uint64_t address, int first, int count) {
  return matrix_rows(offset(address, op.value_pitch_bytes, first), count, op.value_width,
                     op.value_pitch_bytes, op.value_width);
}

void add_tables(const LinearConfig& config, const LinearAttend& op, Stream* stream) {
  if (!op.reset || op.kind == LinearKind::kDamf) return;
  stream->push_back(matrix_rows(op.tables, 3, 256, 256, config.lanes));
  if (op.horizon < 0) return;
  stream->push_back(matrix_rows(op.positions, 2 * op.horizon + 1, op.width, op.position_pitch_bytes,
                                config.lanes));
}

/// Every query comes behind the rows that its window lacks. Queries without new
/// rows join the segment before them.
void add_queries_with_window(const LinearConfig& config, const LinearAttend& op, Stream* stream) {
  int streamed = 0;
  for (int query = 0; query < op.query_tokens;) {
    if (const int rows = linear_new_window_rows(op, query); rows > 0) {
      stream->push_back(value_rows(op, op.window, streamed, rows));
      streamed += rows;
    }
    int end = query + 1;
    while (end < op.query_tokens && linear_new_window_rows(op, end) == 0) ++end;
    stream->push_back(token_rows(config, op, op.queries, op.query_pitch_bytes, query, end - query));
    query = end;
  }
}

}  // namespace

LinearWindow linear_window(int first_query, int queries, int keys, int horizon) {
  if (horizon <= 0 || queries <= 0) return {};
  const int before = first_query == 0 ? 0 : std::min(first_query - 1 + horizon, keys);
  const int after = std::min(first_query + queries - 1 + horizon, keys);
  return {before, after - before};
}

Stream input_stream(const LinearConfig& config, const LinearAttend& operation) {
  check(config, operation);
  Stream stream;
  add_tables(config, operation, &stream);
  if (linear_streams_window(operation)) {
    add_queries_with_window(config, operation, &stream);
    return stream;
  }
  const int chunks = linear_chunks(config, operation);
  for (int index = 0; index < chunks; ++index) {
    const LinearChunk chunk = linear_chunk(config, operation, index);
    if (chunk.keys > 0) {
      stream.push_back(token_rows(config, operation, operation.keys, operation.key_pitch_bytes,
                                  chunk.first, chunk.keys));
      stream.push_back(value_rows(operation, operation.values, chunk.first, chunk.keys));
    }
    if (chunk.queries > 0) {
      stream.push_back(token_rows(config, operation, operation.queries, operation.query_pitch_bytes,
                                  chunk.first, chunk.queries));
    }
  }
  return stream;
}

Stream output_stream(const LinearConfig& config, const LinearAttend& operation) {
  check(config, operation);
  const std::int64_t row_bytes = std::int64_t{4} * operation.value_width;
  if (!operation.sums_wanted) {
    return {matrix_rows(operation.destination, operation.query_tokens, row_bytes,
                        operation.destination_pitch_bytes, 4 * config.lanes)};
  }
  Stream stream;
  stream.reserve(3 * static_cast<std::size_t>(operation.query_tokens));
  for (int query = 0; query < operation.query_tokens; ++query) {
    stream.push_back(
        matrix_rows(offset(operation.destination, operation.destination_pitch_bytes, query), 1,
                    row_bytes, 0, 4 * config.lanes));
    stream.push_back(
        matrix_rows(offset(operation.numerators, operation.numerator_pitch_bytes, query), 1,
                    2 * row_bytes, 0, 8 * linear_numerator_columns(config)));
    stream.push_back(matrix_rows(offset(operation.denominators, 8, query), 1, 8, 0, 8));
  }
  return stream;
}

}  // namespace quadrille::hw
