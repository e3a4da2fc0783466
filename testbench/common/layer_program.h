// Attention layers as programs for the chip's tests: shapes are real, values
// are seeded noise, factors keep every intermediate in range.
#pragma once

#include <random>

#include "app/networks/attention_layer.h"
#include "hw/chip.h"
#include "hw/mapper/mapping.h"
#include "model/attention/mechanism.h"

namespace quadrille::testing_layers {

/// Integer forms of one node after the other.
struct FormOf {
  model::Multiplier factor = model::make_multiplier(1.0 / 256);

  model::IntegerForm operator()(const model::Linear&) const { return model::LinearInteger{factor}; }
  model::IntegerForm operator()(const model::DamfProject&) const {
    return model::DamfProjectInteger{{heads, factor}, {heads, factor}};
  }
  model::IntegerForm operator()(const model::SoftmaxAttention&) const {
    return model::SoftmaxInteger{model::make_multiplier(1.0 / 64), factor};
  }
  model::IntegerForm operator()(const model::DamfAttention&) const {
    return model::DamfInteger{
        {heads, model::make_power_rule(model::PowerRounding::kLinear, 1.0 / 128)}, factor};
  }
  model::IntegerForm operator()(const model::SinkhornAttention&) const {
    model::SinkhornFormat form;
    form.factor = model::make_multiplier(1.0 / 4);
    form.out = factor;
    return form;
  }
  model::IntegerForm operator()(const model::LinearAttention&) const {
    const model::PhiTable phi = model::make_phi_table(1.0 / 32, model::phi_scale(1.0 / 32));
    return model::LinearAttentionInteger{phi, phi, phi, factor};
  }
  template <typename Other>
  model::IntegerForm operator()(const Other&) const {
    return {};
  }

  std::size_t heads = 1;
};

inline model::IntegerGraph layer(model::Mechanism mechanism, int tokens, int model_width, int heads,
                                 int head_width, bool causal = false,
                                 model::DamfMode mode = model::DamfMode::kMaclaurin) {
  app::AttentionLayerWorkload settings;
  settings.mechanism = mechanism;
  settings.tokens = settings.key_tokens = tokens;
  settings.model_width = model_width;
  settings.heads = settings.key_heads = heads;
  settings.head_width = head_width;
  settings.causal = settings.damf.causal = causal;
  settings.damf.mode = mode;
  settings.scale = 1.0;
  model::IntegerGraph layer{app::attention_layer_task("layer", settings, false).graph, {}};
  FormOf form;
  form.heads = static_cast<std::size_t>(heads);
  for (const model::Node& node : layer.graph.nodes)
    layer.forms.push_back(std::visit(form, node.op));
  return layer;
}

/// Seeded noise in every input and weight.
inline model::ByteTensors noise(const model::Graph& graph, unsigned seed = 1) {
  std::mt19937 random(seed);
  model::ByteTensors tensors(graph.tensors.size());
  for (std::size_t id = 0; id < tensors.size(); ++id) {
    const model::Tensor& tensor = graph.tensors[id];
    if (tensor.role == model::Role::kValue || tensor.role == model::Role::kOutput) continue;
    tensors[id].resize(static_cast<std::size_t>(tensor.rows * tensor.row_bytes()));
    for (std::uint8_t& byte : tensors[id]) byte = static_cast<std::uint8_t>(random() >> 24);
  }
  return tensors;
}

/// The same in a mapping's DRAM.
inline void write_inputs(const hw::Mapping& mapping, const hw::Bytes& dram, unsigned seed = 1) {
  std::mt19937 random(seed);
  for (const hw::DramTensor& tensor : mapping.tensors) {
    if (tensor.role == model::Role::kValue || tensor.role == model::Role::kOutput) continue;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(tensor.bytes()));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() >> 24);
    hw::write_tensor(dram, tensor, bytes);
  }
}

}  // namespace quadrille::testing_layers
