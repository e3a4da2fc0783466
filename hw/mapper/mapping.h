// Lowers attention to a program of commands: tiling, order, residency.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/chip_config.h"
#include "hw/sequencer/program.h"
#include "model/attention/linear.h"
#include "model/attention/sinkhorn.h"
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

/// A whole layer. Throws InputError (file = config.source()) when it does not fit
/// the chip, naming what is too small and how much is needed.
Mapping map_attention_layer(const ChipConfig& config, const model::AttentionInteger& layer);

/// Softmax attention of one head on 8-bit codes Q K V; outputs `weights`
/// (32-bit, 16 fraction bits; attention alone does not need them) and `out`
/// (32-bit, V's scale / 2^8).
Mapping map_softmax(const ChipConfig& config, const model::SoftmaxShape& shape,
                    const model::Multiplier& exponent, bool weights_wanted = true);

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

/// Sinkhorn normalisation, and attention with it.
struct SinkhornProblem {
  /// Shape, settings and integer formats. settings.half_steps and .tolerance are
  /// what the unit runs with.
  model::SinkhornInteger integer;
  /// 0: the input is C; else d: the input is Q[n, d] and K[m, d], 8-bit codes,
  /// whose products the CIM bank makes. Batch 1.
  int score_width = 0;
  int element_bytes = 2;      ///< Of C: 2, or 4.
  bool warm_columns = false;  ///< A tensor g0 of starting log2 codes.
  bool warm_rows = false;     ///< And f0.
  bool kernel_wanted = true;  ///< Output K.
  int value_width = 0;        ///< 0: no V. Batch 1.
  int value_bytes = 2;        ///< Of V: 1, 2 or 4.
  /// Without data: half-steps that a tolerance stop is taken to need; 0: no such
  /// assumption, the tolerance is evaluated.
  int assumed_half_steps = 0;
};
/// Tensors in: C[B, n m] or Q[n, d] and K[m, d]; g0[B, m], f0[B, n] (4 bytes);
/// V[m, dv]. Out, 4 bytes each: f[B, n], g[B, m] (packed reciprocals with kKernel, absent with
/// kMatrix), iterations[1, B], kernel[B n, m], out[n, dv].
Mapping map_sinkhorn(const ChipConfig& config, const SinkhornProblem& problem);

/// Linear attention of one head on 8-bit codes. Tensors in: tables[3, 256] (phi of
/// Q, K, RP), RP[2k+1, d], Q, K, V. Out: `out` (4 bytes) and, if wanted,
/// `numerator` and `denominator`[1, Lq] (8 bytes). Streams through the scratchpad
/// in pieces, so any length fits.
struct LinearProblem {
  model::LinearShape shape;
  bool sums_wanted = false;
};
Mapping map_linear(const ChipConfig& config, const LinearProblem& problem);

/// DAMF's collapsed form on the linear-attention engine: tensors as for
/// map_damf_attend(). InputError for settings that it does not have (negative =
/// clamp, another mode).
Mapping map_damf_linear(const ChipConfig& config, int tokens, int width,
                        const model::DamfSettings& settings);

}  // namespace quadrille::hw
