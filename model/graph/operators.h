// The operators of a graph: plain structs of the settings a user can give,
// nothing derived. A node's inputs and outputs are given by position; the
// comments list them, optional ones in brackets (kAbsent when not there).
#pragma once

#include <variant>
#include <vector>

#include "model/attention/damf.h"
#include "model/attention/linear.h"
#include "model/attention/sinkhorn.h"
#include "model/attention/softmax.h"
#include "model/vector/elementwise.h"
#include "model/vector/norm.h"
#include "model/vector/rotary.h"

namespace quadrille::model {

/// The instances of an attention and how they lie in its tensors. Instance
/// (b, h), numbered b * heads + h, reads query head h and key head
/// h * key_heads / heads (rounded down).
///
/// in_columns: query tensors are [batch * L, heads * width], key and value
/// tensors [batch * L, key_heads * width]: a layer's. Otherwise
/// [batch * heads * L, width] and [batch * key_heads * L, width]: tensors with
/// leading dimensions [B, H].
struct Heads {
  int batch = 1;
  int heads = 1;
  int key_heads = 1;
  bool in_columns = false;

  int instances() const { return batch * heads; }
  int key_instances() const { return batch * key_heads; }
  /// The key instance that a query instance reads.
  int key_instance(int instance) const {
    return instance / heads * key_heads + instance % heads * key_heads / heads;
  }
};

/// Which keys query i sees under a causal mask: j <= i, or j <= i + Lk - Lq.
enum class CausalAlign { kStart, kEnd };

/// Y = X W + b. In: X[L, k], W[k, n], [b[1, n]]. Out: Y[L, n].
struct Linear {
  int input_bits = 8;
  int weight_bits = 8;
  bool transposed = false;  ///< W is [n, k].
};

/// DAMF's scalars s = X u, t = X v, a pair of vectors per head. In: X[B L, D],
/// u[H, D], v[H, D]. Out: st[B H, 2 L], pairs (s, t) of 8-bit codes.
struct DamfProject {
  int batch = 1;
};

/// softmax(Q K^T scale) V. In: Q, K, V. Out: [out], [weights]; weights (in_columns
/// false only) are [B H Lq, Lk] with kWeightFractionBits.
struct SoftmaxAttention {
  Heads heads;
  bool causal = false;
  CausalAlign align = CausalAlign::kStart;
  double scale = 1.0;
};

/// The engine that attends: DAMF's own, or, for the collapsed form, that of
/// linear attention.
enum class DamfEngineChoice { kDamf, kLinear };

/// A' V of DAMF. In: st[B H, 2 L], V. Out: out. key_heads = heads.
struct DamfAttention {
  Heads heads;
  DamfSettings settings;
  DamfEngineChoice engine = DamfEngineChoice::kDamf;
  std::vector<double> sigma;  ///< Per head; empty: 1.
};

/// Sinkhorn normalisation of exp(C / epsilon), batch matrices of n x m, and
/// K V where there is a V (batch 1). In: C[B n, m], [V[m, dv]], [g0[B, m]],
/// [f0[B, n]]. Out: [out[n, dv]], [kernel[B n, m]], [f[B, n]], [g[B, m]],
/// [iterations[1, B]]. The level `float` holds scalings (c0, r0, c, r) in g0, f0, g
/// and f, the integer levels their log2 codes of 4 bytes (g of held K: packed
/// reciprocals).
struct Sinkhorn {
  SinkhornShape shape;
  SinkhornSettings settings;
  double epsilon = 1.0;
  /// Half-steps that a tolerance stop is taken to need in a run without data;
  /// 0: no such assumption.
  int assumed_half_steps = 0;
};

/// Sinkhorn attention on logits Q K^T scale / epsilon. In: Q, K, [V], [g0[I, m]],
/// [f0[I, n]] of the I = batch * heads instances. Out as Sinkhorn's, of I
/// matrices: [out], [kernel[I n, m]], [f[I, n]], [g[I, m]], [iterations[1, I]].
struct SinkhornAttention {
  Heads heads;
  bool causal = false;
  SinkhornSettings settings;
  double scale = 1.0;
  double epsilon = 1.0;
  int assumed_half_steps = 0;
};

/// Kernelised attention, phi(x) = elu(x) + 1. In: Q, K, V, [RP[2k+1, d] or
/// RP[H (2k+1), d]], tables[3, 256] (phi of Q, K and RP by code; integer levels
/// only, unsigned). Out: [out], [numerator (8 bytes)], [denominator[I, Lq] (8
/// bytes)].
struct LinearAttention {
  Heads heads;
  bool causal = false;
  CausalAlign align = CausalAlign::kStart;
  /// RP holds a table for every query head, one after the other, instead of one
  /// that all heads share.
  bool positions_per_head = false;

