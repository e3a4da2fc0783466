#include "hw/engines/vector/vector_engine.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "hw/engines/multiversion.h"

namespace quadrille::hw {
namespace {

/// round_shift(x * mantissa, shift) without a branch: floor after adding half,
/// less one unless the quotient is odd. A shift of 0 adds nothing.
struct Scaling {
  std::int32_t mantissa = 0;
  int shift = 0;
  std::int64_t half_less_one = 0;
  std::int64_t odd_mask = 0;

  Scaling() = default;
  Scaling(std::uint32_t m, int s) : mantissa(static_cast<std::int32_t>(m)), shift(s) {
    if (shift >= 63) {
      mantissa = 0;
      shift = 62;
    }
    if (shift > 0) {
      half_less_one = (std::int64_t{1} << (shift - 1)) - 1;
      odd_mask = 1;
    }
  }
};

inline std::int64_t scaled(std::int32_t x, const Scaling& s) {
  const std::int64_t product = static_cast<std::int64_t>(x) * s.mantissa;
  return (product + s.half_less_one + ((product >> s.shift) & s.odd_mask)) >> s.shift;
}

// Each returns how many results it had to clamp.

QUADRILLE_MULTIVERSION
std::int64_t scale_to_sums(std::int32_t* row, int count, Scaling scaling) {
  constexpr std::int64_t kMax = INT32_MAX;
  constexpr std::int64_t kMin = INT32_MIN;
  std::int64_t clamped = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t x = scaled(row[i], scaling);
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
    const std::int64_t x = scaled(row[i], scaling);
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
  const int beats = (operation.columns + config_.lanes - 1) / config_.lanes;
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
  const Scaling requantisation(operation.multiplier.mantissa, operation.multiplier.shift);
  std::vector<std::int32_t> row(columns);
  for (int r = 0; r < operation.rows; ++r) {
    const std::uint64_t source = row_address(operation.source, r, operation.source_pitch_bytes);
    if (from_sums) {
      std::memcpy(row.data(), scratchpad.at(source, 4 * columns), 4 * columns);
    } else {
      widen_codes(scratchpad.at(source, columns), row.data(), operation.columns);
    }
    if (operation.normalise) {
      const auto packed = static_cast<std::uint32_t>(
          scratchpad.read_i32(operation.reciprocals + 4 * static_cast<std::uint64_t>(r)));
      const int shift = static_cast<int>((packed >> 24) & 63U) - operation.fraction_bits;
      if (shift < 0) {
        throw InvariantError("vector command: reciprocal of row " + std::to_string(r) +
                             " has shift " + std::to_string(shift + operation.fraction_bits) +
                             " below its " + std::to_string(operation.fraction_bits) +
                             " fraction bits");
      }
      values.saturated +=
          scale_to_sums(row.data(), operation.columns, Scaling(packed & 0x1FFFFU, shift));
    }
    const std::uint64_t destination =
        row_address(operation.destination, r, operation.destination_pitch_bytes);
    if (to_sums) {
      std::memcpy(scratchpad.at(destination, 4 * columns), row.data(), 4 * columns);
    } else {
      values.saturated += scale_to_codes(row.data(), scratchpad.at(destination, columns),
                                         operation.columns, requantisation);
    }
  }
}

}  // namespace quadrille::hw
