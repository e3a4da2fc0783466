// Sinkhorn normalisation of K = exp(C / epsilon) and doubly stochastic
// attention K^l V. Source: "Heat Flow through Doubly-Stochastic Self-Attention"
// (Sinkformer slides), the definition of K^l by N_R and N_C.
//
// Shapes: C[B, n, m], K[B, n, m], f[B, n], g[B, m], V[m, dv], out[n, dv], all
// row-major; B > 1 is a batch of independent matrices (no V).
//
// Counting: K^l is after l half-steps, rows first, so K^1 is the softmax; odd l
// ends on rows, even l on columns. Rows sum to 1, columns to n / m. Under the
// causal mask element (i, j) is visible iff j <= i, the others are zero; a
// column without visible elements (j >= n) keeps its scaling and has no residual.
//
// The scaling form keeps the logits L (in octaves) and iterates logarithms of
// the scalings, K_ij = 2^(L_ij + f_i + g_j):
//   T_r(g)_i = -log2 sum_j 2^(L_ij + g_j)             rows sum to 1
//   T_c(f)_j = log2(n/m) - log2 sum_i 2^(L_ij + f_i)  columns sum to n/m
//   alternate: f <- T_r(g), then g <- T_c(f), ...     one half-step each
//   damped:    f <- (f + T_r(g)) / 2 and g <- (g + T_c(f)) / 2, both from the
//              old f and g: one update, counted as one of `half_steps`, is both.
// Alternate starts from g = log2 c0 (0). Damped starts from g = log2 c0 and
// f = log2 r0; without r0 from f = g in a square matrix, else f = 0: on
// symmetric logits f and g stay equal, which is what makes it converge fast.
//
// Residual of a state: max over lines of |line sum / target - 1|. With a
// tolerance a matrix stops after the first half-step l >= 1 whose residual (the
// larger of both sides) is at or below it. The side that a half-step has just
// normalised counts as 0.
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/quantise.h"

namespace quadrille::model {

struct SinkhornShape {
  int batch = 1;    ///< B
  int rows = 0;     ///< n
  int columns = 0;  ///< m
  bool causal = false;

