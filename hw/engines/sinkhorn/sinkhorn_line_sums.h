// The arithmetic of the Sinkhorn unit: lines summed side by side, one element of
// each per step, and the scaling that a finished sum becomes. Tile and beat bodies
// share it.
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/quantise.h"

namespace quadrille::hw {

/// saturate(round_shift(code * factor), 16); counts what it clamped.
std::int32_t sinkhorn_logit(std::int32_t code, const model::Multiplier& factor,
                            std::int64_t& saturated);

/// Running LogSums (model/numerics/logarithm.h) of lines side by side.
struct LogSums {
  std::vector<std::int32_t> octaves;
  std::vector<std::uint64_t> sums;

  void clear(std::size_t lines);
  /// The line must have had a term.
  std::int64_t logarithm(std::size_t line) const;
};

/// Adds one logit each to the lines first.. of `sums`: 2^(logit << left + other).
/// Line k's other side has others[k mod copies]; 1 is one value for all.
void add_terms(LogSums& sums, std::size_t first, const std::int16_t* logits, std::size_t lines,
               int left, const std::int32_t* others, std::size_t copies);

/// A line sum of the scaling form turned into its next scaling.
struct SolvedLine {
  std::int32_t scaling = 0;
  std::int32_t residual = 0;  ///< |sum / target - 1| before, 16 fraction bits.
  bool saturated = false;
};
SolvedLine solve_line(std::int64_t logarithm, std::int64_t target, std::int32_t old, bool damped);

}  // namespace quadrille::hw
