// What is to be computed, and where its numbers come from: the kinds of
// workloads that are one run, as plain settings.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "app/files/safetensors.h"
#include "app/operators/settings.h"
#include "model/attention/mechanism.h"
#include "model/graph/operators.h"

namespace quadrille::app {

using model::Mechanism;

/// Numbers from a seed.
struct RandomSource {
  std::uint64_t seed = 1;
  double deviation = 1.0;  ///< Of an operator's tensors.
};

/// Numbers from a trained language model reading a text.
struct TrainedData {
  std::string checkpoint;  ///< Path of the safetensors file.
  int layer = 0;           ///< Whose attention runs on the chip.
  std::string text;        ///< Path of the text; one token per byte.
  std::int64_t offset_bytes = 0;
};

/// Numbers from a file of tensors: an operator's, or a layer's X, WQ, WK, WV, WO.
struct FileData {
  std::string tensors;  ///< Path of the safetensors file.
};

using DataSource = std::variant<RandomSource, FileData, TrainedData>;

/// One operator on tensors with leading dimensions.
struct OperatorWorkload {
  std::string name;
  Settings settings{"", {}};            ///< As `eval` takes them.
  std::map<std::string, Shape> shapes;  ///< Of random tensors; a file has its own.
  /// Half-steps that Sinkhorn's tolerance stop is taken to need in a run without
  /// data; 0: no such assumption.
  int assumed_half_steps = 0;
  DataSource data;  ///< Never trained.
};

/// The settings of Sinkhorn inside a layer.
struct SinkhornSection {
  model::SinkhornSettings settings;
  double epsilon = 1.0;
  int assumed_half_steps = 0;
  /// The data have starting scalings c0[H, m] (and r0[H, n] with damped updates).
  bool warm_start = false;
};

/// Multi-head attention with its four projections. Shapes: X[B L, d], WQ[d, H h],
/// WK and WV[d, Hk h], WO[H h, d], out[B L, d]; with key_tokens other than tokens
/// keys and values are projected from Y[B Lk, d].
struct AttentionLayerWorkload {
  Mechanism mechanism = Mechanism::kSoftmax;
  int batch = 1;
  int tokens = 0;      ///< L
  int key_tokens = 0;  ///< Lk; `tokens` unless the file says otherwise.
  int model_width = 0;
  int heads = 0;
  int key_heads = 0;  ///< Query head h uses key head h key_heads / heads.
  int head_width = 0;
  bool causal = false;
  model::CausalAlign align = model::CausalAlign::kStart;
  double scale = 0.0;        ///< Factor of the logits of softmax and Sinkhorn.
  model::DamfSettings damf;  ///< damf.causal equals causal.
  model::DamfEngineChoice damf_engine = model::DamfEngineChoice::kDamf;
  SinkhornSection sinkhorn;
  /// Linear attention: the data have tables RP[2 horizon + 1, h], or one for
  /// every head, RP[H, 2 horizon + 1, h]; random and absent data take `horizon`
  /// from the file. -1: no relative positions.
  int horizon = -1;
  bool relative_positions = false;
  DataSource data;
  /// Static scales of integer tensors by name, one value or one per head; those
  /// that are not here come from the level `float` on the same data.
  std::map<std::string, std::vector<double>> scales;

  /// Whether keys and values have an input of their own.
  bool cross() const { return key_tokens != tokens; }
};

}  // namespace quadrille::app
