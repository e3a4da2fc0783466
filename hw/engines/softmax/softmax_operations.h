// Command of the softmax engine: rows of integer scores to 8-bit codes and one
// reciprocal per row (model/attention/softmax.h is the specification).
#pragma once

#include <cstdint>

#include "hw/memory/stream.h"
#include "hw/sequencer/unit.h"
#include "model/numerics/quantise.h"

namespace quadrille::hw {

struct SoftmaxConfig {
  int lanes = 32;       ///< 32-bit scores per cycle.
  int max_keys = 4096;  ///< Row buffer, scores.
};

/// Each of `queries` rows takes `keys` 32-bit scores in and gives `keys` 8-bit
/// codes and one 4-byte reciprocal. With `causal` row i sees the first
/// first_query + i + 1 keys; the codes of the others are zero.
struct SoftmaxRows {
  static constexpr Unit kUnit = Unit::kSoftmax;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;
  std::uint64_t destination = 0;
  std::int64_t destination_pitch_bytes = 0;
  std::uint64_t reciprocals = 0;  ///< 4 bytes per row, little endian:
                                  ///< mantissa in bits 0..16, shift in bits 24..29.
  int queries = 0;
  int keys = 0;
  bool causal = false;
  int first_query = 0;
  model::Multiplier factor;
};

/// Queries, keys and first_query travel in 17 bits each of the packed command.
inline constexpr int kSoftmaxLargestCount = 131071;

Stream input_stream(const SoftmaxConfig& config, const SoftmaxRows& operation);
/// A row gives its code beats and then its reciprocal.
Stream output_stream(const SoftmaxConfig& config, const SoftmaxRows& operation);

}  // namespace quadrille::hw
