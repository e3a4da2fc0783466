// Exact softmax attention: softmax(Q K^T * scale) V (DAMF document, formulas
// (1), (2)), in double precision and as the integer specification.
//
// Shapes: Q[Lq, d], K[Lk, d], V[Lk, dv], weights[Lq, Lk], out[Lq, dv], all
// row-major. With `causal`, key j is visible to query i iff j <= i + offset.
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/quantise.h"

namespace quadrille::model {

struct SoftmaxShape {
  int queries = 0;      ///< Lq
  int keys = 0;         ///< Lk
  int width = 0;        ///< d
  int value_width = 0;  ///< dv
  bool causal = false;
  int offset = 0;  ///< With the mask, query i sees the keys up to i + offset.

  /// Keys that query i sees.
  int visible(int i) const { return causal && i + offset + 1 < keys ? i + offset + 1 : keys; }
};

struct SoftmaxResult {
  std::vector<double> weights;
  std::vector<double> out;
};

SoftmaxResult softmax_float(const std::vector<double>& q, const std::vector<double>& k,
                            const std::vector<double>& v, const SoftmaxShape& shape, double scale);

/// Fraction bits of the integer weights and of the output below V's LSB.
inline constexpr int kWeightFractionBits = 16;
inline constexpr int kSoftmaxOutputFractionBits = 8;

/// Factor from a difference of integer scores to 1/256 octaves of 2^-x:
/// scale(q) * scale(k) * scale * log2(e) * 256.
double exponent_factor(double q_scale, double k_scale, double scale);

struct SoftmaxFixedResult {
  std::vector<std::int64_t> weights_q;  ///< 16 fraction bits.
  std::vector<std::int64_t> out_q;      ///< V's scale / 2^8.
};

/// Level `fixed`, per row i over the visible keys:
///   S_j = sum_c Q_ic K_jc;  M = max_j S_j
///   x_j = round_shift((M - S_j) * factor)     base-2 exponent in 1/256
///   e_j = exp2_code(x_j)                      8-bit code, 255 = 1
///   R = reciprocal(sum_j e_j)
///   weights_j = round_shift(e_j * R.mantissa, R.shift - 16)
///   out_c = round_shift((sum_j e_j V_jc) * R.mantissa, R.shift - 8)
/// Normalising after the product with V keeps long rows of small weights
/// exact: each weight is an 8-bit code relative to its row's largest.
SoftmaxFixedResult softmax_fixed(const std::vector<std::int32_t>& q_q,
                                 const std::vector<std::int32_t>& k_q,
                                 const std::vector<std::int32_t>& v_q, const SoftmaxShape& shape,
                                 const Multiplier& factor);

}  // namespace quadrille::model
