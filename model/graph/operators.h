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

/// Y = X W. In: X[L, k], W[k, n]. Out: Y[L, n].
struct Linear {
  int input_bits = 8;
  int weight_bits = 8;
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
/// K V where there is a V (batch 1). In: C[B n, m], [V[m, dv]], [c0 -> g0[B, m]],
/// [r0 -> f0[B, n]]. Out: [out[n, dv]], [kernel[B n, m]], [f[B, n]], [g[B, m]],
/// iterations[1, B]. The integer levels see g0 and f0, log2 codes of 4 bytes.
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

/// Kernelised attention, phi(x) = elu(x) + 1. In: Q, K, V, [RP[2k+1, d]],
/// tables[3, 256] (phi of Q, K and RP by code; integer levels only, unsigned).
/// Out: [out], [numerator (8 bytes)], [denominator[I, Lq] (8 bytes)].
struct LinearAttention {
  Heads heads;
  bool causal = false;
  CausalAlign align = CausalAlign::kStart;
};

using Operator = std::variant<Linear, DamfProject, SoftmaxAttention, DamfAttention, Sinkhorn,
                              SinkhornAttention, LinearAttention>;

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
/// Of Sinkhorn and SinkhornAttention.
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

using IntegerForm = std::variant<std::monostate, LinearInteger, DamfProjectInteger, SoftmaxInteger,
                                 DamfInteger, SinkhornFormat, LinearAttentionInteger>;

}  // namespace quadrille::model
