// LayerNorm (Ba, Kiros and Hinton 2016, formula (3)) and RMSNorm (Zhang and Sennrich
// 2019, formula (4)) of the rows of X[L, n]:
//   LayerNorm: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
//   RMSNorm:   y = x / sqrt(mean of squares + epsilon) * gamma + beta
// with the biased variance. A row without deviation (LayerNorm: constant; RMSNorm: all
// zero) gives beta, with epsilon 0 as well. beta may be empty: zeros.
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/quantise.h"
#include "model/vector/vector_result.h"

namespace quadrille::model {

enum class NormKind { kLayerNorm, kRmsNorm };

/// The longest row: sums of squared 17-bit differences stay below 2^45, and the mean's
/// fraction bits suffice (docs/numerics.md).
inline constexpr std::int64_t kNormLongestRow = 8192;

std::vector<double> norm_float(NormKind kind, const std::vector<double>& x,
                               const std::vector<double>& gamma, const std::vector<double>& beta,
                               double epsilon);

/// Fraction bits: of the mean below a code; of the sum of squares, unless epsilon needs
/// them; of a normalised element below 1 (at most sqrt(n) deviations); of an offset
/// below the output's LSB.
inline constexpr int kMeanFractionBits = 15;
inline constexpr int kVarianceFractionBits = 16;
inline constexpr int kNormalFractionBits = 24;
inline constexpr int kOffsetFractionBits = 14;

/// The static part of a norm in integers: what a command carries, and a gain and an
/// offset for every column.
struct NormInteger {
  NormKind kind = NormKind::kLayerNorm;
  Multiplier per_element;  ///< 1 / n.
  /// n epsilon / scale(x)^2 with 16 fraction bits, less `variance_shift`; below 2^60.
  std::int64_t epsilon = 0;
  int variance_shift = 0;  ///< Even; above 0 only where epsilon outweighs all variances.
  int normal_bits = kNormalFractionBits;
  int out_shift = 0;                 ///< 14..44.
  std::vector<std::int32_t> gain;    ///< 16 bits, signed.
  std::vector<std::int32_t> offset;  ///< 14 fraction bits below the output's LSB.
};

/// `input_bits` is the width of x's codes. gamma and beta are real; beta empty: zeros.
/// InvariantError for rows that are too long, and for gammas and betas that are out of
/// proportion to the output's scale.
NormInteger make_norm_integer(NormKind kind, int input_bits, double x_scale, double out_scale,
                              const std::vector<double>& gamma, const std::vector<double>& beta,
                              double epsilon);

/// Level `fixed`; docs/numerics.md has the formulas and their widths.
VectorFixedResult norm_fixed(const std::vector<std::int32_t>& x_q, const NormInteger& form,
                             int out_bits);

}  // namespace quadrille::model
