#include "hw/engines/softmax/softmax_operations.h"

namespace quadrille::hw {

Stream input_stream(const SoftmaxConfig& config, const SoftmaxRows& operation) {
  return {matrix_rows(operation.source, operation.queries, std::int64_t{4} * operation.keys,
                      operation.source_pitch_bytes, 4 * config.lanes)};
}

Stream output_stream(const SoftmaxConfig& config, const SoftmaxRows& operation) {
  Stream stream;
  stream.reserve(2 * static_cast<std::size_t>(operation.queries));
  for (int row = 0; row < operation.queries; ++row) {
    const auto destination =
        operation.destination + static_cast<std::uint64_t>(row * operation.destination_pitch_bytes);
    const auto reciprocal = operation.reciprocals + 4 * static_cast<std::uint64_t>(row);
    stream.push_back(matrix_rows(destination, 1, operation.keys, operation.destination_pitch_bytes,
                                 config.lanes));
    stream.push_back(matrix_rows(reciprocal, 1, 4, 4, 4));
  }
  return stream;
}

}  // namespace quadrille::hw
