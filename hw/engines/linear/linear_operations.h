// Command of the linear-attention engine: a piece of a sequence of keys, values
// and queries. Specification: model/attention/linear.h.
#pragma once

#include <cstdint>

#include "hw/memory/stream.h"
#include "hw/sequencer/unit.h"
#include "model/attention/damf.h"
#include "model/attention/linear.h"

namespace quadrille::hw {

struct LinearConfig {
  int lanes = 64;         ///< 8-bit elements per beat, columns of V, columns of the state.
  int max_width = 128;    ///< Largest d: rows of the state.
  int chunk_tokens = 16;  ///< Tokens whose keys are merged into the state at once.
  int max_horizon = 16;   ///< Largest k of the relative positions.
};

/// Largest number of keys in a sequence: the registers of S, z and the sums of V
/// hold so many.
inline constexpr std::int64_t kLinearMostKeys = std::int64_t{1} << 20;

/// The operands of the engine: phi by lookup of unsigned codes, or (DAMF's
/// collapsed form) keys (1, t) and queries (A_max, s), signed, made from pairs
/// (s, t).
enum class LinearKind { kKernel, kDamf };

/// One piece of a sequence, one group of at most `lanes` columns of V.
///
/// State (S, z, token counts; with relative positions the sums and the window of
/// V; for DAMF the running extremes) stays in the engine from one command to the
/// next; `reset` starts anew and loads tables and RP.
///
/// Causal: the piece holds positions first_position .. of keys and queries alike
/// and is worked off in chunks of chunk_tokens: K rows, V rows, Q rows of a chunk.
/// A piece's keys and queries may differ in number only where one of the two
/// sequences has ended. Not causal: a command has keys (K and V rows, by chunks)
/// or queries, and all keys come before the first query.
///
/// Output per query: out (4 bytes a column); with sums_wanted also the numerator
/// (8 bytes a column) and the denominator (8 bytes).
struct LinearAttend {
  static constexpr Unit kUnit = Unit::kLinear;
  LinearKind kind = LinearKind::kKernel;
  bool reset = false;
  bool causal = false;
  std::uint64_t tables = 0;     ///< phi of Q, K, RP: 256 bytes each, with reset.
  std::uint64_t positions = 0;  ///< RP[2k+1, d] codes, with reset and horizon >= 0.
  std::int64_t position_pitch_bytes = 0;
  std::uint64_t keys = 0;  ///< DAMF: pairs (s, t), 2 bytes a token, without gaps.
  std::int64_t key_pitch_bytes = 0;
  std::uint64_t values = 0;
  std::int64_t value_pitch_bytes = 0;
  std::uint64_t queries = 0;  ///< DAMF: the pairs again.
  std::int64_t query_pitch_bytes = 0;
  /// V rows for the window of the relative positions, queries not causal: address
  /// of the first of the rows of linear_window(), value_pitch_bytes apart.
  std::uint64_t window = 0;
  std::uint64_t destination = 0;
  std::int64_t destination_pitch_bytes = 0;
  bool sums_wanted = false;
  std::uint64_t numerators = 0;
  std::int64_t numerator_pitch_bytes = 0;
  std::uint64_t denominators = 0;  ///< 8 bytes a query, without gaps.
  int key_tokens = 0;              ///< Keys in this piece.
  int query_tokens = 0;
  int first_position = 0;  ///< Where the piece's keys or queries begin in the sequence.
  int total_keys = 0;      ///< Keys of the whole sequence; at most kLinearMostKeys.
  int width = 0;           ///< d; DAMF: 2.
  int value_width = 0;     ///< Columns of this group, at most lanes.
  int horizon = -1;        ///< k; -1: no relative positions.
  model::DamfMaximum maximum = model::DamfMaximum::kGlobal;  ///< DAMF.
};

/// Rows of V that a not-causal piece of queries first_query .. first_query +
/// queries - 1 must stream for its window: those up to query + k - 1 that earlier
/// pieces have not. None without a horizon, nor for k = 0 (one weight for all keys).
struct LinearWindow {
  int first = 0;
  int rows = 0;
};
LinearWindow linear_window(int first_query, int queries, int keys, int horizon);

/// The beats of a command, in the order in which the engine takes and gives
/// them (docs/engines/linear.md). Throw InvariantError when the command does not
/// fit the engine.
Stream input_stream(const LinearConfig& config, const LinearAttend& operation);
Stream output_stream(const LinearConfig& config, const LinearAttend& operation);

}  // namespace quadrille::hw
