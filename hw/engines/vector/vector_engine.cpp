#include "hw/engines/vector/vector_engine.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "hw/engines/multiversion.h"
#include "model/numerics/integers.h"
#include "model/numerics/quantise.h"
#include "model/numerics/reciprocal.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

/// round_shift(x * mantissa, shift) for a whole row.
class Scaling {
 public:
  explicit Scaling(const model::Multiplier& multiplier)
      : Scaling(multiplier.mantissa, multiplier.shift) {}
  Scaling(std::uint32_t mantissa, int shift)
      : mantissa_(static_cast<std::int32_t>(mantissa)), round_(shift) {}

  std::int64_t operator()(std::int32_t x) const { return round_(std::int64_t{x} * mantissa_); }

 private:
  std::int32_t mantissa_;
  model::RoundShift<std::int64_t> round_;
};

// Each returns how many results it had to clamp.

QUADRILLE_MULTIVERSION
std::int64_t scale_to_sums(std::int32_t* row, int count, Scaling scaling) {
  constexpr std::int64_t kMax = INT32_MAX;
  constexpr std::int64_t kMin = INT32_MIN;
  std::int64_t clamped = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t x = scaling(row[i]);
    const std::int64_t y = x > kMax ? kMax : x < kMin ? kMin : x;
    clamped += x != y ? 1 : 0;
    row[i] = static_cast<std::int32_t>(y);
  }
  return clamped;
}

QUADRILLE_MULTIVERSION
std::int64_t scale_to_codes(const std::int32_t* row, std::uint8_t* codes, int count,
                            Scaling scaling) {
  std::int64_t clamped = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t x = scaling(row[i]);
    const std::int64_t y = x > 127 ? 127 : x < -128 ? -128 : x;
    clamped += x != y ? 1 : 0;
    codes[i] = static_cast<std::uint8_t>(y);
  }
  return clamped;
}

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
      const model::Reciprocal inverse = model::unpacked_reciprocal(static_cast<std::uint32_t>(
          scratchpad.read_i32(operation.reciprocals + 4 * static_cast<std::uint64_t>(r))));
      const int shift = inverse.shift - operation.fraction_bits;
      if (shift < 0) {
        throw InvariantError("vector command: reciprocal of row " + std::to_string(r) +
                             " has shift " + std::to_string(inverse.shift) + " below its " +
                             std::to_string(operation.fraction_bits) + " fraction bits");
      }
      values.saturated +=
          scale_to_sums(row.data(), operation.columns, Scaling(inverse.mantissa, shift));
    }
    const std::uint64_t destination =
        row_address(operation.destination, r, operation.destination_pitch_bytes);
    if (to_sums) {
      std::memcpy(scratchpad.write(destination, 4 * columns), row.data(), 4 * columns);
    } else {
      values.saturated += scale_to_codes(row.data(), scratchpad.write(destination, columns),
                                         operation.columns, requantisation);
    }
  }
}

}  // namespace quadrille::hw
