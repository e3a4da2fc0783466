// Command of the vector unit: requantisation between the engines.
#pragma once

#include <cstdint>

#include "hw/memory/stream.h"
#include "hw/sequencer/unit.h"
#include "model/numerics/quantise.h"

namespace quadrille::hw {

struct VectorConfig {
  int lanes = 32;  ///< Elements per cycle.
};

/// The elements that arrive: 32-bit sums, or 8-bit codes (softmax weights that
/// are read out).
enum class VectorSource { kSums32, kCodes8 };
/// The elements that leave.
enum class VectorResult { kCodes8, kSums32 };

/// rows x columns elements, each
///   x = element, signed 32 bits or unsigned 8
///   if `normalise`: x = round_shift(x * R.mantissa, R.shift - fraction_bits)
///                   with its row's reciprocal R, saturated to 32 bits
///   if result is kCodes8: x = requantise(x, multiplier, 8)
/// in that order, exactly as in model/attention/softmax.h.
struct VectorRequantise {
  static constexpr Unit kUnit = Unit::kVector;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;
  std::uint64_t destination = 0;
  std::int64_t destination_pitch_bytes = 0;
  std::uint64_t reciprocals = 0;  ///< SoftmaxRows writes them; used with normalise.
  int rows = 0;
  int columns = 0;
  VectorSource from = VectorSource::kSums32;
  VectorResult to = VectorResult::kCodes8;
  bool normalise = false;
  int fraction_bits = 8;
  model::Multiplier multiplier;
};

/// A row brings its reciprocal (with normalise), then its elements.
Stream input_stream(const VectorConfig& config, const VectorRequantise& operation);
Stream output_stream(const VectorConfig& config, const VectorRequantise& operation);

}  // namespace quadrille::hw
