// Commands of the DAMF engine: project tokens to their two scalars, attend.
// The specification is model/attention/damf.h.
#pragma once

#include <cstdint>
#include <variant>

#include "hw/memory/stream.h"
#include "hw/sequencer/unit.h"
#include "model/attention/damf.h"
#include "model/numerics/quantise.h"

namespace quadrille::hw {

struct DamfConfig {
  int lanes = 64;              ///< 8-bit elements per input beat.
  int query_rows = 16;         ///< Queries that share one beat of V.
  int max_tokens = 4096;       ///< Entries of the (s, t) buffer.
  int max_model_width = 4096;  ///< Elements of the u and v buffers.
};

/// s_m = requantise(X_m . u), t_m = requantise(X_m . v) to 8 bits.
/// Input: u, then v (width bytes each, in beats of `lanes`), then the tokens'
/// rows of X. Output per token: 2 bytes, s then t, at destination + 2 m.
struct DamfProject {
  static constexpr Unit kUnit = Unit::kDamf;
  std::uint64_t u = 0;
  std::uint64_t v = 0;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;
  std::uint64_t destination = 0;
  int tokens = 0;
  int width = 0;  ///< D
  model::Multiplier s_multiplier;
  model::Multiplier t_multiplier;
};

/// out = A' V of one head, in 32-bit codes of V's scale / 2^8 (damf_fixed).
/// Input: the (s, t) pairs, one per beat, then V in the order of the mode.
struct DamfAttend {
  static constexpr Unit kUnit = Unit::kDamf;
  std::uint64_t scores = 0;  ///< (s, t) pairs as DamfProject writes them.
  std::uint64_t values = 0;
  std::int64_t value_pitch_bytes = 0;
  std::uint64_t destination = 0;
  std::int64_t destination_pitch_bytes = 0;
  int tokens = 0;
  int width = 0;  ///< h
  model::DamfSettings settings;
  model::PowerRule rule;
};

using DamfOperation = std::variant<DamfProject, DamfAttend>;

/// Tokens and widths travel in 16 bits of the packed command.
inline constexpr int kDamfLargestCount = 65535;

/// The beats of a command, in the order in which the engine takes and gives
/// them (docs/engines/damf.md). Throw InvariantError when the command does not
/// fit the engine.
Stream input_stream(const DamfConfig& config, const DamfProject& operation);
Stream output_stream(const DamfConfig& config, const DamfProject& operation);
Stream input_stream(const DamfConfig& config, const DamfAttend& operation);
Stream output_stream(const DamfConfig& config, const DamfAttend& operation);

}  // namespace quadrille::hw
