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

int result_bytes(CimResult result) {
  return result == CimResult::kSums32 ? 4 : result == CimResult::kCodes16 ? 2 : 1;
}

int results_per_beat(const CimConfig& config) { return config.output_bytes_per_cycle / 4; }

int reciprocals_per_beat(const CimConfig& config) { return config.input_bytes_per_cycle / 4; }

Stream input_stream(const CimConfig& config, const CimMultiply& operation) {
  if (!operation.epilogue.normalise) {
    return {matrix_rows(operation.source, operation.tokens, operation.rows,
                        operation.source_pitch_bytes, config.input_bytes_per_cycle)};
  }
  const int group = reciprocals_per_beat(config);
  Stream stream;
  for (int token = 0; token < operation.tokens; token += group) {
    const int count = std::min(group, operation.tokens - token);
    const auto reciprocals = operation.epilogue.reciprocals + 4 * static_cast<std::uint64_t>(token);
    const auto source =
        operation.source + static_cast<std::uint64_t>(token * operation.source_pitch_bytes);
    stream.push_back(matrix_rows(reciprocals, 1, std::int64_t{4} * count, 4, 4 * group));
    stream.push_back(matrix_rows(source, count, operation.rows, operation.source_pitch_bytes,
                                 config.input_bytes_per_cycle));
  }
  return stream;
}

Stream output_stream(const CimConfig& config, const CimMultiply& operation) {
  const int element = result_bytes(operation.epilogue.result);
  return {matrix_rows(operation.destination, operation.tokens,
                      std::int64_t{element} * operation.columns, operation.destination_pitch_bytes,
                      element * results_per_beat(config))};
}

}  // namespace quadrille::hw
