#include "hw/engines/vector/vector_engine.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "hw/engines/multiversion.h"
#include "hw/engines/requantise.h"
#include "model/numerics/integers.h"
#include "model/numerics/quantise.h"

namespace quadrille::hw {
namespace {

QUADRILLE_MULTIVERSION
void widen_codes(const std::uint8_t* codes, std::int32_t* row, int count) {
  for (int i = 0; i < count; ++i) row[i] = codes[i];
}

std::uint64_t row_address(std::uint64_t base, int row, std::int64_t pitch_bytes) {
  return base + static_cast<std::uint64_t>(row * pitch_bytes);
}

}  // namespace

void validate(const VectorRequantise& operation) {
  if (operation.rows < 1 || operation.columns < 1) {
    throw InvariantError("vector command of " + std::to_string(operation.rows) + " rows x " +
                         std::to_string(operation.columns) + " columns is empty");
  }
  if (operation.normalise && (operation.fraction_bits < 0 || operation.fraction_bits > 16)) {
    throw InvariantError("vector command with " + std::to_string(operation.fraction_bits) +
                         " fraction bits, expected 0..16");
  }
}

VectorEngine::VectorEngine(const VectorConfig& config) : config_(config) {
  if (config.lanes < 1 || 4 * config.lanes > Beat::kBytes) {
    throw InvariantError("vector lanes " + std::to_string(config.lanes) + ", expected 1.." +
                         std::to_string(Beat::kBytes / 4));
  }
}

std::int64_t VectorEngine::alone_cycles(const VectorRequantise& operation) const {
  validate(operation);
  const int beats = model::ceil_div(operation.columns, config_.lanes);
  const std::int64_t last_input =
      std::int64_t{operation.rows} * (beats + (operation.normalise ? 1 : 0));
  return last_input + kVectorTiming.latency + 1;
}

Activity VectorEngine::activity(const VectorRequantise& operation) {
  const std::int64_t elements = std::int64_t{operation.rows} * operation.columns;
  Activity activity;
  if (operation.normalise) activity.multiplies = elements;
  if (operation.to == VectorResult::kCodes8) activity.requantises = elements;
  return activity;
}

void VectorEngine::execute(const VectorRequantise& operation, Bytes scratchpad,
                           Activity& values) const {
  validate(operation);
  const auto columns = static_cast<std::uint64_t>(operation.columns);
  const bool from_sums = operation.from == VectorSource::kSums32;
  const bool to_sums = operation.to == VectorResult::kSums32;
  const Scaling requantisation(operation.multiplier);
  std::vector<std::int32_t> row(columns);
  for (int r = 0; r < operation.rows; ++r) {
    const std::uint64_t source = row_address(operation.source, r, operation.source_pitch_bytes);
    if (from_sums) {
      std::memcpy(row.data(), scratchpad.read(source, 4 * columns), 4 * columns);
    } else {
      widen_codes(scratchpad.read(source, columns), row.data(), operation.columns);
    }
    if (operation.normalise) {
      const auto reciprocal = static_cast<std::uint32_t>(
          scratchpad.read_i32(operation.reciprocals + 4 * static_cast<std::uint64_t>(r)));
      values.saturated +=
          scale_to_sums(row.data(), operation.columns,
                        scaling_of(reciprocal, operation.fraction_bits, "vector", r));
    }
    const std::uint64_t destination =
        row_address(operation.destination, r, operation.destination_pitch_bytes);
    if (to_sums) {
      std::memcpy(scratchpad.write(destination, 4 * columns), row.data(), 4 * columns);
    } else {
      values.saturated += scale_to_codes8(row.data(), scratchpad.write(destination, columns),
                                          operation.columns, requantisation);
    }
  }
}

}  // namespace quadrille::hw