  bool visible(int row, int column) const { return !causal || column <= row; }
  std::int64_t elements() const { return std::int64_t{rows} * columns; }
};

/// `kScaling` holds the logits and iterates logarithmic scalings. `kKernel`
/// holds K^0 = exp(C) and iterates scalings r, c by multiply and reciprocal.
/// `kMatrix` normalises K in place, n m writes per half-step. All three have
/// the same iterates; the last two only hold a small range of logits and have
/// no damped update and no warm start.
enum class SinkhornForm { kScaling, kKernel, kMatrix };
enum class SinkhornUpdate { kAlternate, kDamped };

struct SinkhornSettings {
  int half_steps = 21;     ///< Largest number; damped: updates.
  double tolerance = 0.0;  ///< 0: no stop.
  SinkhornForm form = SinkhornForm::kScaling;
  SinkhornUpdate update = SinkhornUpdate::kAlternate;
};

/// Row and column residual of one matrix.
struct SinkhornResidual {
  double row = 0.0;
  double column = 0.0;
};

/// Level `float`.
struct SinkhornResult {
  std::vector<double> k;        ///< [B, n, m]
  std::vector<double> log_r;    ///< [B, n], natural logarithms of the row scalings.
  std::vector<double> log_c;    ///< [B, m]
  std::vector<int> iterations;  ///< [B], half-steps done.
  /// Entry l - 1 is the state after half-step l: the largest of the batch's
  /// matrices that had not stopped before l.
  std::vector<SinkhornResidual> residuals;
};

/// `logits` are C / epsilon (or Q K^T scale / epsilon) in nats, finite. `c0`,
/// `r0`: starting scalings, positive, [B, m] and [B, n], or empty. Iterates in
/// logarithms whatever the form (the iterates are the same).
SinkhornResult sinkhorn_float(const std::vector<double>& logits, const SinkhornShape& shape,
                              const SinkhornSettings& settings, const std::vector<double>& c0 = {},
                              const std::vector<double>& r0 = {});

/// Residual of any matrix K[n, m] (or the largest of a batch's), by plain sums.
SinkhornResidual sinkhorn_residual(const std::vector<double>& k, const SinkhornShape& shape);

// --- level `fixed` ----------------------------------------------------------

/// Bits of a logit in the unit's tile memory, two's complement, in octaves.
inline constexpr int kLogitBits = 16;
/// The logits' fraction bits lie in this range: 8 reach +-128 octaves (+-88
/// nats), 14 reach +-2 octaves.
inline constexpr int kLeastLogitFractionBits = 8;
inline constexpr int kMostLogitFractionBits = 14;
/// Fraction bits of K as it leaves the unit, and of held K.
inline constexpr int kKernelFractionBits = 24;
/// Fraction bits of `out` below V's least significant bit.
inline constexpr int kSinkhornOutputFractionBits = 8;
/// Largest spread of a matrix's visible logits, max - min, with which K can be
/// held: octaves (8.3 nats: C in +-4.15).
inline constexpr int kKernelSpreadOctaves = 12;

/// The largest number of fraction bits with which logits up to `largest` octaves
/// in magnitude fit.
int logit_fraction_bits(double largest_octaves);

/// The problem as integers. `codes` are C's codes (16 bits) or the scores of
/// Q K^T (32 bits); logit = saturate(round_shift(code * factor.mantissa,
/// factor.shift), 16) has `fraction_bits` fraction bits.
struct SinkhornInteger {
  SinkhornShape shape;
  SinkhornSettings settings;
  Multiplier factor;
  int fraction_bits = kLeastLogitFractionBits;
  /// floor(tolerance * 2^16), compared with residual codes; used if tolerance > 0.
  std::int32_t tolerance_code = 0;
};
std::int32_t sinkhorn_tolerance_code(double tolerance);
/// log2(n / m), 16 fraction bits, half to even.
std::int32_t sinkhorn_column_target(const SinkhornShape& shape);
/// A scaling from its log2, kept inside double's range: extreme logits have
/// scalings beyond it.
double sinkhorn_scaling(double log2);
/// Codes of starting scalings: round(log2(c) * 2^16).
std::vector<std::int32_t> sinkhorn_log_codes(const std::vector<double>& scalings);

/// Codes of a residual pair, 16 fraction bits, at most 2^31 - 1.
struct SinkhornResidualCode {
  std::int32_t row = 0;
  std::int32_t column = 0;
};

struct SinkhornFixedResult {
  std::vector<std::int64_t> k_q;  ///< [B, n, m], 24 fraction bits.
  /// kScaling: log2 codes with 16 fraction bits. kKernel: packed reciprocals
  /// (mantissa in bits 0..16, shift in bits 24..29). kMatrix: empty.
  std::vector<std::int64_t> f_q;  ///< [B, n]
  std::vector<std::int64_t> g_q;  ///< [B, m]
  std::vector<int> iterations;    ///< [B]
  /// Sweeps over each matrix's logits: iterations, and one more where the
  /// tolerance stopped it. [B]
  std::vector<int> sweeps;
  /// Half-step l + 1 measures these, whose sums are those of the state after l;
  /// the last one is missing unless that sweep was made. The side that has just
  /// been normalised counts as 0 (it is exact to the rounding of a logarithm).
  /// Index + 1 is l, the codes are the largest of the batch's matrices that made
  /// sweep l + 1.
  std::vector<SinkhornResidualCode> residuals;
  /// Clamped values: visible logits (once each, however often they are read),
  /// scalings (kMatrix: the K entries of every half-step) and held forms' line
  /// sums, not those of the sweep that a tolerance stop throws away, and entries
  /// of K. Residual codes are not counted.
  std::int64_t saturated = 0;
};

/// Level `fixed`. codes: [B, n, m]. g0, f0: log2 codes [B, m], [B, n], or empty.
///
/// Per line, elements by rising index, visible ones only:
///   x_j = (L_j << (16 - F)) + other side's log scaling
///   T   = target - LogSum of all x_j (model/numerics/logarithm.h)
///   new scaling = saturate(T, 32), damped: saturate(round_shift(old + T, 1), 32)
///   residual of the line before = |power(old - T) - 1|, 16 fraction bits
/// K_ij = power_code((L_ij << (16 - F)) + f_i + g_j, 24).
/// Alternate sweep p = 1 .. half_steps works on rows when p is odd. From p = 2 on
/// it measures state p - 1 and, with a tolerance, is thrown away if that state's
/// residual codes are both at or below tolerance_code: iterations p - 1, sweeps p.
///
/// Held forms, with X the largest visible logit of the matrix, H the multiplier
/// of m / n, and every line sum clamped to 1 .. 2^46 - 1:
///   K0_ij = power_code((L_ij - X) << (16 - F), 24)
///   kKernel: c = {2^15, 39} (that is 1), then
///     rows:    S = sum_j round_shift(K0_ij c_j.mantissa, c_j.shift - 24)
///              residual |round_shift(S r_i.mantissa, r_i.shift - 16) - 2^16|
///              r_i = reciprocal(S)
///     columns: the same with r, and S' = round_shift(S H.mantissa, H.shift),
///              clamped again, in place of S
///     P = round_shift(K0_ij r_i.mantissa, r_i.shift - 24), at most 2^38 - 1
///     K_ij = round_shift(P c_j.mantissa, c_j.shift - 24), at most 2^31 - 1
///   kMatrix: K = K0, then
///     rows:    S = sum_j K_ij, residual round_shift(|S - 2^24|, 8)
///              R = reciprocal(S)
///              K_ij <- round_shift(K_ij R.mantissa, R.shift - 24), at most 2^31 - 1
///     columns: the same with S' in place of S
/// Widths and range: docs/numerics.md. The caller has checked kernel_spread().
SinkhornFixedResult sinkhorn_fixed(const std::vector<std::int32_t>& codes,
                                   const SinkhornInteger& problem,
                                   const std::vector<std::int32_t>& g0 = {},
                                   const std::vector<std::int32_t>& f0 = {});

/// Largest spread, over the batch, of a matrix's visible logits, in octaves
/// rounded up; held K is refused beyond kKernelSpreadOctaves.
int kernel_spread(const std::vector<std::int32_t>& codes, const SinkhornInteger& problem);

/// out_q[n, dv] = saturate(round_shift(sum_j K_ij V_j, 24 - 8), 32) of codes V
/// of at most 20 bits. `saturated` counts.
std::vector<std::int64_t> sinkhorn_apply_fixed(const std::vector<std::int64_t>& k_q,
                                               const std::vector<std::int32_t>& v_q,
                                               const SinkhornShape& shape, int value_width,
                                               std::int64_t& saturated);

}  // namespace quadrille::model
