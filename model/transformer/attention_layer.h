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

/// The layer as integers: codes of every constant and input, and the factors of
/// every requantisation. Only hw/mapper/shim.h still takes it.
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

}  // namespace quadrille::model
