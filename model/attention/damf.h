// DAMF attention: rank-1 scores by two inner products, the first-order softmax
// and its power-of-two form. Source: "Hardware Friendly Transformer
// Optimization with Dynamic Attention Matrix Fusion", formulas (4)-(17); the
// readings where the document is silent are docs/engines/damf.md.
//
// Shapes: s[L], t[L] (scores A_mn = s_m * t_n), V[L, h] row-major, out[L, h].
#pragma once

#include <cstdint>
#include <vector>

#include "model/numerics/power_of_two.h"
#include "model/numerics/quantise.h"

namespace quadrille::model {

/// Formula (13) as it stands, (15)-(17), or (13) by two prefix sums in O(L h).
enum class DamfMode { kMaclaurin, kShift, kCollapsed };
/// Maximum of the scores per head, per row, or of their magnitudes per head.
enum class DamfMaximum { kGlobal, kRow, kAbs };
/// A negative score: kept with its sign (shift-subtract), or set to zero in
/// numerator and denominator alike.
enum class DamfNegative { kSigned, kClamp };
/// Formula (17): shift every term by I_d, or sum first and shift once.
enum class DamfShiftOrder { kLast, kEach };

struct DamfSettings {
  DamfMode mode = DamfMode::kMaclaurin;
  PowerRounding rounding = PowerRounding::kLinear;
  DamfMaximum maximum = DamfMaximum::kGlobal;
  DamfNegative negative = DamfNegative::kSigned;
  bool keep_sigma = false;  ///< Multiply the scores by sigma_max (8).
  DamfShiftOrder shift_order = DamfShiftOrder::kLast;
  int guard_bits = 8;  ///< Fraction bits of each term with kEach, 0..16.
  bool causal = false;
};

/// Fraction bits of the integer output below V's least significant bit.
inline constexpr int kDamfOutputFractionBits = 8;

/// Leading singular triple of M = WQ * WK^T by SVD (6)-(8).
/// WQ, WK: [D, h] row-major. u, v: [D]. The sign of (u, v) is fixed so that
/// the component of u with the largest magnitude is positive. With sigma = 0
/// u and v are zero, so that every row of every level is uniform. The products
/// of the operands must stay inside double's range.
struct SingularTriple {
  double sigma = 0.0;
  std::vector<double> u;
  std::vector<double> v;
};
SingularTriple leading_singular_triple(const std::vector<double>& wq, const std::vector<double>& wk,
                                       int rows, int columns);

struct DamfResult {
  std::vector<double> out;        ///< [L, h]
  std::int64_t uniform_rows = 0;  ///< Rows that fell back to uniform weights.
};

/// Level `float`. `sigma` only matters with keep_sigma in mode kShift.
DamfResult damf_float(const std::vector<double>& s, const std::vector<double>& t,
                      const std::vector<double>& v, int width, double sigma,
                      const DamfSettings& settings);

struct DamfFixedResult {
  std::vector<std::int64_t> out_q;  ///< [L, h], V's scale / 2^8.
  std::int64_t uniform_rows = 0;
  std::int64_t saturated = 0;  ///< Outputs clamped to 32 bits.
};

/// Level `fixed`: the bit-level specification. s_q, t_q, v_q: 8-bit codes.
/// `rule` is make_power_rule(rounding, scale(s) * scale(t) * (sigma if kept)).
DamfFixedResult damf_fixed(const std::vector<std::int32_t>& s_q,
                           const std::vector<std::int32_t>& t_q,
                           const std::vector<std::int32_t>& v_q, int width, const PowerRule& rule,
                           const DamfSettings& settings);

}  // namespace quadrille::model
