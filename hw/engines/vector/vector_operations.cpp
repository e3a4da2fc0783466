#include "hw/engines/vector/vector_operations.h"

namespace quadrille::hw {
namespace {

int source_element_bytes(const VectorRequantise& operation) {
  return operation.from == VectorSource::kSums32 ? 4 : 1;
}

int result_element_bytes(const VectorRequantise& operation) {
  return operation.to == VectorResult::kSums32 ? 4 : 1;
}

}  // namespace

Stream input_stream(const VectorConfig& config, const VectorRequantise& operation) {
  const int element = source_element_bytes(operation);
  const std::int64_t row_bytes = std::int64_t{operation.columns} * element;
  const int beat = config.lanes * element;
  if (!operation.normalise) {
    return {matrix_rows(operation.source, operation.rows, row_bytes, operation.source_pitch_bytes,
                        beat)};
  }
  Stream stream;
  stream.reserve(2 * static_cast<std::size_t>(operation.rows));
  for (int row = 0; row < operation.rows; ++row) {
    const auto reciprocal = operation.reciprocals + 4 * static_cast<std::uint64_t>(row);
    const auto source =
        operation.source + static_cast<std::uint64_t>(row * operation.source_pitch_bytes);
    stream.push_back(matrix_rows(reciprocal, 1, 4, 4, 4));
    stream.push_back(matrix_rows(source, 1, row_bytes, row_bytes, beat));
  }
  return stream;
}

Stream output_stream(const VectorConfig& config, const VectorRequantise& operation) {
  const int element = result_element_bytes(operation);
  return {matrix_rows(operation.destination, operation.rows,
                      std::int64_t{operation.columns} * element, operation.destination_pitch_bytes,
                      config.lanes * element)};
}

}  // namespace quadrille::hw
