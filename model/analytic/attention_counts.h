// Closed forms: what one multi-head self-attention layer must compute.
//
// Shapes: X[L, d], n_head heads of width d_h = d / n_head; Q, K, V and output
// projections are d x d over all heads, without biases. Batch 1.
//
// What is counted (DESIGN section 3):
//  - macs.static multiplies by a trained constant: projections, X·u and X·v;
//  - macs.dynamic has both operands made at run time: products that form a
//    score, a weighted sum or a sum's readout;
//  - everything else is an operation of its own kind (ops.<kind>), never a MAC.
// Counted is the useful work. Padding and masked pairs that a machine executes
// nevertheless are its own macs.wasted.
//
// Conventions of the operations: a running maximum or minimum compares every
// element with its register, the first one too; a sum adds every element. The
// paper's baseline and DAMF columns are in damf_tables.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/attention/damf.h"

namespace quadrille::model {

struct LayerDimensions {
  std::int64_t length = 0;  ///< L, tokens
  std::int64_t width = 0;   ///< d, d_model
  std::int64_t heads = 0;   ///< n_head, divides d
  std::int64_t head_width() const { return width / heads; }
};

/// Throws InvariantError naming the values unless 1 <= L <= 2^22, 1 <= d <=
/// 2^16, n_head >= 1 and n_head divides d: within them no count overflows.
/// Every function here and in damf_tables.h calls it.
void check(const LayerDimensions& shape);

/// Pairs (query, key) that a head sees: L^2, or L (L + 1) / 2 under the causal
/// mask.
std::int64_t visible_pairs(std::int64_t length, bool causal);

enum class CountKind {
  kStaticMac,
  kDynamicMac,
  kExponential,
  kCompare,
  kAddition,  ///< A sum that belongs to no MAC.
  kReciprocal,
  kShiftAdd,    ///< acc ± (x << I), formula (17).
  kShift,       ///< >> I_d alone.
  kLeadingOne,  ///< Rounding to a power of two, formulas (15), (16).
  kMultiply,    ///< A scaling by one factor: 1/denominator, the count of A_max.
};

/// One line of a bill: what is done, and how often in the layer.
struct CountRow {
  std::string name;
  CountKind kind = CountKind::kStaticMac;
  std::int64_t count = 0;
};

struct AttentionCounts {
  std::vector<CountRow> rows;  ///< Counts above 0, in the order of the data flow.
  /// Sum of the rows of one kind.
  std::int64_t total(CountKind kind) const;
  std::int64_t macs_static() const { return total(CountKind::kStaticMac); }
  std::int64_t macs_dynamic() const { return total(CountKind::kDynamicMac); }
  std::int64_t macs() const { return macs_static() + macs_dynamic(); }
};

/// Softmax attention. Static 4 L d^2; dynamic Q K^T and A' V, d MACs each per
/// visible pair. Per head and pair one exponential, one addition and one
/// compare (row maximum); per head and row one reciprocal and d_h multiplies
/// (the row's sum is divided out of the output). The scale 1/sqrt(d_h) is part
/// of the requantisation of the scores and not counted.
AttentionCounts softmax_counts(const LayerDimensions& shape, bool causal);

/// DAMF attention in the three modes of DamfSettings (mode, maximum,
/// shift_order and causal matter; sigma is part of the rounding rule). P are
/// the visible pairs. Static in every mode: V and output projections 2 L d^2,
/// X·u and X·v 2 L d per head. Dynamic, per head:
///   maclaurin  scores s_m t_n: P; (A_max + A_mn) V_n: P d_h
///   shift      scores s_m t_n: P; A' V are shift-adds: 2 P d_h as formula (17)
///              stands, one by I_max and one by I_mn for every pair and column
///   collapsed  t_n V_n: L d_h; readout A_max·ΣV + s_m·ΣtV: 2 L d_h (its
///              denominator A_max·Σ1 + s_m·Σt is two multiplies per row)
/// The maximum is not a MAC: it comes from running extremes, with one or two
/// multiplies per row (per head, with `global` or `abs` and no mask: 4 or 1).
AttentionCounts damf_counts(const LayerDimensions& shape, const DamfSettings& settings);

}  // namespace quadrille::model
