// Attention layers as programs for the chip's tests: shapes are real, values
// are seeded noise, factors keep every intermediate in range.
#pragma once

#include <random>

#include "hw/chip.h"
#include "hw/mapper/shim.h"

namespace quadrille::testing_layers {

inline model::AttentionInteger layer(model::Mechanism mechanism, int tokens, int model_width,
                                     int heads, int head_width, bool causal = false) {
  model::AttentionInteger layer;
  layer.shape.tokens = tokens;
  layer.shape.model_width = model_width;
  layer.shape.heads = heads;
  layer.shape.head_width = head_width;
  layer.shape.causal = causal;
  layer.shape.mechanism = mechanism;
  layer.shape.damf.causal = causal;
  const auto factor = model::make_multiplier(1.0 / 256);
  layer.q_factor = layer.k_factor = layer.v_factor = factor;
  layer.attention_factor = factor;
  layer.exponent = model::make_multiplier(1.0 / 64);
  layer.sinkhorn.shape = {1, tokens, tokens, causal};
  layer.sinkhorn.factor = model::make_multiplier(1.0 / 4);
  layer.phi_q = layer.phi_k = model::make_phi_table(1.0 / 32, model::phi_scale(1.0 / 32));
  layer.s_factor.assign(static_cast<std::size_t>(heads), factor);
  layer.t_factor.assign(static_cast<std::size_t>(heads), factor);
  layer.rules.assign(static_cast<std::size_t>(heads),
                     model::make_power_rule(model::PowerRounding::kLinear, 1.0 / 128));
  return layer;
}

/// Seeded noise in every input tensor.
inline void write_inputs(const hw::Mapping& mapping, const hw::Bytes& dram, unsigned seed = 1) {
  std::mt19937 random(seed);
  for (const hw::DramTensor& tensor : mapping.tensors) {
    if (tensor.role == model::Role::kOutput || tensor.role == model::Role::kValue) continue;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(tensor.bytes()));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 24);
    hw::write_tensor(dram, tensor, bytes);
  }
}

}  // namespace quadrille::testing_layers
