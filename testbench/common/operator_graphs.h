// Graphs of single operators and of an attention layer, of shapes alone, and their
// mappings: what tests of the mapper lower.
#pragma once
#include "hw/mapper/mapping.h"
#include "model/attention/mechanism.h"

namespace quadrille::hw {
/// A layer whose heads lie side by side.
struct LayerProblem {
  int tokens = 0;
  int model_width = 0;
  int heads = 0;
  int head_width = 0;
  bool causal = false;
  model::Mechanism mechanism = model::Mechanism::kSoftmax;
};
Mapping map_attention_layer(const ChipConfig& config, const LayerProblem& layer);
Mapping map_softmax(const ChipConfig& config, const model::SoftmaxShape& shape,
                    const model::Multiplier& exponent, bool weights_wanted = true);
Mapping map_damf_attend(const ChipConfig& config, int tokens, int width,
                        const model::DamfSettings& settings, const model::PowerRule& rule);
struct DamfProblem {
  int tokens = 0;
  int model_width = 0;
  int width = 0;
  model::Multiplier s_factor, t_factor, v_factor;
  model::PowerRule rule;
  model::DamfSettings settings;
};
Mapping map_damf(const ChipConfig& config, const DamfProblem& problem);
Mapping map_matmul(const ChipConfig& config, int tokens, int k, int n, int input_bits,
                   int weight_bits);
struct SinkhornProblem {
  model::SinkhornInteger integer;
  int score_width = 0;
  int element_bytes = 2;
  bool warm_columns = false;
  bool warm_rows = false;
  bool kernel_wanted = true;
  int value_width = 0;
  int value_bytes = 2;
  int assumed_half_steps = 0;
};
Mapping map_sinkhorn(const ChipConfig& config, const SinkhornProblem& problem);
struct LinearProblem {
  model::LinearShape shape;
  bool sums_wanted = false;
};
Mapping map_linear(const ChipConfig& config, const LinearProblem& problem);
Mapping map_damf_linear(const ChipConfig& config, int tokens, int width,
                        const model::DamfSettings& settings);
}  // namespace quadrille::hw