  int tables() const { return positions_per_head ? heads.heads : 1; }
  /// k, of an RP with so many rows.
  int horizon(std::int64_t rp_rows) const { return static_cast<int>((rp_rows / tables() - 1) / 2); }
};

// --- operators of the vector unit ---------------------------------------------
// No engine does them yet: they exist at the levels `float` and `fixed`, with codes of
// 8 or 16 bits in and out. A lowering refuses their nodes by name.

/// In: X[L, d], gamma[1, d], [beta[1, d]]. Out: Y[L, d]. See norm.h.
struct LayerNorm {
  double epsilon = 1e-5;
};
struct RmsNorm {
  double epsilon = 1e-5;
};

/// In: X. Out: Y of the same shape.
struct Activation {
  ActivationKind kind = ActivationKind::kGeluTanh;
};

/// In: X, Y. Out: their sum.
struct Add {};

/// In: X, Y. Out: their product, element by element.
struct Multiply {};

/// Rotary positions of the rows of every instance, which count from 0. In: X, as the
/// query tensors of `heads` lie. Out: Y of the same shape.
struct Rotary {
  Heads heads;
  RotaryLayout layout = RotaryLayout::kHalf;
  double theta = 10000.0;
};

// --- an operator of the level `float` alone ------------------------------------

/// Rows of tables by token. In: ids[B, L], table[vocabulary, d], [positions[P, d]],
/// then tables of earlier tokens [vocabulary, d], j = 1, 2, ...: position i gets
/// table[id_i] + positions[i] + sum over j <= i of earlier_j[id_(i-j)].
/// Out: X[B L, d].
struct Embedding {};

using Operator =
    std::variant<Linear, DamfProject, SoftmaxAttention, DamfAttention, Sinkhorn, SinkhornAttention,
                 LinearAttention, LayerNorm, RmsNorm, Activation, Add, Multiply, Rotary, Embedding>;

/// "linear", "layer norm", ...: what messages call an operator.
const char* name_of(const Operator& op);

// --- what quantisation adds --------------------------------------------------
// `out` requantises an output of format kCodes8 and says nothing else.

struct LinearInteger {
  Multiplier out;
};
struct DamfProjectInteger {
  std::vector<Multiplier> s, t;  ///< Per head.
};
struct SoftmaxInteger {
  Multiplier exponent;  ///< softmax_fixed's factor.
  Multiplier out;
};
struct DamfInteger {
  std::vector<PowerRule> rules;  ///< Per head.
  Multiplier out;
};
/// Sinkhorn and SinkhornAttention share this form.
struct SinkhornFormat {
  Multiplier factor;  ///< Codes or scores to logits.
  int fraction_bits = kLeastLogitFractionBits;
  std::int32_t tolerance_code = 0;
  Multiplier out;
};
struct LinearAttentionInteger {
  PhiTable phi_q{}, phi_k{}, phi_rp{};
  Multiplier out;
};

/// LayerNorm and RmsNorm have the form NormInteger, Activation ActivationInteger, Add
/// AddFactors.
struct MultiplyInteger {
  Multiplier out;
};
struct RotaryInteger {
  std::vector<std::int32_t> rotations;  ///< Of one instance: (cos, sin), [L, d/2, 2].
  Multiplier out;
};

using IntegerForm = std::variant<std::monostate, LinearInteger, DamfProjectInteger, SoftmaxInteger,
                                 DamfInteger, SinkhornFormat, LinearAttentionInteger, NormInteger,
                                 ActivationInteger, AddFactors, MultiplyInteger, RotaryInteger>;

}  // namespace quadrille::model
