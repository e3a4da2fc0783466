#include "hw/engines/cim/cim_operations.h"

#include <algorithm>

namespace quadrille::hw {

int write_granule(const CimConfig& config) {
  return std::min(config.columns, config.write_bytes_per_cycle);
}

Stream input_stream(const CimConfig& config, const CimWrite& operation) {
  Stream stream;
  const int granule = write_granule(config);
  for (int tile = 0; tile < operation.columns; tile += config.columns) {
    const int width = std::min(config.columns, operation.columns - tile);
    if (!operation.transpose) {
      stream.push_back(matrix_rows(operation.source + static_cast<std::uint64_t>(tile),
                                   operation.rows, width, operation.source_pitch_bytes, granule));
      continue;
    }
    for (int n = tile; n < tile + width; n += granule) {
      for (int k = 0; k < operation.rows; k += granule) {
        const auto offset =
            static_cast<std::uint64_t>(n * operation.source_pitch_bytes) + static_cast<unsigned>(k);
        stream.push_back(matrix_rows(operation.source + offset, std::min(granule, tile + width - n),
                                     std::min(granule, operation.rows - k),
                                     operation.source_pitch_bytes, granule));
      }
    }
  }
  return stream;
}

Stream input_stream(const CimConfig& config, const CimMultiply& operation) {
  return {matrix_rows(operation.source, operation.tokens, operation.rows,
                      operation.source_pitch_bytes, config.input_bytes_per_cycle)};
}

Stream output_stream(const CimConfig& config, const CimMultiply& operation) {
  return {matrix_rows(operation.destination, operation.tokens, std::int64_t{4} * operation.columns,
                      operation.destination_pitch_bytes, config.output_bytes_per_cycle)};
}

}  // namespace quadrille::hw
