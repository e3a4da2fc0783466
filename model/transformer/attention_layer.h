// One multi-head attention layer: projections, mechanism, output projection.
// Sources: DAMF document, formulas (1)-(3); model/attention/* for mechanisms.
//
// Shapes: X[L, d], WQ, WK, WV[d, H*h], WO[H*h, d], out[L, d], row-major; head i
// owns columns i*h .. i*h+h-1 of WQ, WK, WV and the same rows of WO.
#pragma once

#include <cstdint>
#include <vector>

#include "model/attention/damf.h"
#include "model/attention/linear.h"
#include "model/attention/mechanism.h"
#include "model/attention/sinkhorn.h"
#include "model/attention/softmax.h"
#include "model/numerics/quantise.h"

namespace quadrille::model {

struct AttentionShape {
  int tokens = 0;       ///< L
  int model_width = 0;  ///< d
  int heads = 0;        ///< H
  int head_width = 0;   ///< h
  bool causal = false;
  Mechanism mechanism = Mechanism::kSoftmax;
  DamfSettings damf;  ///< damf.causal equals causal.
  SinkhornSettings sinkhorn;

  int inner_width() const { return heads * head_width; }
};

struct AttentionWeights {
  std::vector<double> wq, wk, wv, wo;
};

/// The rank-one form of the heads' M = WQ WK^T, offline: one triple per head.
std::vector<SingularTriple> fuse_heads(const AttentionShape& shape,
                                       const AttentionWeights& weights);

/// Every intermediate of the level `float`, kept for calibration and errors.
struct AttentionFloat {
  std::vector<double> q, k, v;    ///< [L, H*h]; q and k empty for DAMF.
  std::vector<double> s, t;       ///< [H, L]; DAMF only.
  double largest_logit = 0.0;     ///< Magnitude of the logits, nats; Sinkhorn only.
  std::vector<double> attention;  ///< [L, H*h], before the output projection.
  std::vector<double> out;        ///< [L, d]
  std::int64_t uniform_rows = 0;
};

/// Level `float`. `scale` multiplies the logits of softmax and Sinkhorn
/// (1/sqrt(h) usually).
AttentionFloat attention_float(const AttentionShape& shape, const std::vector<double>& x,
                               const AttentionWeights& weights,
                               const std::vector<SingularTriple>& triples, double scale);

/// Static scales (value = code * scale) of the layer's 8-bit tensors.
struct AttentionScales {
  double x = 1, wq = 1, wk = 1, wv = 1, wo = 1;
  double q = 1, k = 1, v = 1;
  double attention = 1;
  double largest_logit = 1;               ///< Sinkhorn: nats; picks the logits' fraction bits.
  std::vector<double> u, v_vector, s, t;  ///< One per head.
};

/// Absmax scales of `float` intermediates on the same tensors.
AttentionScales calibrate(const AttentionShape& shape, const std::vector<double>& x,
                          const AttentionWeights& weights,
                          const std::vector<SingularTriple>& triples, const AttentionFloat& result);

/// The layer as integers: codes of every constant and input, and the factors
/// of every requantisation. What `fixed` computes with and what the mapper
/// lowers to commands.
struct AttentionInteger {
  AttentionShape shape;
  Codes x, wq, wk, wv, wo;
  std::vector<std::int32_t> u, v;  ///< [H, d] codes of the singular vectors.
  Multiplier q_factor, k_factor, v_factor;
  Multiplier exponent;                         ///< softmax_fixed's factor.
  SinkhornInteger sinkhorn;                    ///< Of one head.
  PhiTable phi_q{}, phi_k{};                   ///< Linear attention.
  std::vector<Multiplier> s_factor, t_factor;  ///< Per head.
  std::vector<PowerRule> rules;                ///< Per head.
  Multiplier attention_factor;                 ///< Head output codes to 8-bit codes.
  double out_scale = 1.0;                      ///< Of the 32-bit sums of the output projection.
  std::int64_t saturated_inputs = 0;
};

AttentionInteger quantise_layer(const AttentionShape& shape, const std::vector<double>& x,
                                const AttentionWeights& weights,
                                const std::vector<SingularTriple>& triples,
                                const AttentionScales& scales, double scale);

struct AttentionFixed {
  std::vector<std::int64_t> out_q;        ///< [L, d], 32-bit sums.
  std::vector<std::int32_t> attention_q;  ///< [L, H*h], 8-bit codes.
  std::int64_t uniform_rows = 0;
  std::int64_t saturated = 0;
};

/// Level `fixed`, in plain loops over whole tensors.
AttentionFixed attention_fixed(const AttentionInteger& layer);

}  // namespace quadrille::model
