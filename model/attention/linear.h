// Kernelised (linear) attention with relative positions. Source: "Scaleformer",
// formulas (7)-(11), Algorithms 1 and 2; slips and readings in docs/engines/linear.md.
//
// Shapes: Q[Lq, d], K[Lk, d], V[Lk, dv], RP[2k+1, d], numerator and out[Lq, dv],
// denominator[Lq], row-major. phi(x) = elu(x) + 1, applied to Q, K and RP.
//
// Definition, key j visible to query i (causal: j <= i + offset, also when Lq != Lk):
//   w_ij        = phi(Q_i) . phi(K_j) + phi(Q_i) . phi(RP)_(clip(j - i, -k, k) + k)
//   numerator_i = sum_j w_ij V_j,  denominator_i = sum_j w_ij
//   out_i       = numerator_i / denominator_i
// Without RP the second term is absent. The offset is key minus query. Under
// the mask the rows of positive offset are zeroed after phi; they belong to
// masked keys only, so the sum over visible keys already says so.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace quadrille::model {

struct LinearShape {
  int queries = 0;      ///< Lq
  int keys = 0;         ///< Lk
  int width = 0;        ///< d
  int value_width = 0;  ///< dv
  bool causal = false;
  int horizon = -1;  ///< k; -1: no relative positions.
  /// With the mask, query i sees the keys up to i + offset; 0 with relative positions.
  int offset = 0;

  int visible(int query) const {
    return causal && query + offset + 1 < keys ? query + offset + 1 : keys;
  }
};

/// Strictly positive for x > -745, where exp leaves the range of a double.
double phi_elu1(double x);

struct LinearResult {
  std::vector<double> numerator;    ///< [Lq, dv]
  std::vector<double> denominator;  ///< [Lq]
  std::vector<double> out;          ///< [Lq, dv]
};

/// Level `float`, in O(L d dv + L k (d + dv)): prefix sums and the three terms
/// (before, horizon, after) of Algorithm 2. Beside inputs and outputs it holds
/// the state and a few rows, whatever the length. Like linear_fixed(), throws
/// InvariantError when a tensor's size is not the shape's.
LinearResult linear_float(const std::vector<double>& q, const std::vector<double>& k,
                          const std::vector<double>& v, const std::vector<double>& rp,
                          const LinearShape& shape);

// --- level `fixed` ----------------------------------------------------------

/// phi by lookup: entry code + 128 is phi(code * scale_in) / scale_out, half to
/// even, clamped to 1..255 (phi is strictly positive, so no denominator is 0).
using PhiTable = std::array<std::uint8_t, 256>;
PhiTable make_phi_table(double scale_in, double scale_out);
/// The scale_out that maps phi of the code 127 to 255. K and RP share the larger
/// of theirs.
double phi_scale(double scale_in);

/// A query's sums are divided by: out = saturate(round_shift(round_shift(num, p)
/// * R.mantissa, R.shift - p - 8), 32) with p = max(0, leading_one(den) - 31) and
/// R = reciprocal(den), 0 < den < 2^47. Pre-shifting keeps the product in 64 bits
/// and is nothing while den < 2^32. Needs |num| / 2^p <= 2^46; kernel sums have
/// |num| <= 128 den, so at most 2^39 and a product of 2^55, and |out| is at most
/// 2^15 (1 + 2^-14), rounded: they never saturate.
inline constexpr int kLinearOutputFractionBits = 8;
std::int64_t linear_normalise(std::int64_t numerator, std::int64_t denominator,
                              std::int64_t& saturated);

struct LinearFixedResult {
  std::vector<std::int64_t> numerator_q;    ///< [Lq, dv], exact.
  std::vector<std::int64_t> denominator_q;  ///< [Lq], exact.
  std::vector<std::int64_t> out_q;          ///< [Lq, dv], V's scale / 2^8.
  std::int64_t saturated = 0;
};

/// Level `fixed` on 8-bit codes. phi_k and phi_rp have the same output scale,
/// so that both terms add as integers. Sums are exact integers, so any order and
/// any chunking gives the same bits. Widths, from phi <= 255 and |V| <= 128, with
/// RP twice as much as without: |num| <= 2 Lk d 255^2 128 < 2^24 Lk d and
/// 1 <= den <= 2 Lk d 255^2 < 2^17 Lk d. Written with running sums,
/// O(L d dv + L k (d + dv)). Throws InvariantError for Lk d > kLinearLargestReach.
LinearFixedResult linear_fixed(const std::vector<std::int32_t>& q_q,
                               const std::vector<std::int32_t>& k_q,
                               const std::vector<std::int32_t>& v_q,
                               const std::vector<std::int32_t>& rp_q, const LinearShape& shape,
                               const PhiTable& phi_q, const PhiTable& phi_k,
                               const PhiTable& phi_rp);

/// Largest Lk * d: |num| < 2^53 and den < 2^46, inside the reciprocal's 2^47.
inline constexpr std::int64_t kLinearLargestReach = std::int64_t{1} << 29;

}  // namespace quadrille::model
