// Lowers attention to a program of commands: tiling, order, residency.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/chip_config.h"
#include "hw/sequencer/program.h"
#include "model/transformer/attention_layer.h"

namespace quadrille::hw {

/// A tensor in DRAM, row-major, elements of 1 (codes) or 4 (sums) bytes,
/// signed little endian. Names: X WQ WK WV WO u v out for a layer; the names
/// of DESIGN's table for single operators.
struct DramTensor {
  std::string name;
  std::uint64_t address = 0;
  std::int64_t rows = 0;
  std::int64_t row_elements = 0;
  std::int64_t pitch_bytes = 0;
  int element_bytes = 1;
  bool output = false;
};

struct Mapping {
  Program program;
  std::vector<DramTensor> tensors;
  /// What the mapper chose, one line each, for the report.
  std::vector<std::string> choices;
  std::int64_t scratchpad_bytes = 0;  ///< High-water mark of the allocation.
  const DramTensor& tensor(const std::string& name) const;
};

/// A whole layer. Throws InputError (file = config.name) when it does not fit
/// the chip, naming what is too small and how much is needed.
Mapping map_attention_layer(const ChipConfig& config, const model::AttentionInteger& layer);

/// Softmax attention of one head on 8-bit codes Q K V; outputs `weights`
/// (32-bit, 16 fraction bits) and `out` (32-bit, V's scale / 2^8).
Mapping map_softmax(const ChipConfig& config, const model::SoftmaxShape& shape,
                    const model::Multiplier& exponent);

/// DAMF attention on 8-bit codes s, t[L] and V[L, h]: outputs `out`.
Mapping map_damf_attend(const ChipConfig& config, int tokens, int width,
                        const model::DamfSettings& settings, const model::PowerRule& rule);

/// DAMF from X[L, D], u, v[D], WV[D, h] codes: outputs `s`, `t` (8-bit, in one
/// tensor `st` of pairs) and `out`.
struct DamfProblem {
  int tokens = 0;
  int model_width = 0;
  int width = 0;
  model::Multiplier s_factor, t_factor, v_factor;
  model::PowerRule rule;
  model::DamfSettings settings;
};
Mapping map_damf(const ChipConfig& config, const DamfProblem& problem);

/// out = X W on codes of input_bits and weight_bits.
Mapping map_matmul(const ChipConfig& config, int tokens, int k, int n, int input_bits,
                   int weight_bits);

}  // namespace quadrille::hw
