// The linear-attention engine: causal and full kernelised attention of any
// length on a state of d x dv sums, with relative positions, and DAMF's collapsed
// form. docs/engines/linear.md.
#pragma once

#include <cstdint>
#include <memory>

#include "hw/engines/activity.h"
#include "hw/engines/beat_engine.h"
#include "hw/engines/linear/linear_operations.h"
#include "hw/engines/rtl/rtl_library.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The engine's latencies in cycles; the documentation prints these numbers.
struct LinearTiming {
  /// A chunk's last query (its last beat accepted; without queries, its last
  /// outer product begun) is followed by the first Q beat that may read the state
  /// with that chunk in it after this, and a cycle for each word of the state
  /// that the chunk touches, the rows of a beat in one word. Where the next chunk
  /// has keys, its row_beats + 1 beats and more of K and V cover it.
  int merge_latency = 2;
  /// A command without queries ends so much after its last outer product has
  /// begun, again with a cycle for each word: the last row of V leaves the stages
  /// that queries meet it in.
  int end_latency = 12;
  /// Cycles from the acceptance of a query's last beat to its output beat
  /// offered. Front 8 (DAMF: statistics, products with the extremes, maxima,
  /// denominator in 2, choice; phi waits for it), multiply 1, adder tree 3,
  /// accumulate over beats 1, weights times rows 1, tree over rows 3, reciprocal
  /// 4, pre-shift 2, multiply 1, round and saturate 2, output buffer 2.
  int query_latency = 28;
  /// Output beats in the pipeline and behind it; credits. A query takes all of
  /// its (at most 5) when its last beat is accepted: query_latency + 5 sustain
  /// one output beat per cycle.
  int output_fifo = 36;
};
inline constexpr LinearTiming kLinearTiming;

/// Registers of the sums over all tokens, for at most kLinearMostKeys of them
/// (docs/engines/linear.md, number formats).
inline constexpr int kLinearStateBits = 36;  ///< An entry of S: phi times V.
inline constexpr int kLinearSumBits = 28;    ///< An entry of z; a column's sum of V.
static_assert(kLinearMostKeys * 255 * 128 < std::int64_t{1} << (kLinearStateBits - 1));
static_assert(kLinearMostKeys * 255 < std::int64_t{1} << kLinearSumBits);
static_assert(kLinearMostKeys * 128 <= std::int64_t{1} << (kLinearSumBits - 1));

/// The state's width in whole bytes, which local_read_bytes and local_write_bytes
/// count in. Codes (rows of V, phi(K), phi(RP)) count a byte each.
inline constexpr int kLinearStateBytes = (kLinearStateBits + 7) / 8;
inline constexpr int kLinearSumBytes = (kLinearSumBits + 7) / 8;

class LinearSequence;
class LinearTile;

class LinearEngine {
 public:
  /// Throws InvariantError when a parameter is out of range.
  explicit LinearEngine(const LinearConfig& config);
  ~LinearEngine();
  LinearEngine(LinearEngine&&) noexcept;
  LinearEngine& operator=(LinearEngine&&) noexcept;

  /// Cycles from the one that accepts the command to the one that shows
  /// command_ready again, when neither stream stalls.
  std::int64_t alone_cycles(const LinearAttend& operation) const;

  /// Everything that the operation alone determines; the same without data.
  Activity activity(const LinearAttend& operation) const;

  /// The caller passes every command in program order, with data or without.
  /// Throws InvariantError when the command does not continue the sequence that
  /// the commands since the last `reset` are.
  void follow(const LinearAttend& operation);

  /// The data of the command that follow() has just taken, in one go, continuing
  /// the state that the sequence has left in this object. Adds `saturated` and
  /// `uniform_rows`. Throws InvariantError without a follow() of its own.
  void execute(const LinearAttend& operation, Bytes scratchpad, Activity& values);

 private:
  LinearConfig config_;
  std::unique_ptr<LinearSequence> sequence_;
  bool followed_ = false;  ///< The next execute() has its follow().
  std::unique_ptr<LinearTile> tile_;
};

/// The body that is timed cycle by cycle. Adds what only data tell to `values`,
/// if there is one.
std::unique_ptr<BeatEngine<LinearAttend>> make_linear_beat_body(const LinearConfig& config,
                                                                Activity* values);

/// What of the RTL is to be built for `config`, and the body around a library of it;
/// with a waveform when `trace` is not null.
RtlDesign linear_rtl_design(const LinearConfig& config);
std::unique_ptr<BeatEngine<LinearAttend>> make_linear_rtl_body(
    std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace = nullptr);

}  // namespace quadrille::hw
