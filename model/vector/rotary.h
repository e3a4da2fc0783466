// Rotary positions (Su et al. 2021, formula (34)): pair i of the row at position p is
// turned by the angle p * theta^(-2i/d).
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/quantise.h"
#include "model/vector/vector_result.h"

namespace quadrille::model {

/// Pair i is (x_i, x_(i + d/2)), Llama's, or (x_2i, x_(2i + 1)), GPT-J's and the paper's.
enum class RotaryLayout { kHalf, kInterleaved };

/// Of one instance: rows at positions 0, 1, ...; width d, even.
struct RotaryShape {
  int rows = 0;
  int width = 0;
  RotaryLayout layout = RotaryLayout::kHalf;

  std::size_t pairs() const { return static_cast<std::size_t>(width) / 2; }
  /// Where pair i begins in a row, and how far its second element lies behind.
  std::size_t first(std::size_t pair) const {
    return layout == RotaryLayout::kHalf ? pair : 2 * pair;
  }
  std::size_t distance() const { return layout == RotaryLayout::kHalf ? pairs() : 1; }
};

/// (cos, sin) of every position and pair, [rows, d/2, 2].
std::vector<double> rotations(const RotaryShape& shape, double theta);

/// Level `float`: (a cos - b sin, a sin + b cos) of every pair (a, b).
std::vector<double> rotary_float(const std::vector<double>& x, const RotaryShape& shape,
                                 const std::vector<double>& rotations);

/// Fraction bits of the integer rotations, so that 1 has a 16-bit code.
inline constexpr int kRotationFractionBits = 14;

/// round(value * 2^14).
std::vector<std::int32_t> rotation_codes(const std::vector<double>& rotations);

/// Level `fixed`: saturate(round_shift((a cos - b sin) * factor)), the same with sin and
/// cos for the second element: one rounding each.
VectorFixedResult rotary_fixed(const std::vector<std::int32_t>& x_q, const RotaryShape& shape,
                               const std::vector<std::int32_t>& rotations_q,
                               const Multiplier& factor, int out_bits);

}  // namespace quadrille::model
